"""Gaussian noise, as of a sensor in low light.

"Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (P095). Deviations between those of the
paper's CIFAR and ImageNet sets.
"""

import torch
from torch import Tensor

from assay.corruptions import _common

DEVIATION = (0.04, 0.08, 0.12, 0.18, 0.26)


def gaussian_noise(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Add independent normal noise to every value of images (B, C, H, W) and clip to [0, 1].

    Raises StudyError for a severity outside 0..5.
    """
    if severity == 0:
        return images
    deviation = _common.setting(DEVIATION, severity)
    noise = _common.normal(_common.uniform(images, generator, *images.shape[1:]))
    return (images + deviation * noise).clamp(0, 1)
