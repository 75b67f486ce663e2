"""Rows drawn with replacement, each in proportion to the weight of its label or of its value of a factor."""

from collections.abc import Sequence
from typing import Annotated

import torch
from annotated_types import Ge, MinLen
from torch import Tensor

from assay.data.batch import Epoch
from assay.errors import StudyError


def weighted(
    epoch: Epoch,
    generator: torch.Generator,
    *,
    weights: Annotated[list[Annotated[float, Ge(0)]], MinLen(1)],
    factor: str = "label",
) -> Sequence[Tensor]:
    """The rows of each step. weights: of a row with value 0, 1, ... of the factor. StudyError if a value has no weight, or no row
    has one above 0."""
    values = epoch.values(factor)
    least, most = int(values.min()), int(values.max())
    if least < 0 or most >= len(weights):
        raise StudyError(
            f"sampler weighted: weights: {len(weights)} are given for values from 0, and {factor} goes from {least} to {most};"
            " give each value one"
        )
    chances = torch.tensor(weights, dtype=torch.float64, device=values.device)[values]
    if not chances.any():
        raise StudyError(f"sampler weighted: weights: {weights} leave no row of the world; give a value that occurs more than 0")
    return torch.multinomial(chances, sum(epoch.sizes), replacement=True, generator=generator).split(epoch.sizes)
