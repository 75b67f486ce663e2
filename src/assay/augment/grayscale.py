"""Random grey: with a probability an image loses its colour.

Part of the two-view recipe of "Exploring Simple Siamese Representation Learning" (P232), with probability 0.2.
"""

from dataclasses import replace
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor

from assay.augment import _draws
from assay.data.batch import Batch

LUMA = (0.2989, 0.587, 0.114)  # ITU-R BT.601


def grayscale(batch: Batch, generator: torch.Generator, *, probability: Annotated[float, Ge(0), Le(1)] = 0.2) -> Batch:
    """Images (B, C, H, W) of which a share has all channels equal to the luma; one-channel images stay as they are."""
    chosen = _draws.uniform(0, 1, len(batch), generator) < probability
    return replace(batch, images=torch.where(chosen[:, None, None, None], grey(batch.images), batch.images))


def grey(images: Tensor) -> Tensor:
    """The luma of RGB images in one channel (B, 1, H, W); grey images are their own."""
    if images.shape[1] == 1:
        return images
    weights = torch.tensor(LUMA, device=images.device, dtype=images.dtype)
    return (images * weights[None, :, None, None]).sum(1, keepdim=True)
