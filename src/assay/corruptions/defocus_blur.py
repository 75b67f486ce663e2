"""Defocus blur: an image spread over the disk of an open aperture.

"Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (P095), with the paper's radii for CIFAR and for
ImageNet by the image's size (see `_common`). As there, the disk is the pixels whose centre lies in it, softened by a Gaussian 3
pixels wide (5 beyond a radius of 8); at CIFAR's mildest severities, whose disk is one pixel, that is all the blur there is.
"""

import math

import torch
from torch import Tensor

from assay.corruptions import _common

RADIUS = (0.3, 0.4, 0.5, 1.0, 1.5), (3.0, 4.0, 6.0, 8.0, 10.0)  # in pixels, of CIFAR and of ImageNet
SOFTNESS = (0.4, 0.5, 0.6, 0.2, 0.1), (0.1, 0.5, 0.5, 0.5, 0.5)  # sigma in pixels
LARGE = 8.0  # radius beyond which the softening is wider


def defocus_blur(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Convolve images (B, C, H, W) with a softened disk, mirrored at the edges; StudyError for a severity outside 0..5."""
    if severity == 0:
        return images
    side = images.shape[-1]
    radius = _common.pixels(*RADIUS, severity, side)
    return _common.convolve(images, disk(radius, _common.at_size(*SOFTNESS, severity, side)).to(images)).clamp(0, 1)


def disk(radius: float, sigma: float) -> Tensor:
    """Kernel with an odd side whose sum is 1: the pixels within the radius, through a Gaussian of so many pixels' sigma."""
    reach = 1 if radius <= LARGE else 2
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float64)
    soft = (-(offsets**2) / (2 * sigma**2)).exp()
    whole = math.floor(radius)
    place = torch.arange(-whole, whole + 1, dtype=torch.float64)
    inside = (place[:, None] ** 2 + place**2 <= radius**2).double()
    kernel = torch.conv2d(inside[None, None], (soft[:, None] * soft)[None, None], padding=2 * reach)[0, 0]
    return kernel / kernel.sum()
