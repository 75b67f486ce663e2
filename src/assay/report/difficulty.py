"""How hard each world is, as bench/difficulty.py measured it: test accuracy of five learners beside what guessing reaches."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from assay.errors import EvidenceError
from assay.storage.places import PROJECT

TABLE = PROJECT / "docs" / "data" / "difficulty.csv"
COLUMNS = ("world", "image", "train", "test", "classes", "chance", "learner", "epochs", "seed", "accuracy")
AGAIN = "python bench/difficulty.py"
LEARNERS = {
    "resnet": "ResNet",
    "vit": "ViT",
    "mlp": "MLP",
    "linear": "linear",
    "nearest": "nearest",
}


@dataclass(frozen=True)
class Score:
    """One learner's mean accuracy over repetitions, the lowest and highest of them, how many, and epochs if it has any."""

    mean: float
    low: float
    high: float
    repetitions: int
    epochs: int | None


@dataclass(frozen=True)
class Difficulty:
    """A world's rows: its sizes, what always naming the most frequent class reaches, and each learner's accuracy."""

    world: str
    image: tuple[int, ...]
    train: int
    test: int
    classes: int
    chance: float
    scores: dict[str, Score]


def read_difficulties(path: Path = TABLE) -> dict[str, Difficulty]:
    """The table by world; EvidenceError with the command that makes it if it is missing or is not such a table."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        if not rows:
            raise ValueError("no rows")
        worlds: dict[str, list[dict[str, str]]] = {}
        for row in rows:
            worlds.setdefault(row["world"], []).append(row)
        return {name: _difficulty(name, members) for name, members in worlds.items()}
    except OSError:
        raise EvidenceError(f"{path}: does not exist; get it back with git, or make it with {AGAIN}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise EvidenceError(
            f"{path}: is no table of accuracies ({error!r}); get it back with git, or make it with {AGAIN}"
        ) from None


def _difficulty(name: str, rows: list[dict[str, str]]) -> Difficulty:
    found: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        found.setdefault(row["learner"], []).append(row)
    first = rows[0]
    return Difficulty(
        world=name,
        image=tuple(int(side) for side in first["image"].split("x")),
        train=int(first["train"]),
        test=int(first["test"]),
        classes=int(first["classes"]),
        chance=mean({row["seed"]: float(row["chance"]) for row in rows}.values()),
        scores={learner: _score(found[learner]) for learner in LEARNERS if learner in found},
    )


def _score(rows: list[dict[str, str]]) -> Score:
    values = [float(row["accuracy"]) for row in rows]
    return Score(mean(values), min(values), max(values), len(values), int(rows[0]["epochs"]) if rows[0]["epochs"] else None)


def effort(difficulties: Iterable[Difficulty]) -> dict[str, tuple[int, int | None]]:
    """Trainings behind each learner's numbers, and their epochs."""
    return {learner: (score.repetitions, score.epochs) for row in difficulties for learner, score in row.scores.items()}


def as_markdown(difficulties: dict[str, Difficulty]) -> str:
    """The table of docs/worlds.md: lowest and highest repetition of each learner."""
    head = ["world", "images", "classes", "chance", *LEARNERS.values()]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row in difficulties.values():
        sizes = f"{row.train:,} of {' × '.join(map(str, row.image))}"
        scores = [_written(row.scores.get(learner)) for learner in LEARNERS]
        lines.append(f"| {row.world} | {sizes} | {row.classes} | {row.chance:.2f} | {' | '.join(scores)} |")
    return "\n".join(lines) + "\n"


def _written(score: Score | None) -> str:
    if score is None:
        return "-"
    return f"{score.mean:.2f}" + (f" ({score.low:.2f} to {score.high:.2f})" if score.repetitions > 1 else "")
