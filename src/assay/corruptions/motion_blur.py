"""Motion blur: a one-sided Gaussian streak, as of a camera that moved while the shutter was open.

"Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (P095), with the paper's deviations for CIFAR and
for ImageNet by the image's size (see `_common`). For CIFAR its fourth deviation is its third; here it lies between the third and
the last. The streak is cut at three deviations (there at 13 to 41 pixels), and the image is read bilinearly along it.
"""

import torch
from torch import Tensor

from assay.corruptions import _common

SIGMA = (1.0, 1.5, 2.0, 2.25, 2.5), (3.0, 5.0, 8.0, 12.0, 15.0)  # in pixels, of CIFAR and of ImageNet
STEEPEST = 45.0  # degrees from horizontal


def motion_blur(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Blur each of images (B, C, H, W) along a direction drawn within 45 degrees of the x axis.

    Raises StudyError for a severity outside 0..5.
    """
    if severity == 0:
        return images
    sigma = _common.pixels(*SIGMA, severity, images.shape[-1])
    degrees = (2 * _common.uniform(images, generator) - 1) * STEEPEST
    return _common.streak(images, degrees, sigma).clamp(0, 1)
