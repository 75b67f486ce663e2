"""The control of attacks in the Euclidean norm: a step of length eps in a direction drawn uniformly, blind to the network."""

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from assay.attacks._ball import steepest
from assay.attacks._gradient import within


def random_direction(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    *,
    eps: Annotated[float, Ge(0)] = 0.5,
    clip: bool = True,
) -> Tensor:
    """Images (B, C, H, W) plus noise of Euclidean length eps, each image its own; network and labels are not used.

    With `clip`, what leaves [0, 1] is cut, and the noise gets shorter.
    """
    noise = torch.randn(images.shape, generator=generator, device=images.device, dtype=images.dtype)
    return within(images + eps * steepest(noise, "l2"), clip)
