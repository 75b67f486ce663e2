"""Frost: ice crystals over a dimmed image.

"Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (P095). The paper lays photographs of frost
over the image; here bright ridges of cloudy noise in the pale blue of ice take their place. Weights of image and frost lie
between those of the paper's CIFAR and ImageNet sets; the former's would make the last two severities milder than the third.
"""

import torch
from torch import Tensor

from assay.corruptions import _common

WEIGHTS = ((1.0, 0.25), (0.9, 0.4), (0.8, 0.55), (0.75, 0.65), (0.7, 0.75))  # of the image and of the frost
ICE = (0.85, 0.95, 1.0)
DECAY = 1.3
SHARPNESS = 2


def frost(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Weighted sum of images (B, C, H, W) and random frost, clipped; StudyError for a severity outside 0..5."""
    if severity == 0:
        return images
    own, ice = _common.setting(WEIGHTS, severity)
    sides = _common.cloud_sizes(images)
    numbers = _common.uniform(images, generator, sum(side * side for side in sides))
    cloud = _common.cloud(numbers, sides, DECAY, images.shape[2:])
    ridges = (1 - (2 * cloud - 1).abs()) ** SHARPNESS
    colour = images.new_tensor(ICE if images.shape[1] == len(ICE) else [1.0] * images.shape[1])
    return (own * images + ice * ridges * colour[:, None, None]).clamp(0, 1)
