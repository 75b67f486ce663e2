"""Stripe: the image inverted at its left and at its right, so that a stripe of it is left.

"MNIST-C: A Robustness Benchmark for Computer Vision" (P090), whose outer quarters are inverted; other strengths, which MNIST-C
does not have, invert less or more.
"""

import torch
from torch import Tensor

from assay.corruptions import _common

SHARE = (1 / 16, 2 / 16, 3 / 16, 4 / 16, 5 / 16)  # of the columns that are inverted on each side


def stripe(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Invert outer columns of images (B, C, H, W), at least one a side; StudyError for a severity outside 0..5."""
    if severity == 0:
        return images
    width = images.shape[-1]
    reach = max(1, round(_common.setting(SHARE, severity) * width))
    columns = torch.arange(width, device=images.device)
    return torch.where((columns < reach) | (columns >= width - reach), 1 - images, images)
