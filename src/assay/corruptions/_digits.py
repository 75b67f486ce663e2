"""What the corruptions of MNIST-C share: affine maps about the middle on a black ground, and lines drawn on a grid of 28 px.

"MNIST-C: A Robustness Benchmark for Computer Vision" (P090). Its lengths, made for 28 px, are shares of the side here.
"""

import math

import torch
from torch import Tensor

from assay.corruptions import _common

GRID = 28  # pixels a side of MNIST
FADE = 2.3  # how far from a line, in 28ths, the logarithm of its profile would diverge


def signs(numbers: Tensor) -> Tensor:
    """-1 or 1 for uniform numbers in [0, 1)."""
    return 2.0 * (numbers < 0.5) - 1


def read_through(images: Tensor, matrices: Tensor, shift: Tensor | None = None) -> Tensor:
    """Images (B, C, H, W) read bilinearly at matrix @ position + shift, in pixels from the middle; black beyond the edges.

    matrices: (B, 2, 2) on (x, y); shift: (B, 2).
    """
    x, y = _common.positions(images)
    middle = torch.stack([x.new_tensor((images.shape[-1] - 1) / 2), x.new_tensor((images.shape[-2] - 1) / 2)])
    centred = torch.stack([x, y], dim=-1) - middle
    read = torch.einsum("bij,hwj->bhwi", matrices, centred) + middle
    if shift is not None:
        read = read + shift[:, None, None]
    return _common.sample(images, read[..., 0], read[..., 1], beyond="zeros")


def lines(images: Tensor, starts: Tensor, ends: Tensor) -> Tensor:
    """(B, 1, H, W) light in [0, 1] of segments from starts to ends (B, S, 2), each further right than its start.

    Points are (column, row) on a grid of 28 x 28 pixels whose first centre is (0, 0). At a vertical distance d from the
    line, in 28ths, light is log(1 - d / 2.3) + 1; it fills the columns from the start's, rounded down, to before the end's,
    rounded up. Segments add up.
    """
    x, y = _common.positions(images)
    x, y = GRID * (x + 0.5) / images.shape[-1] - 0.5, GRID * (y + 0.5) / images.shape[-2] - 0.5
    starts, ends = starts[:, :, None, None], ends[:, :, None, None]
    slope = (ends[..., 1] - starts[..., 1]) / (ends[..., 0] - starts[..., 0])
    distance = (y - starts[..., 1] - slope * (x - starts[..., 0])).abs()
    light = ((1 - distance / FADE).clamp_min(math.exp(-1)).log() + 1).clamp(0, 1)
    inside = (x >= starts[..., 0].floor()) & (x < ends[..., 0].ceil())
    return (light * inside).sum(1, keepdim=True).clamp(max=1)
