"""How hard each world is: test accuracy of five learners at the laptop's sizes, into docs/data/difficulty.csv and docs/worlds.md.

    OMP_NUM_THREADS=1 python bench/difficulty.py               measure every world that can be classified: twelve core-minutes
    OMP_NUM_THREADS=1 python bench/difficulty.py shapes ...    measure these anew, keep the other rows
    python bench/difficulty.py --draw                          only write the table in docs/worlds.md again

A collection too small for the laptop's sizes keeps its own. Worlds that have one class, that need other networks, or whose data
set is not in this repository are left out.
"""

import argparse
import csv
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from assay.data.batch import to_tensors
from assay.data.seeds import Draw
from assay.data.world import World
from assay.errors import AssayError
from assay.language.plugs import describe, find, load
from assay.language.recipes import AXES, Recipe
from assay.language.scales import load_scale
from assay.measuring.evaluate import predict
from assay.report.difficulty import COLUMNS, TABLE, as_markdown, read_difficulties
from assay.storage.files import write_atomic
from assay.storage.places import PROJECT
from assay.training.trainer import train

SCALE = load_scale("laptop")
AT_SCALE = ", laptop"  # follows a world's name where the scale's defaults take the place of those in its file
REPETITIONS = 2
# learner -> optimizer, times the scale's epochs. A vision transformer needs longer to say anything, and so is trained once.
NETWORKS = {"resnet": ("sgd", 1), "vit": ("adam", 2), "mlp": ("adam", 1)}
ONCE = "vit"
SQUARE = {"vit", "mlp"}  # take no signals of one row
PIXEL_MODELS = {"linear": partial(LogisticRegression, C=0.01, max_iter=300), "nearest": partial(KNeighborsClassifier, 1)}
PAGE = PROJECT / "docs" / "worlds.md"
MARKS = ("<!-- difficulty -->\n", "<!-- end -->")


def draw(name: str, seed: int) -> World:
    """A world at the scale's sizes, with the scale's defaults where its name says so; one that is made from another is made from
    the scale's `shapes`."""
    name, *at_scale = name.split(AT_SCALE)
    make, declared = load("worlds", name), find("worlds")[name].parameters
    sizes = SCALE.world.model_dump()
    if "of" in declared:
        return make(Draw("world", 0, seed), of=partial(load("worlds", "shapes"), **sizes, **SCALE.worlds["shapes"]))
    if at_scale:
        return make(Draw("world", 0, seed), **sizes, **SCALE.worlds[name])
    try:
        return make(Draw("world", 0, seed), **{key: size for key, size in sizes.items() if key in declared})
    except AssayError:
        return make(Draw("world", 0, seed))


def plug(kind: str, name: str) -> dict:
    """A plug with its default parameters, in canonical form."""
    parameters = describe(kind, name).parameters
    return {"plug": f"{kind}/{name}", "parameters": {key: parameter.default for key, parameter in parameters.items()}}


def recipe(model: str) -> Recipe:
    """How a network is trained; the world is handed over with it."""
    optimizer, length = NETWORKS[model]
    return Recipe(
        {
            "world": plug("worlds", "shapes"),
            "model": plug("models", model),
            "augment": [],
            "objective": plug("objectives", "cross_entropy"),
            "optimizer": plug("optimizers", optimizer),
            "schedule": plug("schedules", "cosine"),
            "budget": {"epochs": length * SCALE.budget.epochs, "batch": SCALE.budget.batch},
            "start": None,
            "surgery": [],
            "record": [],
            "draws": dict.fromkeys(AXES, 0),
        }
    )


def accuracy(learner: str, world: World, seed: int) -> float:
    """Share of the test images that a learner names rightly after training."""
    if learner in PIXEL_MODELS:
        train_pixels, test_pixels = (split.images.reshape(len(split), -1) for split in (world.train, world.test))
        return PIXEL_MODELS[learner]().fit(train_pixels, world.train.labels).score(test_pixels, world.test.labels)
    tensors = to_tensors(world, torch.device("cpu"))
    network = train(recipe(learner), seed, world=tensors).network
    return float((predict(network, tensors.test.images).argmax(1) == tensors.test.labels).float().mean())


def rows(name: str) -> Iterator[dict]:
    """One row a learner and repetition; none for a world that cannot be drawn or has nothing to tell apart."""
    for seed in range(REPETITIONS):
        try:
            world = draw(name, seed)
        except (AssayError, TypeError) as error:
            print(f"{name}: left out: {str(error).splitlines()[0]}")
            return
        if min(len(set(split.labels.tolist())) for split in (world.train, world.test)) < 2:
            print(f"{name}: left out: one class to learn or to tell")
            return
        _, most = torch.tensor(world.test.labels).unique(return_counts=True)
        _, *sides = world.train.images.shape[1:]
        square = sides[0] == sides[1]
        about = {
            "world": name,
            "image": "x".join(map(str, world.train.images.shape[1:])),
            "train": len(world.train),
            "test": len(world.test),
            "classes": len(most),
            "chance": f"{int(most.max()) / len(world.test):.4f}",
        }
        for learner in (*NETWORKS, *PIXEL_MODELS):
            if (learner == ONCE and seed > 0) or (learner in SQUARE and not square):
                continue
            epochs = NETWORKS[learner][1] * SCALE.budget.epochs if learner in NETWORKS else ""
            started = time.process_time()
            found = accuracy(learner, world, seed)
            print(f"{name} {learner} {found:.3f} {time.process_time() - started:.1f} s", flush=True)
            yield about | {"learner": learner, "epochs": epochs, "seed": seed, "accuracy": f"{found:.4f}"}


def table() -> list[dict]:
    """The rows there are."""
    if not TABLE.exists():
        return []
    with open(TABLE, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(path: Path, measured: list[dict]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(measured)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("worlds", nargs="*", help="measure these; all if none is named")
    parser.add_argument("--draw", action="store_true", help="only write docs/worlds.md again")
    options = parser.parse_args()
    if not options.draw:
        torch.set_num_threads(1)
        names = options.worlds or sorted([*find("worlds"), *(f"{world}{AT_SCALE}" for world in SCALE.worlds)])
        kept = [row for row in table() if row["world"] not in names]
        measured = [row for name in names for row in rows(name)]
        write(TABLE, sorted([*kept, *measured], key=lambda row: row["world"]))
    head, rest = PAGE.read_text(encoding="utf-8").split(MARKS[0])
    write_atomic(PAGE, f"{head}{MARKS[0]}\n{as_markdown(read_difficulties())}\n{MARKS[1]}{rest.split(MARKS[1], 1)[1]}")


if __name__ == "__main__":
    main()
