"""Random resized crop ("inception crop"): cut out a random share of the image at a random aspect ratio and enlarge it.

"Going Deeper with Convolutions", Szegedy et al. 2015. The augmentation that makes the views of "Exploring Simple Siamese
Representation Learning" (P232) and of "Knowledge distillation: A good teacher is patient and consistent" (P106). Deviations
from torchvision: boxes are real-valued instead of whole pixels, which matters at 16 px; a box that does not fit is shortened to
the image instead of drawn again.
"""

import math
from dataclasses import replace
from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Gt, Le
from torch import Tensor

from assay.augment import _draws
from assay.data.batch import Batch
from assay.errors import StudyError

RATIO = (3 / 4, 4 / 3)  # width over height, drawn uniformly in its logarithm


def resized_crop(
    batch: Batch,
    generator: torch.Generator,
    *,
    smallest: Annotated[float, Gt(0), Le(1)] = 0.2,
    largest: Annotated[float, Gt(0), Le(1)] = 1.0,
) -> Batch:
    """Replace each image (B, C, H, W) by a window that covers a share of its area drawn from [smallest, largest].

    Raises StudyError when smallest exceeds largest.
    """
    if smallest > largest:
        raise StudyError(f"augment resized_crop: smallest = {smallest} exceeds largest = {largest}; lower smallest")
    count = len(batch)
    area = _draws.uniform(smallest, largest, count, generator)
    ratio = _draws.uniform(math.log(RATIO[0]), math.log(RATIO[1]), count, generator).exp()
    extent = torch.stack([(area / ratio).sqrt(), (area * ratio).sqrt()], dim=1).clamp(max=1.0)
    corner = torch.stack([_draws.uniform(0, 1, count, generator) for _ in range(2)], dim=1) * (1 - extent)
    return replace(batch, images=cut(batch.images, corner, extent))


def cut(images: Tensor, corner: Tensor, extent: Tensor) -> Tensor:
    """Windows with top left corner (B, 2) and extent (B, 2), as (y, x) shares of the sides, resampled bilinearly to full size.

    Nothing outside the window is seen: positions within half a pixel of its edge take the value half a pixel inside.
    """
    height, width = images.shape[-2:]
    ys, xs = (_positions(corner[:, axis], extent[:, axis], side) for axis, side in ((0, height), (1, width)))
    grid = torch.stack([xs[:, None, :].expand(-1, height, -1), ys[:, :, None].expand(-1, -1, width)], dim=-1)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _positions(corner: Tensor, extent: Tensor, side: int) -> Tensor:
    """(B, side) source positions along one axis, -1 to 1 from edge to edge of the image."""
    centres = (torch.arange(side, device=corner.device) + 0.5) / side
    low, high = corner + 0.5 / side, corner + extent - 0.5 / side
    source = corner[:, None] + extent[:, None] * centres
    # A window narrower than a pixel has its middle alone.
    middle = (corner + extent / 2)[:, None]
    inside = source.clamp(low.minimum(high)[:, None], high.maximum(low)[:, None])
    source = torch.where((low > high)[:, None], middle, inside)
    return 2 * source - 1
