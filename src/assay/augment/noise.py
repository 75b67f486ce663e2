"""Noise: normal noise on every training image, with a strength drawn for each.

Training on one kind of corruption, the first remedy one thinks of; "MNIST-C: A Robustness Benchmark for Computer Vision" lets
one ask whether it carries over to others.
"""

from dataclasses import replace
from typing import Annotated

import torch
from annotated_types import Gt, Le

from assay.augment import _draws
from assay.data.batch import Batch


def noise(batch: Batch, generator: torch.Generator, *, deviation: Annotated[float, Gt(0), Le(1)] = 0.3) -> Batch:
    """Add normal noise to images (B, C, H, W) and clip to [0, 1].

    deviation: the largest, in the [0, 1] pixel range; that of each image is drawn uniformly below it.
    """
    images = batch.images
    strength = _draws.uniform(0, deviation, len(batch), generator)[:, None, None, None]
    drawn = torch.randn(images.shape, generator=generator, device=generator.device)
    return replace(batch, images=(images + strength * drawn).clamp(0, 1))
