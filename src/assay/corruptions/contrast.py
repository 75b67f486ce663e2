"""Contrast: every image drawn towards its mean colour.

"Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (P095), with the paper's strengths for CIFAR.
"""

import torch
from torch import Tensor

from assay.corruptions import _common

FACTOR = (0.75, 0.5, 0.4, 0.3, 0.15)


def contrast(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Scale the deviations of images (B, C, H, W) from each channel's mean; StudyError for a severity outside 0..5."""
    if severity == 0:
        return images
    mean = images.mean((2, 3), keepdim=True)
    return (mean + _common.setting(FACTOR, severity) * (images - mean)).clamp(0, 1)
