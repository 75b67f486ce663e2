"""Defocus blur: an image spread over the disk of an open aperture.

"Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (P095). Radii are shares of the image's side.
"""

import math

import torch
from torch import Tensor

from assay.corruptions import _common

RADIUS = (0.045, 0.06, 0.08, 0.105, 0.135)  # in image sides
SUBSAMPLES = 8  # a side of each pixel, to weigh the pixels on the disk's rim


def defocus_blur(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Convolve images (B, C, H, W) with an anti-aliased disk, mirrored at the edges; StudyError for a severity outside 0..5."""
    if severity == 0:
        return images
    radius = _common.setting(RADIUS, severity) * images.shape[-1]
    return _common.convolve(images, disk(radius).to(images)).clamp(0, 1)


def disk(radius: float) -> Tensor:
    """Kernel with an odd side that covers the disk; each pixel weighs its area inside, and the sum is 1."""
    reach = math.ceil(radius - 0.5)
    fine = (torch.arange((2 * reach + 1) * SUBSAMPLES) + 0.5) / SUBSAMPLES - reach - 0.5
    inside = (fine[:, None] ** 2 + fine[None, :] ** 2 <= radius**2).float()
    cells = inside.unflatten(0, (-1, SUBSAMPLES)).unflatten(2, (-1, SUBSAMPLES)).mean((1, 3))
    return cells / cells.sum()
