"""Scaling: the image shrunk about its middle, on black.

"MNIST-C: A Robustness Benchmark for Computer Vision" (P090), with its factors (MNIST-C itself: the third).
"""

import torch
from torch import Tensor

from assay.corruptions import _common, _digits

FACTOR = (0.9, 0.8, 0.7, 0.6, 0.5)


def scale(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Shrink images (B, C, H, W) to a share of their side; StudyError for a severity outside 0..5."""
    if severity == 0:
        return images
    matrix = torch.eye(2, device=images.device, dtype=images.dtype) / _common.setting(FACTOR, severity)
    return _digits.read_through(images, matrix.expand(len(images), -1, -1)).clamp(0, 1)
