"""Impulse noise: salt and pepper, as of bit errors.

"Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (P095). Shares between those of the paper's
CIFAR and ImageNet sets.
"""

import torch
from torch import Tensor

from assay.corruptions import _common

SHARE = (0.02, 0.04, 0.07, 0.11, 0.17)


def impulse_noise(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Set a random share of the values of images (B, C, H, W) to 0 or 1, half each; StudyError for a severity outside 0..5."""
    if severity == 0:
        return images
    half = _common.setting(SHARE, severity) / 2
    numbers = _common.uniform(images, generator, *images.shape[1:])
    return torch.where(numbers < half, 0.0, torch.where(numbers >= 1 - half, 1.0, images))
