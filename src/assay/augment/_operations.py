"""The nine base operations of AugMix on batches in which every image has its own operation and strength.

"AugMix: A Simple Data Processing Method to Improve Robustness and Uncertainty" (P194): autocontrast, equalize, posterize,
solarize, rotate, shear and translate along x and y, with PIL's conventions (8-bit levels; bilinear resampling, black
outside) and the authors' ranges. Contrast, colour, brightness and sharpness are left out, as in the paper, because test
corruptions use them. Deviation: rotations and translations are not truncated to whole degrees and pixels, which at 16 px
would leave most translations without effect.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from assay.augment import _draws
from assay.training import shim  # noqa: F401  (before torchvision)

from torchvision.transforms.v2 import functional as TF  # isort: skip

TONES = ("autocontrast", "equalize", "posterize", "solarize")
WARPS = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")
OPERATIONS = TONES + WARPS
LEVELS = 10  # strengths are shares of 10, as in AutoAugment
LARGEST = {"posterize": 4.0, "solarize": 256.0, "rotate": 30.0, "shear": 0.3, "translate": 1 / 3}


def random_operation(images: Tensor, severity: float, generator: torch.Generator) -> Tensor:
    """Apply to each image (B, C, H, W) in [0, 1] one operation drawn uniformly, with a level drawn from [0.1, severity)."""
    count = len(images)
    chosen = _draws.integers(0, len(OPERATIONS), count, generator)
    level = _draws.uniform(0.1, severity, count, generator) / LEVELS
    sign = _draws.signs(count, generator)
    return apply(images, chosen, level, sign)


def apply(images: Tensor, chosen: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    """Apply OPERATIONS[chosen[i]] at strength level[i] in [0, 1] to image i; sign (+-1) is the direction of the warps."""
    result = images.clone()
    for number, name in enumerate(TONES):
        rows = (chosen == number).nonzero().flatten()
        if len(rows):
            result[rows] = tone(name, images[rows], level[rows])
    rows = (chosen >= len(TONES)).nonzero().flatten()
    if len(rows):
        result[rows] = warp(images[rows], warp_matrices(chosen[rows], level[rows] * sign[rows], images.shape[-1]))
    return result


def tone(name: str, images: Tensor, level: Tensor) -> Tensor:
    """One of TONES on 8-bit levels; level (B,) in [0, 1] matters to posterize and solarize alone."""
    eight_bit = (images * 255).round().to(torch.uint8)
    if name == "posterize":
        dropped_bits = 4 + (level * LARGEST["posterize"]).int()
        step = (2**dropped_bits)[:, None, None, None]
        changed = eight_bit // step * step
    elif name == "solarize":
        threshold = 256 - (level * LARGEST["solarize"]).int()[:, None, None, None]
        changed = torch.where(eight_bit < threshold, eight_bit, 255 - eight_bit)
    else:
        changed = {"autocontrast": autocontrast, "equalize": TF.equalize}[name](eight_bit)
    return changed.to(images.dtype) / 255


def autocontrast(levels: Tensor) -> Tensor:
    """Stretch each channel of 8-bit images (B, C, H, W) to levels 0 to 255; one of a single level stays as it is.

    PIL's table in PIL's double precision, cut to whole levels: torchvision divides in single precision and ends at 254.
    """
    low, high = (extreme.double() for extreme in (levels.amin((2, 3), keepdim=True), levels.amax((2, 3), keepdim=True)))
    scale = torch.full_like(low, 255) / (high - low)  # 255 / tensor would be 255 times the reciprocal, rounded twice
    stretched = (levels.double() * scale + -low * scale).clamp(0, 255)
    return torch.where(high > low, stretched, levels.double()).to(torch.uint8)


def warp_matrices(chosen: Tensor, level: Tensor, size: int) -> Tensor:
    """(B, 2, 3) maps from output to input pixel positions (x, y, 1), origin at the top left corner, as PIL counts.

    chosen: (B,) index into OPERATIONS, level: (B,) signed strength in [-1, 1].
    """
    kind = chosen - len(TONES)
    angle = torch.where(kind == 0, level * math.radians(LARGEST["rotate"]), 0.0)
    shear_x, shear_y = (torch.where(kind == k, level * LARGEST["shear"], 0.0) for k in (1, 2))
    move_x, move_y = (torch.where(kind == k, level * LARGEST["translate"] * size, 0.0) for k in (3, 4))
    cos, sin, middle = angle.cos(), angle.sin(), size / 2
    x_row = torch.stack([cos, shear_x - sin, middle * (1 - cos + sin) + move_x], dim=1)
    y_row = torch.stack([shear_y + sin, cos, middle * (1 - cos - sin) + move_y], dim=1)
    return torch.stack([x_row, y_row], dim=1)


def warp(images: Tensor, matrices: Tensor) -> Tensor:
    """Resample square images at the mapped positions, bilinearly; positions outside the image are black."""
    size = images.shape[-1]
    centre = torch.arange(size, device=images.device) + 0.5
    y, x = torch.meshgrid(centre, centre, indexing="ij")
    positions = torch.stack([x, y, torch.ones_like(x)], dim=-1)
    source = torch.einsum("bij,hwj->bhwi", matrices.to(images.dtype), positions)
    sampled = F.grid_sample(images, source / size * 2 - 1, mode="bilinear", padding_mode="border", align_corners=False)
    inside = ((source >= 0) & (source < size)).all(dim=-1)
    return sampled * inside[:, None]
