"""Random horizontal flip of each image with probability one half."""

from dataclasses import replace

import torch

from assay.augment import _draws
from assay.data.batch import Batch


def flip(batch: Batch, generator: torch.Generator) -> Batch:
    """Mirror each image (B, C, H, W) left to right with probability 0.5."""
    mirrored = _draws.signs(len(batch), generator) > 0
    return replace(batch, images=torch.where(mirrored[:, None, None, None], batch.images.flip(-1), batch.images))
