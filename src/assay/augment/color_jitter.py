"""Colour jitter: random brightness, contrast, saturation and hue of each image, applied with a probability.

As in the two-view recipe of "A Simple Framework for Contrastive Learning of Visual Representations" (Chen et al., 2020), which
"Exploring Simple Siamese Representation Learning" (P232) takes over: strengths 0.4, 0.4, 0.4, 0.1 and probability 0.8.
Operations follow torchvision's definitions; their order is fixed instead of random.
"""

from dataclasses import replace
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor

from assay.augment import _draws
from assay.augment.grayscale import grey
from assay.data.batch import Batch


def color_jitter(
    batch: Batch,
    generator: torch.Generator,
    *,
    brightness: Annotated[float, Ge(0), Le(1)] = 0.4,
    contrast: Annotated[float, Ge(0), Le(1)] = 0.4,
    saturation: Annotated[float, Ge(0), Le(1)] = 0.4,
    hue: Annotated[float, Ge(0), Le(0.5)] = 0.1,
    probability: Annotated[float, Ge(0), Le(1)] = 0.8,
) -> Batch:
    """Factors are drawn from [1 - s, 1 + s] for each image, the turn of the hue from [-hue, hue] of the colour circle.

    Images (B, 1 or 3, H, W) in [0, 1]; grey images have neither saturation nor hue.
    """
    count = len(batch)
    images = batch.images
    chosen = _draws.uniform(0, 1, count, generator) < probability
    factors = [_draws.uniform(1 - strength, 1 + strength, count, generator) for strength in (brightness, contrast, saturation)]
    turn = _draws.uniform(-hue, hue, count, generator)
    changed = blend(images, torch.zeros_like(images), factors[0])
    changed = blend(changed, grey(changed).mean((2, 3), keepdim=True), factors[1])
    if images.shape[1] == 3:
        changed = blend(changed, grey(changed), factors[2])
        changed = turn_hue(changed, turn)
    return replace(batch, images=torch.where(chosen[:, None, None, None], changed, images))


def blend(images: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    """factor (B,) times the images plus (1 - factor) times the other, cut to [0, 1]."""
    factor = factor[:, None, None, None]
    return (factor * images + (1 - factor) * other).clamp(0, 1)


def turn_hue(images: Tensor, turn: Tensor) -> Tensor:
    """Images (B, 3, H, W) with their hue moved by turn (B,) of the colour circle; value and saturation (HSV) stay."""
    value, which = images.max(1)
    chroma = value - images.min(1).values
    safe = torch.where(chroma > 0, chroma, 1)
    red, green, blue = images.unbind(1)
    sixths = torch.stack([(green - blue) / safe, (blue - red) / safe + 2, (red - green) / safe + 4], dim=1)
    hue = sixths.gather(1, which[:, None]).squeeze(1) + 6 * turn[:, None, None]
    # Each channel of a hue falls from the value by the chroma times a trapezoid of period six.
    shifts = torch.tensor([5.0, 3.0, 1.0], device=images.device)[None, :, None, None]
    phase = (shifts + hue[:, None]) % 6
    return value[:, None] - chroma[:, None] * torch.minimum(phase, 4 - phase).clamp(0, 1)
