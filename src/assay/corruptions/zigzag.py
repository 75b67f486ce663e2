"""Zigzag: a zigzag line from left to right, nearly level.

"MNIST-C: A Robustness Benchmark for Computer Vision" (P090), in which the line has one strength, the strongest here; weaker ones
are fainter. It runs about a straight line whose rows are drawn uniformly at its left end and within five more at its right,
crosses it every 4 of 28 pixels, reaches 2 pixels to either side, and ends on it.
"""

import torch
from torch import Tensor

from assay.corruptions import _common, _digits

OPACITY = (0.2, 0.4, 0.6, 0.8, 1.0)
LEFT, RIGHT = 2.0, 25.0  # columns of the ends, of 28
ROWS, LEAN = 27, 5  # rows the left end may lie in, and how far off the right one may be
TURNS = (2.0, 6.0, 10.0, 14.0, 18.0, 22.0)  # along the straight line, in 28ths
REACH = 2.0  # from the straight line


def zigzag(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Add a zigzag to images (B, C, H, W), clipped; StudyError for a severity outside 0..5."""
    if severity == 0:
        return images
    numbers = _common.uniform(images, generator, 2)
    row = (numbers[:, 0] * ROWS).floor()
    lean = (numbers[:, 1] * 2 * LEAN).floor() - LEAN
    points = corners(row, lean)
    line = _digits.lines(images, points[:, :-1], points[:, 1:])
    return (images + _common.setting(OPACITY, severity) * line).clamp(0, 1)


def corners(row: Tensor, lean: Tensor) -> Tensor:
    """(B, 8, 2) columns and rows of the zigzags' ends and turns, for straight lines from a row down by `lean` rows, both (B,)."""
    across = RIGHT - LEFT
    length = (across**2 + lean**2).sqrt()
    along = torch.stack([torch.zeros_like(row), *(torch.full_like(row, turn) for turn in TURNS), length], dim=1)
    aside = row.new_tensor([0.0, *(REACH * (-1) ** number for number in range(len(TURNS))), 0.0])
    cosine, sine = (across / length)[:, None], (lean / length)[:, None]
    return torch.stack([LEFT + along * cosine - aside * sine, row[:, None] + along * sine + aside * cosine], dim=-1)
