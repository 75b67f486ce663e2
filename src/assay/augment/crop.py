"""Random crop: pad each image by its own reflection and cut a window of the original size at a random place."""

from dataclasses import replace
from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Gt, Lt

from assay.augment import _draws
from assay.data.batch import Batch


def crop(batch: Batch, generator: torch.Generator, *, share: Annotated[float, Gt(0), Lt(1)] = 0.125) -> Batch:
    """Shift every image (B, C, H, W) by up to round(share * H) whole pixels each way, at least one; edges are reflected."""
    images = batch.images
    count, _, height, width = images.shape
    reach = max(1, round(share * height))
    padded = F.pad(images, (reach,) * 4, mode="reflect")
    top = _draws.integers(0, 2 * reach + 1, count, generator)
    left = _draws.integers(0, 2 * reach + 1, count, generator)
    rows = top[:, None] + torch.arange(height, device=images.device)
    columns = left[:, None] + torch.arange(width, device=images.device)
    image = torch.arange(count, device=images.device)[:, None, None]
    # Indexing around the channel axis puts it last: (B, H, W, C), which is channels_last memory.
    cut = padded[image, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    return replace(batch, images=cut)
