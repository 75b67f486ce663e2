"""Each epoch a random part of the rows, drawn anew and gone through as often as an epoch has steps for."""

from collections.abc import Sequence
from typing import Annotated

import torch
from annotated_types import Gt, Le
from torch import Tensor

from assay.data.batch import Epoch
from assay.samplers._passes import passes


def subset(epoch: Epoch, generator: torch.Generator, *, share: Annotated[float, Gt(0), Le(1)]) -> Sequence[Tensor]:
    """The rows of each step. share: of the training split, at least one row."""
    count = len(epoch.split)
    rows = torch.randperm(count, generator=generator, device=generator.device)[: max(1, round(share * count))]
    return passes(rows, sum(epoch.sizes), generator).split(epoch.sizes)
