"""Insertion: area under the target's probability as an erased image gets its pixels back, the most important first.

Higher is better.

"RISE: Randomized Input Sampling for Explanation of Black-box Models", Petsiuk et al. 2018: what is erased is blurred, because
a constant ground would give the pixels that come back sharp edges. The kernel is the authors', as many pixels at any size of
image, as a network's filters are. Of equally hot pixels the first in reading order comes first.
"""

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from assay.metrics._erase import area, blurred, erased_logits
from assay.metrics._numbers import numbers_only


@numbers_only
def insertion(
    network: nn.Module,
    images: Tensor,
    targets: Tensor,
    heat: Tensor,
    *,
    fill: float | None = None,
    steps: Annotated[int, Ge(1)] = 16,
) -> float:
    """Mean over images (B, C, H, W), in [0, 1]; heat (B, 1 or C, H, W); the image comes back in `steps` equal portions.

    fill: value in [0, 1] of the erased image; blurred if None.
    """
    erased = blurred(images) if fill is None else torch.full_like(images, fill)
    return area(erased_logits(network, images, heat, erased=erased, steps=steps, insert=True), targets)
