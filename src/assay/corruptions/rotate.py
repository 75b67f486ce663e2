"""Rotation about the image's middle.

"MNIST-C: A Robustness Benchmark for Computer Vision" (P090), with its angles (MNIST-C itself: the second). Black moves in at
the edges.
"""

import torch
from torch import Tensor

from assay.corruptions import _common, _digits

ANGLE = (0.2, 0.4, 0.6, 0.8, 1.0)  # radians


def rotate(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Turn images (B, C, H, W) about their middle to a side drawn for each; StudyError for a severity outside 0..5."""
    if severity == 0:
        return images
    angle = _digits.signs(_common.uniform(images, generator)) * _common.setting(ANGLE, severity)
    matrices = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], dim=1).unflatten(1, (2, 2))
    return _digits.read_through(images, matrices).clamp(0, 1)
