"""RISE: random masks, averaged with the target's probability on the masked image as their weight.

"RISE: Randomized Input Sampling for Explanation of Black-box Models", Petsiuk et al. 2018: a mask is a coarse grid of cells that
are kept with a probability, enlarged bilinearly to a cell more than the image and cut out at a random shift; the map is the
weighted sum of the masks over their number times that probability. It needs the network's answers alone. One of the two best maps
of "How explainable are adversarially-robust CNNs?" (P288). What is masked fades to `fill`; the authors fade to the data's mean.
"""

from typing import Annotated

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn

from assay.attributions._target import rows_at_once
from assay.data.seeds import seed_of


@torch.no_grad()
def rise(
    network: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    masks: Annotated[int, Ge(1)] = 256,
    grid: Annotated[int, Ge(1)] = 4,
    probability: Annotated[float, Gt(0), Lt(1)] = 0.5,
    fill: float = 0.5,
) -> Tensor:
    """Map (B, 1, H, W) of expected probability given that the pixel is kept, for targets (B,).

    masks: how many are drawn, the same for all images and whenever the size is the same. grid: cells along a side. probability:
    that a cell is kept. fill: value in [0, 1] of what is masked.
    """
    generator = torch.Generator(images.device).manual_seed(seed_of("rise"))
    drawn = random_masks(masks, grid, probability, images.shape[-1], generator).to(images.dtype)
    total = torch.zeros(len(images), 1, *images.shape[2:], device=images.device, dtype=images.dtype)
    for part in drawn.split(rows_at_once(images) // len(images)):
        masked = fill + (images[:, None] - fill) * part
        answers = network(masked.flatten(0, 1)).softmax(1).unflatten(0, (len(images), len(part)))
        weights = answers.gather(2, targets[:, None, None].expand(-1, len(part), 1)).squeeze(2)
        total += torch.einsum("bn,nchw->bchw", weights, part)
    return total / (masks * probability)


def random_masks(count: int, grid: int, probability: float, size: int, generator: torch.Generator) -> Tensor:
    """(count, 1, size, size) in [0, 1]: grids of grid x grid ones with the given probability, enlarged to (grid + 1) cells a side
    and cut out at a shift of less than a cell."""
    cell = -(-size // grid)
    cells = (torch.rand((count, grid, grid), generator=generator, device=generator.device) < probability).float()
    enlarge = enlargement(grid, (grid + 1) * cell).to(cells)
    large = enlarge @ cells @ enlarge.T
    down, right = torch.randint(cell, (2, count, 1), generator=generator, device=generator.device)
    pixels = torch.arange(size, device=generator.device)
    image = torch.arange(count, device=generator.device)[:, None, None]
    return large[image, (down + pixels)[:, :, None], (right + pixels)[:, None, :]][:, None]


def enlargement(cells: int, size: int) -> Tensor:
    """(size, cells) weights by which pixels read a row of cells linearly; beyond the first and the last cell's centre the row is
    mirrored there, as the authors' resizing does."""
    place = ((torch.arange(size, dtype=torch.float64) + 0.5) * cells / size - 0.5).abs()
    place = ((cells - 1) - (cells - 1 - place).abs()).clamp_min(0)
    return (1 - (place[:, None] - torch.arange(cells)).abs()).clamp_min(0)
