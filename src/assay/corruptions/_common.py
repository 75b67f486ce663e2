"""What corruptions share: severities, random numbers, blurs and resampling on batches of images (B, C, H, W) in [0, 1].

Random numbers: each corruption asks for all its uniform numbers in one call, image after image. A CPU generator deals them
out one by one, so corrupting a batch in parts with the same generator passed along gives the same images as corrupting it
at once, up to rounding: elementwise functions round differently in a tensor's vector body and in its tail. On a GPU the numbers
depend on how the batch is split; they are still the same for the same seed and split. Severity 0 draws nothing.

Sizes: the authors of ImageNet-C give two tables, for CIFAR-10-C at 32 px and for ImageNet-C at 224 px. Where a corruption takes
both, images up to 32 px get the first table's values (lengths in pixels, as a network's filters are), from 224 px on the
second's (lengths in proportion to the side), and sizes between what lies between, linearly in the side. Other lengths are shares
of the image's side, so that one table serves 16 px as well as 224 px.
"""

from typing import Literal, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from assay.errors import StudyError

STRONGEST = 5
CIFAR, IMAGENET = 32, 224  # pixels a side that the authors' tables are for
T = TypeVar("T")


def setting(table: tuple[T, T, T, T, T], severity: int) -> T:
    """The table's entry for a severity of 1 to 5; StudyError for any other."""
    if severity not in range(1, STRONGEST + 1):
        raise StudyError(f"corruption: severity = {severity} is not allowed; give a whole number from 0 to {STRONGEST}")
    return table[severity - 1]


def at_size(cifar: tuple, imagenet: tuple, severity: int, side: int) -> float:
    """What the authors' two tables, of one value a severity, say for images of `side` pixels."""
    small, large = setting(cifar, severity), setting(imagenet, severity)
    share = min(max((side - CIFAR) / (IMAGENET - CIFAR), 0.0), 1.0)
    return small + share * (large - small)


def pixels(cifar: tuple, imagenet: tuple, severity: int, side: int) -> float:
    """The same for lengths in pixels, which grow with the side beyond the larger table's."""
    return at_size(cifar, imagenet, severity, side) * max(1.0, side / IMAGENET)


def uniform(images: Tensor, generator: torch.Generator, *shape: int) -> Tensor:
    """(B, *shape) numbers in [0, 1), image after image."""
    return torch.rand((len(images), *shape), generator=generator, device=images.device, dtype=images.dtype)


def normal(numbers: Tensor) -> Tensor:
    """Uniform numbers in [0, 1) as standard normal ones, through the inverse distribution function."""
    half_step = torch.finfo(numbers.dtype).eps / 4
    # In double precision, because single precision rounds the largest numbers to 1, whose quantile is infinite.
    return torch.special.ndtri(numbers.double() + half_step).to(numbers.dtype)


def blur(images: Tensor, sigma: float) -> Tensor:
    """Gaussian blur with `sigma` pixels, cut at four sigma, the image mirrored at its edges; separable."""
    radius = min(int(4 * sigma + 0.5), min(images.shape[-2:]) - 1)
    offset = torch.arange(-radius, radius + 1, device=images.device, dtype=images.dtype)
    kernel = (-(offset**2) / (2 * sigma**2)).exp()
    kernel = kernel / kernel.sum()
    return convolve(convolve(images, kernel[None, :]), kernel[:, None])


def convolve(images: Tensor, kernel: Tensor) -> Tensor:
    """Convolve every channel with one symmetric kernel of odd sides, the image mirrored at its edges."""
    height, width = kernel.shape
    planes = F.pad(images.flatten(0, 1)[:, None], (width // 2, width // 2, height // 2, height // 2), mode="reflect")
    return F.conv2d(planes, kernel[None, None]).unflatten(0, images.shape[:2]).squeeze(2)


def positions(images: Tensor) -> tuple[Tensor, Tensor]:
    """(H, W) x and y of the pixel centres, in pixels, the first at 0."""
    rows = torch.arange(images.shape[-2], device=images.device, dtype=images.dtype)
    columns = torch.arange(images.shape[-1], device=images.device, dtype=images.dtype)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return x, y


def sample(images: Tensor, x: Tensor, y: Tensor, beyond: Literal["reflection", "zeros"] = "reflection") -> Tensor:
    """Images read bilinearly at positions x and y (B, H, W) in pixels; beyond its edges, the image is mirrored, or black."""
    height, width = images.shape[-2:]
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode=beyond, align_corners=False)


def zoom(images: Tensor, factor: float) -> Tensor:
    """The central 1/factor of each image enlarged to its full size, bilinearly."""
    x, y = positions(images)
    middle_x, middle_y = (images.shape[-1] - 1) / 2, (images.shape[-2] - 1) / 2
    x, y = middle_x + (x - middle_x) / factor, middle_y + (y - middle_y) / factor
    return sample(images, x.expand(len(images), -1, -1), y.expand(len(images), -1, -1))


def streak(images: Tensor, degrees: Tensor, sigma: float) -> Tensor:
    """One-sided Gaussian motion blur with `sigma` pixels, cut at three sigma, along a direction for each image, (B,) degrees from
    the x axis."""
    turn = torch.deg2rad(degrees)[:, None, None]
    x, y = positions(images)
    offsets = torch.arange(int(3 * sigma) + 1, device=images.device, dtype=images.dtype)
    weights = (-(offsets**2) / (2 * sigma**2)).exp()
    weights = weights / weights.sum()
    return sum(w * sample(images, x + k * turn.cos(), y + k * turn.sin()) for k, w in zip(offsets, weights, strict=True))


def cloud_sizes(images: Tensor) -> list[int]:
    """Sides of the grids a cloud is made from: 2, 4, 8, ... up to the image's side."""
    side = min(images.shape[-2:])
    return [2**k for k in range(1, 32) if 2**k <= side]


def cloud(numbers: Tensor, sides: list[int], decay: float, shape: tuple[int, int]) -> Tensor:
    """(B, 1, H, W) cloudy noise from 0 to 1 in each image: random grids of the given sides, each finer one `decay` times weaker.

    numbers: (B, sum of sides squared) uniform numbers that fill the grids.
    """
    grids = numbers.split([side * side for side in sides], dim=1)
    layers = [
        F.interpolate(grid.reshape(-1, 1, side, side), shape, mode="bilinear", align_corners=True) * decay**-k
        for k, (grid, side) in enumerate(zip(grids, sides, strict=True))
    ]
    total = sum(layers)
    low, high = total.amin((2, 3), keepdim=True), total.amax((2, 3), keepdim=True)
    return (total - low) / (high - low)
