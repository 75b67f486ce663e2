"""What training costs: repetitions together against one at a time, and the trainer against the shortest loop by hand.

    .venv/bin/python bench/bars/training.py          a list of bars in JSON; progress on stderr

All in one process with one thread, core seconds; the median of the rounds' ratios. Repetition by repetition the trainer and the
loop by hand take turns, and who begins changes, so that what else the machine does meets both.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F

from assay.data.batch import TensorWorld, to_tensors
from assay.language.recipes import Recipe
from assay.networks.jobs import pin_threads
from assay.networks.memory import keep_freed_memory
from assay.training.beginnings import build, make_world
from assay.training.setting import Setting
from assay.training.together import train_together
from assay.training.trainer import train

SEEDS, ROUNDS = range(5), 7
SHAPES = {"plug": "worlds/shapes", "parameters": {"size": 16, "train": 1536, "test": 16}}
DIGITS = {"plug": "worlds/digits", "parameters": {"size": 16, "train": 1200, "test": 64}}
SGD = {"plug": "optimizers/sgd", "parameters": {"lr": 0.1}}
ADAM = {"plug": "optimizers/adam", "parameters": {"lr": 0.001}}
# As studies use them at the scale laptop: world, parameters of the model, optimizer, images a step, epochs for this measurement.
NETWORKS = {
    "resnet": (SHAPES, {"width": 8, "blocks": 1}, SGD, 64, 1),
    "convnet": (DIGITS, {"width": 16, "dense": 128, "kernel": 3}, ADAM, 32, 2),
    "mlp": (DIGITS, {"width": 128, "hidden": 2}, SGD, 64, 8),
    "vit": (SHAPES, {"patch": 4, "width": 48, "depth": 2, "heads": 3}, ADAM, 64, 1),
}
BY_HAND = ("resnet", "vit", "convnet")


def recipe(name: str) -> Recipe:
    """The recipe of this model."""
    world, parameters, optimizer, batch, epochs = NETWORKS[name]
    return Recipe(
        {
            "world": world,
            "model": {"plug": f"models/{name}", "parameters": parameters},
            "augment": [],
            "objective": {"plug": "objectives/cross_entropy", "parameters": {}},
            "optimizer": optimizer,
            "schedule": {"plug": "schedules/cosine", "parameters": {}},
            "budget": {"epochs": epochs, "batch": batch},
            "start": None,
            "surgery": [],
            "record": [],
            "draws": {"world": 0, "init": 0, "order": 0, "augment": 0},
        }
    )


def by_hand(asked: Recipe, world: TensorWorld) -> None:
    """The shortest loop that trains such a network: no schedule, no records, nothing that is checked."""
    images, labels = world.train.images, world.train.labels
    network = build(asked, images.shape[1], len(world.classes), images.shape[-1]).train()
    lr = asked.data["optimizer"]["parameters"]["lr"]
    if asked.data["optimizer"]["plug"] == "optimizers/adam":
        optimizer = torch.optim.AdamW(network.parameters(), lr=lr, weight_decay=0.0, foreach=True)
    else:
        optimizer = torch.optim.SGD(network.parameters(), lr=lr, momentum=0.9, nesterov=True, weight_decay=5e-4, foreach=True)
    parts = max(1, len(labels) // asked.data["budget"]["batch"])
    for _ in range(asked.data["budget"]["epochs"]):
        for rows in torch.tensor_split(torch.randperm(len(labels)), parts):
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(network(images[rows]), labels[rows]).backward()
            optimizer.step()


def core_seconds(task: Callable[..., object], *given: object) -> float:
    """What a call costs this process."""
    started = time.process_time()
    task(*given)
    return time.process_time() - started


def in_turns(asked: Recipe) -> dict[str, list[float]]:
    """Core seconds of each side in each round, after a round that is not counted."""
    worlds = [to_tensors(make_world(asked, seed), torch.device("cpu")) for seed in SEEDS]
    rounds = [_round(asked, worlds, number) for number in range(ROUNDS + 1)]
    return {side: [each[side] for each in rounds[1:]] for side in rounds[0]}


def _round(asked: Recipe, worlds: list[TensorWorld], number: int) -> dict[str, float]:
    sides = {
        "one at a time": lambda seed, world: train(asked, seed, Setting(), world),
        "by hand": lambda seed, world: by_hand(asked, world),
    }
    spent = dict.fromkeys(sides, 0.0)
    for seed, world in zip(SEEDS, worlds, strict=True):
        for side in sorted(sides, reverse=(number + seed) % 2 == 0):
            spent[side] += core_seconds(sides[side], seed, world)
    together = core_seconds(train_together, asked, SEEDS, [Setting()] * len(SEEDS), worlds)
    return spent | {"together": together}


def bar(name: str, value: float, limit: float, measured: dict[str, list[float]], how: str) -> dict:
    """One bar as the runner wants it."""
    print(f"{name}: {value:.2f} (at least {limit})", file=sys.stderr)
    medians = {side: round(statistics.median(values), 3) for side, values in measured.items()}
    common = {"sense": "at least", "measured": medians, "unit": "core-s"}
    return {"name": name, "value": round(value, 3), "limit": limit, **common, "how": how}


def main() -> None:
    """Measure all bars."""
    keep_freed_memory()
    pin_threads(1)
    bars = []
    for name in NETWORKS:
        asked = recipe(name)
        spent = in_turns(asked)
        together, alone, hand = (spent[side] for side in ("together", "one at a time", "by hand"))
        sides = {"one at a time": alone, "together": together}
        ratio = statistics.median(a / b for a, b in zip(alone, together, strict=True))
        how = "five repetitions in one network against the trainer one at a time, in turns in one process"
        bars.append(bar(f"five repetitions of a {name} together, times as fast as one at a time", ratio, 1.4, sides, how))
        if name in BY_HAND:
            for kind, own in (("together, as a run trains them", together), ("one at a time", alone)):
                ratio = statistics.median(h / o for h, o in zip(hand, own, strict=True))
                how = "images a second of five trainings, the trainer's over those of a loop written out by hand, in turns"
                bars.append(
                    bar(f"trainer of a {name}, {kind}, over a loop by hand", ratio, 0.95, {"by hand": hand, kind: own}, how)
                )
    print(json.dumps(bars, indent=1))


if __name__ == "__main__":
    main()
