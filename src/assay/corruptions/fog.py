"""Fog: a bright cloud over the image, which loses contrast.

"Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (P095), with the paper's strengths. The
cloud sums random grids of halving size instead of the paper's diamond-square construction; both halve the scale and divide
the strength by `decay` at each step.
"""

import torch
from torch import Tensor

from assay.corruptions import _common

STRENGTH = ((0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75))  # thickness and decay


def fog(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Add a cloud to images (B, C, H, W) and scale back to their own maximum; StudyError for a severity outside 0..5."""
    if severity == 0:
        return images
    thickness, decay = _common.setting(STRENGTH, severity)
    sides = _common.cloud_sizes(images)
    numbers = _common.uniform(images, generator, sum(side * side for side in sides))
    cloud = _common.cloud(numbers, sides, decay, images.shape[2:])
    largest = images.amax((1, 2, 3), keepdim=True)
    return ((images + thickness * cloud) * largest / (largest + thickness)).clamp(0, 1)
