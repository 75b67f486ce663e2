"""Shear: rows shifted against one another, the more the further from the middle.

"MNIST-C: A Robustness Benchmark for Computer Vision" (P090), with its angles (MNIST-C itself: the second): the y axis along
which the image is read leans by the angle and keeps its length. Black moves in at the edges.
"""

import torch
from torch import Tensor

from assay.corruptions import _common, _digits

ANGLE = (0.2, 0.4, 0.6, 0.8, 1.0)  # radians


def shear(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Shear images (B, C, H, W) about their middle to a side drawn for each; StudyError for a severity outside 0..5."""
    if severity == 0:
        return images
    angle = _digits.signs(_common.uniform(images, generator)) * _common.setting(ANGLE, severity)
    one, none = torch.ones_like(angle), torch.zeros_like(angle)
    matrices = torch.stack([one, -angle.sin(), none, angle.cos()], dim=1).unflatten(1, (2, 2))
    return _digits.read_through(images, matrices).clamp(0, 1)
