"""Zoom blur: the mean over a range of enlargements, as of a camera that moved towards the scene.

"Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (P095), with the paper's largest enlargements for
CIFAR and for ImageNet by the image's size (see `_common`). Enlargements are a hundredth apart, as the paper's for CIFAR (for
ImageNet up to three); like the paper's, the mean counts the unenlarged image twice.
"""

import torch
from torch import Tensor

from assay.corruptions import _common

LARGEST = (1.05, 1.1, 1.15, 1.2, 1.25), (1.1, 1.15, 1.2, 1.24, 1.3)  # of CIFAR and of ImageNet
STEP = 0.01


def zoom_blur(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Mean of images (B, C, H, W) and their enlargements up to a largest factor; StudyError for a severity outside 0..5."""
    if severity == 0:
        return images
    largest = _common.at_size(*LARGEST, severity, images.shape[-1])
    steps = round((largest - 1) / STEP)
    factors = [1 + (largest - 1) * k / steps for k in range(steps + 1)]
    return ((images + sum(_common.zoom(images, factor) for factor in factors)) / (steps + 2)).clamp(0, 1)
