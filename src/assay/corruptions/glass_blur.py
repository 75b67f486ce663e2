"""Glass blur: neighbouring pixels swapped at random between two light blurs, as through frosted glass.

"Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (P095). On small images two pixels' reach
and many rounds, which the paper uses for ImageNet, leave nothing; so pixels trade places with direct neighbours in one
round (with those up to side / 32 away if that is more), the share that does grows with severity, and the blur stays the
strongest of the paper's for CIFAR and for ImageNet by the image's size (see `_common`). More rounds can be asked for.
"""

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor

from assay.corruptions import _common

SIGMA = (0.4,) * 5, (1.5,) * 5  # of both blurs, in pixels, of CIFAR and of ImageNet
SHARE = (0.1, 0.25, 0.5, 0.75, 1.0)  # of pixels that trade places


def glass_blur(images: Tensor, severity: int, generator: torch.Generator, *, rounds: Annotated[int, Ge(1)] = 1) -> Tensor:
    """Blur, swap in as many rounds, blur images (B, C, H, W); StudyError for a severity outside 0..5."""
    if severity == 0:
        return images
    side = images.shape[-1]
    sigma = _common.pixels(*SIGMA, severity, side)
    numbers = _common.uniform(images, generator, rounds, *images.shape[2:], 3)
    swapped = _common.blur(images, sigma)
    for turn in numbers.unbind(1):
        swapped = swap_neighbours(swapped, turn, max(1, side // 32), _common.setting(SHARE, severity))
    return _common.blur(swapped, sigma).clamp(0, 1)


def swap_neighbours(images: Tensor, numbers: Tensor, reach: int, share: float) -> Tensor:
    """Pixel by pixel, swap a share of the inner pixels with one at most `reach` away.

    numbers: (B, H, W, 3) in [0, 1): steps down and right, and whether to swap.
    """
    height, width = images.shape[-2:]
    steps = (numbers[..., :2] * (2 * reach + 1)).long() - reach
    offsets = (steps[..., 0] * width + steps[..., 1]) * (numbers[..., 2] < share)
    pixels = images.flatten(2).permute(0, 2, 1).clone()
    every = torch.arange(len(images), device=images.device)
    for y in range(height - 1 - reach, reach - 1, -1):
        for x in range(width - 1 - reach, reach - 1, -1):
            here = y * width + x
            there = here + offsets[:, y, x]
            arriving, leaving = pixels[every, there], pixels[:, here].clone()
            pixels[every, there] = leaving
            pixels[:, here] = arriving
    return pixels.permute(0, 2, 1).reshape(images.shape)
