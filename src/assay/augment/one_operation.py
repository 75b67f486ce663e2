"""One random simple operation for each image, unmixed: the control for AugMix (augment/augmix)."""

from dataclasses import replace
from typing import Annotated

import torch
from annotated_types import Gt, Le

from assay.augment import _operations
from assay.data.batch import Batch


def one_operation(batch: Batch, generator: torch.Generator, *, severity: Annotated[float, Gt(0.1), Le(10)] = 3.0) -> Batch:
    """Apply to each image (B, C, H, W) one of the nine operations of AugMix at random; severity: its largest strength, of 10."""
    return replace(batch, images=_operations.random_operation(batch.images, severity, generator))
