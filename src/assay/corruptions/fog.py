"""Fog: a bright cloud over the image, which loses contrast.

"Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (P095), with the paper's strengths if none
are given. The
cloud sums random grids of halving size instead of the paper's diamond-square construction; both halve the scale and divide
the strength by `decay` at each step.
"""

import torch
from torch import Tensor

from assay.corruptions import _common


def fog(
    images: Tensor,
    severity: int,
    generator: torch.Generator,
    *,
    thickness: tuple[float, float, float, float, float] = (0.2, 0.5, 0.75, 1.0, 1.5),
    decay: tuple[float, float, float, float, float] = (3.0, 3.0, 2.5, 2.0, 1.75),
) -> Tensor:
    """Add a cloud to images (B, C, H, W) and scale back to their own maximum.

    thickness: of the cloud, by severity. decay: how much weaker each finer grid of it is. Raises StudyError for a severity
    outside 0..5.
    """
    if severity == 0:
        return images
    thick, fading = _common.setting(thickness, severity), _common.setting(decay, severity)
    sides = _common.cloud_sizes(images)
    numbers = _common.uniform(images, generator, sum(side * side for side in sides))
    cloud = _common.cloud(numbers, sides, fading, images.shape[2:])
    largest = images.amax((1, 2, 3), keepdim=True)
    return ((images + thick * cloud) * largest / (largest + thick)).clamp(0, 1)
