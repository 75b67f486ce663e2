"""Dotted line: a line of dots from the left edge to the right.

"MNIST-C: A Robustness Benchmark for Computer Vision" (P090), in which the line has one strength, the strongest here; weaker ones
are fainter. The line begins and ends in rows drawn uniformly, and every other pair of 28 columns is left out.
"""

import torch
from torch import Tensor

from assay.corruptions import _common, _digits

OPACITY = (0.2, 0.4, 0.6, 0.8, 1.0)
LAST = 27  # column where the line ends, and number of rows it may begin and end in


def dotted_line(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Add a line of dots to images (B, C, H, W), clipped; StudyError for a severity outside 0..5."""
    if severity == 0:
        return images
    rows = (_common.uniform(images, generator, 2) * LAST).floor()
    starts = torch.stack([torch.zeros_like(rows[:, 0]), rows[:, 0]], dim=1)[:, None]
    ends = torch.stack([torch.full_like(rows[:, 1], LAST), rows[:, 1]], dim=1)[:, None]
    width = images.shape[-1]
    pair = ((torch.arange(width, device=images.device) + 0.5) * _digits.GRID / width / 2).long()
    line = _digits.lines(images, starts, ends) * (pair % 2)
    return (images + _common.setting(OPACITY, severity) * line).clamp(0, 1)
