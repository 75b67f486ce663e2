"""Further views of the same samples: the original images passed again through a chain of augmentations.

Two views feed Siamese training, as in "Exploring Simple Siamese Representation Learning" (P232); one more view gives a teacher
its own crop, as in "Knowledge distillation: A good teacher is patient and consistent" (P106).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

import torch
from annotated_types import Ge

from assay.data.batch import Batch
from assay.language.plugs import Plug


def views(
    batch: Batch,
    generator: torch.Generator,
    *,
    of: list[Annotated[Callable, Plug("augment")]],
    count: Annotated[int, Ge(1)] = 2,
) -> Batch:
    """Append `count` tensors (B, C, H, W) to `views`, each made by its own draws from `original`; images and targets stay."""
    made = []
    for _ in range(count):
        view = replace(batch, images=batch.original)
        for augment in of:
            view = augment(view, generator)
        made.append(view.images)
    return replace(batch, views=(*batch.views, *made))
