"""Shot noise: Poisson noise of discrete light.

"Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (P095). Photon counts are between those of the
paper's CIFAR and ImageNet sets if not given; MNIST-C has fewer.
"""

import torch
from torch import Tensor

from assay.corruptions import _common


def shot_noise(
    images: Tensor,
    severity: int,
    generator: torch.Generator,
    *,
    photons: tuple[float, float, float, float, float] = (100.0, 50.0, 25.0, 12.0, 6.0),
) -> Tensor:
    """Replace each value x of images (B, C, H, W) by Poisson(x * photons) / photons, clipped.

    photons: of a value of 1, by severity. Raises StudyError for a severity outside 0..5.
    """
    if severity == 0:
        return images
    count = _common.setting(photons, severity)
    # Contiguous, because the draws follow the order of the values in memory.
    return (torch.poisson(images.contiguous() * count, generator=generator) / count).clamp(0, 1)
