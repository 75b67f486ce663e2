"""Generators of the DCGAN kind that differ in how they raise the resolution: transposed convolution, nearest neighbour, or not
at all.

The architectures compared in "Watch your Up-Convolution: CNN Based Generative Deep Neural Networks are Failing to Reproduce
Spectral Distributions" (P466): strided 4 x 4 transposed convolutions ("transposed"), nearest-neighbour upsampling followed
by a 3 x 3 convolution ("nearest"); "none" has as many 3 x 3 convolutions but all at full resolution, a control the paper
does not have. extra: further 5 x 5 convolutions at full resolution with nothing between them; the paper ends in three where
it uses its spectral loss.
"""

import math
from itertools import pairwise
from typing import Annotated, Literal

from annotated_types import Ge
from torch import Tensor, nn

from assay.errors import StudyError

START = 4  # pixels a side of the first map


class Generator(nn.Module):
    """Latents (B, latents), standard normal, to images (B, channels, size, size) in [0, 1]; size a power of two of at least 8.

    width: channels at full resolution, doubled with every halving of it.
    """

    takes_latents = True
    makes_images = True

    def __init__(
        self,
        channels: int,
        classes: int,
        size: int,
        *,
        up: Literal["transposed", "nearest", "none"] = "transposed",
        width: Annotated[int, Ge(1)] = 16,
        latents: Annotated[int, Ge(1)] = 32,
        extra: Annotated[int, Ge(0)] = 0,
    ):
        super().__init__()
        steps = round(math.log2(size / START))
        if steps < 1 or START * 2**steps != size:
            raise StudyError(f"model generator: size {size} is not allowed; use a power of two of at least {2 * START}")
        self.latents = latents
        widths = [width] * (steps + 1) if up == "none" else [width * 2**power for power in range(steps, -1, -1)]
        self.start = size if up == "none" else START
        self.project = nn.Sequential(
            nn.Linear(latents, widths[0] * self.start**2), nn.Unflatten(1, (widths[0], self.start, self.start))
        )
        blocks = [_block(up, wide, narrow) for wide, narrow in pairwise(widths)]
        blocks += [nn.Conv2d(width, width, 5, padding=2) for _ in range(extra)]
        self.body = nn.Sequential(nn.BatchNorm2d(widths[0]), nn.ReLU(), *blocks)
        self.last = nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, latents: Tensor) -> Tensor:
        return self.last(self.body(self.project(latents))).sigmoid()


def _block(up: str, wide: int, narrow: int) -> nn.Module:
    raise_by = {
        "transposed": [nn.ConvTranspose2d(wide, narrow, 4, stride=2, padding=1, bias=False)],
        "nearest": [nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(wide, narrow, 3, padding=1, bias=False)],
        "none": [nn.Conv2d(wide, narrow, 3, padding=1, bias=False)],
    }
    return nn.Sequential(*raise_by[up], nn.BatchNorm2d(narrow), nn.ReLU())
