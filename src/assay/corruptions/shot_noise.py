"""Shot noise: Poisson noise of discrete light.

"Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (P095). Photon counts between those of the
paper's CIFAR and ImageNet sets.
"""

import torch
from torch import Tensor

from assay.corruptions import _common

PHOTONS = (100.0, 50.0, 25.0, 12.0, 6.0)


def shot_noise(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Replace each value x of images (B, C, H, W) by Poisson(x * photons) / photons, clipped.

    Raises StudyError for a severity outside 0..5.
    """
    if severity == 0:
        return images
    photons = _common.setting(PHOTONS, severity)
    # Contiguous, because the draws follow the order of the values in memory.
    return (torch.poisson(images.contiguous() * photons, generator=generator) / photons).clamp(0, 1)
