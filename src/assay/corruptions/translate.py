"""Translation along a diagonal.

"MNIST-C: A Robustness Benchmark for Computer Vision" (P090), with its distances (MNIST-C itself: the third). Black moves in at
the edges.
"""

import torch
from torch import Tensor

from assay.corruptions import _common, _digits

DISTANCE = (1 / 28, 2 / 28, 3 / 28, 4 / 28, 5 / 28)  # along each axis, in image sides


def translate(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Move images (B, C, H, W) left or right and up or down as drawn for each; StudyError for a severity outside 0..5."""
    if severity == 0:
        return images
    shift = _digits.signs(_common.uniform(images, generator, 2)) * _common.setting(DISTANCE, severity) * images.shape[-1]
    unturned = torch.eye(2, device=images.device, dtype=images.dtype).expand(len(images), -1, -1)
    return _digits.read_through(images, unturned, shift).clamp(0, 1)
