"""Where and how a training runs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch

from assay.errors import TrainingError
from assay.language.recipes import Recipe
from assay.training.distributed import ALONE, Group
from assay.training.network import Trained
from assay.training.precision import FLOAT32


def no_parents(recipe: Recipe) -> Trained:
    """Raises TrainingError: what a setting loads parents with, unless it is given more."""
    raise TrainingError(f"{recipe.name}: needed as a parent, but this training was given no way to load networks")


@dataclass(frozen=True)
class Setting:
    """Where and how a training runs. On one platform, with one number of processes and in one precision, none of it changes the
    result.

    precision: "float32", or "bfloat16" for autocast. load_parent: gives the trained network of a parent recipe at this seed.
    checkpoint: file to resume from if it was made with the same code, written after the first step that ends checkpoint_seconds
    after the last writing. stop: asked after each step whether to write the checkpoint and raise PreemptedError. group: the
    processes that train together, of which this is one. report: called after each epoch with (epochs done, epochs in all, mean
    loss). say: takes lines for the log.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    precision: str = FLOAT32
    load_parent: Callable[[Recipe], Trained] = no_parents
    checkpoint: Path | None = None
    checkpoint_seconds: float = 300.0
    code: str = ""
    stop: Callable[[], bool] = lambda: False
    group: Group = ALONE
    report: Callable[[int, int, float], None] = lambda done, total, loss: None
    say: Callable[[str], None] = lambda line: None
