"""Glass blur: neighbouring pixels swapped at random between two light blurs, as through frosted glass.

"Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (P095). Blurs are shares of the image's side; pixels trade places with neighbours up to one pixel away, or side / 32 if that is more.
"""

import torch
from torch import Tensor

from assay.corruptions import _common

SIGMA = (0.015, 0.02, 0.025, 0.03, 0.035)  # in image sides
ROUNDS = (1, 1, 2, 2, 3)


def glass_blur(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Blur, swap, blur images (B, C, H, W); StudyError for a severity outside 0..5."""
    if severity == 0:
        return images
    side = images.shape[-1]
    sigma, rounds = _common.setting(SIGMA, severity) * side, _common.setting(ROUNDS, severity)
    # The strongest severity's numbers are always drawn, so that a weaker one makes the same first swaps.
    numbers = _common.uniform(images, generator, ROUNDS[-1], *images.shape[2:], 2)
    shuffled = swap_neighbours(_common.blur(images, sigma), numbers[:, :rounds], max(1, side // 32))
    return _common.blur(shuffled, sigma).clamp(0, 1)


def swap_neighbours(images: Tensor, numbers: Tensor, reach: int) -> Tensor:
    """Pixel by pixel, swap each inner pixel with one at most `reach` away; numbers (B, rounds, H, W, 2) in [0, 1) choose which."""
    height, width = images.shape[-2:]
    steps = (numbers * (2 * reach + 1)).long() - reach
    pixels = images.flatten(2).permute(0, 2, 1).clone()
    every = torch.arange(len(images), device=images.device)
    for turn in range(numbers.shape[1]):
        for y in range(height - 1 - reach, reach - 1, -1):
            for x in range(width - 1 - reach, reach - 1, -1):
                here = y * width + x
                there = here + steps[:, turn, y, x, 0] * width + steps[:, turn, y, x, 1]
                moved = pixels[every, there]
                pixels[every, there] = pixels[:, here]
                pixels[:, here] = moved
    return pixels.permute(0, 2, 1).reshape(images.shape)
