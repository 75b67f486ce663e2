"""Cutout: a square of each image set to the mean colour.

"Improved Regularization of Convolutional Neural Networks with Cutout", DeVries and Taylor 2017; one of the regularisers of "An
Empirical Evaluation on Robustness and Uncertainty of Regularization Methods" (P238). The square's middle is any pixel, so
parts of it may stick out of the image. The paper sets normalised images to 0, the mean over the data; here it is that
over the batch.
"""

from dataclasses import replace
from typing import Annotated

import torch
from annotated_types import Gt, Le

from assay.augment import _draws
from assay.data.batch import Batch


def cutout(batch: Batch, generator: torch.Generator, *, share: Annotated[float, Gt(0), Le(1)] = 0.5) -> Batch:
    """Blank one square of `share` times the side of each of images (B, C, H, W), at least a pixel.

    The paper's squares: a half of the side for CIFAR-10, a quarter for CIFAR-100.
    """
    side = batch.images.shape[-1]
    length = max(1, round(share * side))
    pixels = torch.arange(side, device=batch.images.device)
    rows, columns = (covered(_draws.integers(0, side, len(batch), generator), length, pixels) for _ in range(2))
    blank = (rows[:, :, None] & columns[:, None, :])[:, None]
    return replace(batch, images=torch.where(blank, batch.images.mean((0, 2, 3), keepdim=True), batch.images))


def covered(middles: torch.Tensor, length: int, pixels: torch.Tensor) -> torch.Tensor:
    """(B, side) whether each pixel lies among the `length` ones about a middle (B,)."""
    starts = middles[:, None] - length // 2
    return (pixels >= starts) & (pixels < starts + length)
