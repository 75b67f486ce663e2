"""Deletion: area under the target's probability as pixels are erased, those the heat map calls most important first.

Lower is better.

"RISE: Randomized Input Sampling for Explanation of Black-box Models", Petsiuk et al. 2018. Erased pixels become a constant; the
authors take the data's mean. Of equally hot pixels the first in reading order goes first.
"""

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from assay.metrics._erase import area, erased_logits
from assay.metrics._numbers import numbers_only


@numbers_only
def deletion(
    network: nn.Module, images: Tensor, targets: Tensor, heat: Tensor, *, fill: float = 0.0, steps: Annotated[int, Ge(1)] = 16
) -> float:
    """Mean over images (B, C, H, W), in [0, 1]; heat (B, 1 or C, H, W); pixels become `fill`, in `steps` equal portions."""
    erased = torch.full_like(images, fill)
    return area(erased_logits(network, images, heat, erased=erased, steps=steps, insert=False), targets)
