"""Snow: bright streaked flakes over a whitened image.

"Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (P095). The strengths are near the paper's for
CIFAR, in which a step may do less than the one before; here flakes get denser at every step, their streaks are shares of the
side between those of the paper's CIFAR and ImageNet sets, and whitening rises evenly, likewise between.
"""

import torch
from torch import Tensor

from assay.corruptions import _common

# mean and deviation of the flakes' brightness, their enlargement, the brightness below which there is none,
# the streaks' sigma in image sides, and how much of the image is whitened
STRENGTH = (
    (0.1, 0.2, 1.0, 0.6, 0.03, 0.05),
    (0.1, 0.25, 1.0, 0.5, 0.05, 0.1),
    (0.15, 0.3, 1.75, 0.5, 0.05, 0.15),
    (0.25, 0.3, 1.75, 0.5, 0.06, 0.2),
    (0.3, 0.35, 1.75, 0.45, 0.08, 0.25),
)
GREY = (0.299, 0.587, 0.114)


def snow(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Add falling flakes to images (B, C, H, W) and whiten them; StudyError for a severity outside 0..5."""
    if severity == 0:
        return images
    flakes, white = fallen(images, severity, generator)
    return covered(images, flakes, white)


def fallen(images: Tensor, severity: int, generator: torch.Generator) -> tuple[Tensor, float]:
    """Flakes (B, 1, H, W) drawn for each image, and the share by which images are whitened under them."""
    mean, deviation, enlargement, threshold, streak, white = _common.setting(STRENGTH, severity)
    height, width = images.shape[2:]
    numbers = _common.uniform(images, generator, height * width + 1)
    flakes = mean + deviation * _common.normal(numbers[:, 1:]).reshape(-1, 1, height, width)
    flakes = _common.zoom(flakes, enlargement)
    flakes = torch.where(flakes < threshold, 0.0, flakes).clamp(0, 1)
    return _common.streak(flakes, 45 + 90 * numbers[:, 0], streak * width), white


def covered(images: Tensor, flakes: Tensor, white: float) -> Tensor:
    """Images (B, C, H, W) whitened by the share `white`, with the flakes, and again upside down, over them."""
    whitened = torch.maximum(images, grey(images) * 1.5 + 0.5)
    return ((1 - white) * images + white * whitened + flakes + flakes.rot90(2, (2, 3))).clamp(0, 1)


def grey(images: Tensor) -> Tensor:
    """(B, 1, H, W) luma of colour images, the mean over channels of others."""
    if images.shape[1] != len(GREY):
        return images.mean(1, keepdim=True)
    return (images * images.new_tensor(GREY)[:, None, None]).sum(1, keepdim=True)
