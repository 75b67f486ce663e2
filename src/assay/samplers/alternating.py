"""One environment a step: all rows of a step have the same value of a factor."""

from collections.abc import Sequence

import torch
from torch import Tensor

from assay.data.batch import Epoch
from assay.samplers._passes import passes


def alternating(epoch: Epoch, generator: torch.Generator, *, factor: str) -> Sequence[Tensor]:
    """The rows of each step. Environments come in passes, each in an order of its own, and so do the rows of each."""
    groups = epoch.groups([factor])
    turns = passes(torch.arange(len(groups), device=generator.device), len(epoch.sizes), generator).tolist()
    parts: dict[int, Tensor] = {}
    for number in sorted(set(turns)):
        steps = [step for step, turn in enumerate(turns) if turn == number]
        sizes = [epoch.sizes[step] for step in steps]
        parts.update(zip(steps, passes(groups[number], sum(sizes), generator).split(sizes), strict=True))
    return [parts[step] for step in range(len(turns))]
