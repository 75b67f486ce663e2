"""Do stronger attacks change what studies conclude? Errors and smallest perturbations by strength, as tables for docs/attacks.md.

`OMP_NUM_THREADS=1 python bench/attack_strength.py` trains networks of the studies fgsm and deepfool at laptop scale, once each,
and attacks their first 64 test images. To look at stronger attacks is to look at results: set ASSAY_DRAWS=trial, draws that no
verdict rests on.
"""

from functools import partial
from statistics import mean

import torch

from assay.attacks._ball import norms
from assay.attacks._search import smallest
from assay.attacks.deepfool import deepfool
from assay.attacks.fgsm import fgsm
from assay.attacks.pgd import pgd
from assay.attacks.random_sign import random_sign
from assay.data.batch import to_tensors
from assay.language.recipes import Recipe
from assay.language.studies import load_studies
from assay.measuring.evaluate import predict
from assay.training.beginnings import make_world
from assay.training.network import Network
from assay.training.setting import Setting
from assay.training.trainer import train

SEEDS = (0,)
IMAGES = 64
# Column: study, arm, and the size of the attack.
NETWORKS = {
    "perceptron": ("fgsm", "fgsm", 0.25),
    "FGSM-trained": ("fgsm", "trained", 0.25),
    "ResNet": ("deepfool", "resnet_deepfool", 0.03137),
}
ERRORS = {
    "random signs": random_sign,
    "FGSM": fgsm,
    "PGD, 3 steps": partial(pgd, steps=3),
    "PGD, 10 steps": partial(pgd, steps=10),
    "PGD, 50 steps": partial(pgd, steps=50),
    "PGD, 10 steps, 5 restarts": partial(pgd, steps=10, restarts=5),
}
# Attack, and where the search for its size ends (None: it finds its own).
SMALLEST = {
    "DeepFool, 50 steps": (partial(deepfool, clip=False), None),
    "FGSM": (partial(fgsm, clip=False), 0.5),
    "PGD, 3 steps": (partial(pgd, norm="l2", steps=3, clip=False), 8.0),
    "PGD, 10 steps": (partial(pgd, norm="l2", clip=False), 8.0),
    "PGD, 50 steps": (partial(pgd, norm="l2", steps=50, clip=False), 8.0),
}

Attacked = tuple[Network, torch.Tensor, torch.Tensor]


def attacked(recipe: Recipe, seed: int) -> Attacked:
    """The trained network and the test images with their labels."""
    world = to_tensors(make_world(recipe, seed), torch.device("cpu"))
    network = train(recipe, seed, Setting(), world).network
    return network, world.test.images[:IMAGES], world.test.labels[:IMAGES]


def error(given: Attacked, attack, size: float) -> float:
    network, images, labels = given
    moved = attack(network, images, labels, torch.Generator().manual_seed(0), eps=size)
    return float((predict(network, moved).argmax(1) != labels).double().mean())


def rho(given: Attacked, attack, largest: float | None) -> float:
    """Mean relative norm of the smallest perturbation that changes the network's answer."""
    network, images, _ = given
    answers, generator = predict(network, images).argmax(1), torch.Generator().manual_seed(0)
    if largest is None:
        moved = attack(network, images, answers, generator)
    else:
        moved = smallest(attack, network, images, answers, generator, largest=largest)[0]
    return float((norms(moved - images) / norms(images)).mean())


def table(columns: dict[str, list[float]], rows: list[str]) -> None:
    print("| attack | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for number, row in enumerate(rows):
        print(f"| {row} | " + " | ".join(f"{values[number]:.3f}" for values in columns.values()) + " |", flush=True)
    print()


def main() -> None:
    torch.set_num_threads(1)
    studies = load_studies("laptop", only=["fgsm", "deepfool"])
    errors, lengths = {}, {}
    for name, (study, arm, size) in NETWORKS.items():
        recipe = next(cell.recipe for cell in studies[study].cells if cell.arm == arm)
        given = [attacked(recipe, seed) for seed in SEEDS]
        tried = [(partial(attack, clip=study != "fgsm"), size) for attack in ERRORS.values()]
        tried += [(partial(pgd, steps=50), 1.0)]
        errors[f"{name}, {size:g}"] = [mean(error(each, *attempt) for each in given) for attempt in tried]
        lengths[name] = [mean(rho(each, *attempt) for each in given) for attempt in SMALLEST.values()]
    table(errors, [*ERRORS, "PGD, 50 steps, size 1"])
    table(lengths, list(SMALLEST))


if __name__ == "__main__":
    main()
