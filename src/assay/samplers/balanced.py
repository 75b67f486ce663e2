"""Equal numbers of each class, group or environment in every step.

So small groups come as often as large ones, and an objective that compares environments finds a batch of each in every step
(`Batch.apart`), as "Invariant Risk Minimization", Arjovsky et al. 2019, asks for.
"""

from collections.abc import Sequence
from typing import Annotated

import torch
from annotated_types import MinLen
from torch import Tensor

from assay.data.batch import Epoch
from assay.errors import StudyError
from assay.samplers._passes import passes


def balanced(epoch: Epoch, generator: torch.Generator, *, factors: Annotated[list[str], MinLen(1)]) -> Sequence[Tensor]:
    """The rows of each step, in random order. A group is a combination of values of these factors that occurs; what is left of a
    step that the groups do not divide goes to some of them in turn. StudyError if a step has fewer rows than there are groups."""
    groups = epoch.groups(factors)
    if min(epoch.sizes) < len(groups):
        raise StudyError(
            f"sampler balanced: a step of {min(epoch.sizes)} rows cannot hold {len(groups)} groups of {', '.join(factors)};"
            f" set budget: batch to at least {len(groups)}"
        )
    turns = torch.arange(sum(epoch.sizes), device=generator.device) % len(groups)
    rows = torch.empty_like(turns)
    for number, group in enumerate(groups):
        places = turns == number
        rows[places] = passes(group, int(places.sum()), generator)
    return [part[torch.randperm(len(part), generator=generator, device=part.device)] for part in rows.split(epoch.sizes)]
