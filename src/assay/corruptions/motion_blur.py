"""Motion blur: a one-sided Gaussian streak, as of a camera that moved while the shutter was open.

"Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (P095). Lengths are shares of the image's side.
"""

import torch
from torch import Tensor

from assay.corruptions import _common

SIGMA = (0.05, 0.075, 0.105, 0.14, 0.18)  # in image sides
STEEPEST = 45.0  # degrees from horizontal


def motion_blur(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Blur each of images (B, C, H, W) along a direction drawn within 45 degrees of the x axis.

    Raises StudyError for a severity outside 0..5.
    """
    if severity == 0:
        return images
    sigma = _common.setting(SIGMA, severity) * images.shape[-1]
    degrees = (2 * _common.uniform(images, generator) - 1) * STEEPEST
    return _common.streak(images, degrees, sigma).clamp(0, 1)
