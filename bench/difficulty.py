"""How hard the world `shapes` is at 16 px: test accuracy of five learners at three training sizes, as a table for docs/worlds.md.

`OMP_NUM_THREADS=1 python bench/difficulty.py [learner ...]`. The networks are the defaults of models/ with batches of 32 and a
cosine schedule: ResNet by SGD for 10 epochs, MLP by Adam for 10, ViT by Adam for 30. Linear is logistic regression, nearest is
one neighbour, both on pixels.
"""

import sys
from statistics import mean, stdev

import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from assay.batch import to_tensors
from assay.evaluate import predict
from assay.plugs import describe
from assay.recipes import AXES, Recipe
from assay.seeds import Draw
from assay.training import train
from assay.world import World
from assay.worlds.shapes import shapes

TRAIN_SIZES = (512, 1536, 4096)
SEEDS = (0, 1)
NETWORKS = {"resnet": ("sgd", 10), "mlp": ("adam", 10), "vit": ("adam", 30)}
PIXEL_MODELS = {"linear": LogisticRegression(C=0.01, max_iter=300), "nearest": KNeighborsClassifier(1)}


def plug(kind: str, name: str) -> dict:
    """A plug with its default parameters, in canonical form."""
    parameters = describe(kind, name).parameters
    return {"plug": f"{kind}/{name}", "parameters": {key: parameter.default for key, parameter in parameters.items()}}


def recipe(model: str) -> Recipe:
    optimizer, epochs = NETWORKS[model]
    return Recipe(
        {
            "world": plug("worlds", "shapes"),
            "model": plug("models", model),
            "augment": [],
            "objective": plug("objectives", "cross_entropy"),
            "optimizer": plug("optimizers", optimizer),
            "schedule": plug("schedules", "cosine"),
            "budget": {"epochs": epochs, "batch": 32},
            "start": None,
            "surgery": [],
            "record": [],
            "draws": dict.fromkeys(AXES, 0),
        }
    )


def accuracy(learner: str, world: World, seed: int) -> float:
    if learner in PIXEL_MODELS:
        train_pixels, test_pixels = (split.images.reshape(len(split), -1) for split in (world.train, world.test))
        return PIXEL_MODELS[learner].fit(train_pixels, world.train.labels).score(test_pixels, world.test.labels)
    tensors = to_tensors(world, torch.device("cpu"))
    network = train(recipe(learner), seed, world=tensors).network
    return float((predict(network, tensors.test.images).argmax(1) == tensors.test.labels).float().mean())


def main(learners: list[str]) -> None:
    torch.set_num_threads(1)
    print("| learner | " + " | ".join(f"{size:,} images" for size in TRAIN_SIZES) + " |")
    print("|---" * (len(TRAIN_SIZES) + 1) + "|")
    for learner in learners or (*NETWORKS, *PIXEL_MODELS):
        cells = []
        for size in TRAIN_SIZES:
            found = [accuracy(learner, shapes(Draw("world", 0, seed), train=size), seed) for seed in SEEDS]
            cells.append(f"{mean(found):.3f} ± {stdev(found):.3f}")
        print(f"| {learner} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
