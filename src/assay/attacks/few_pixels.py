"""A targeted attack that changes few pixels: every step frees one more value, the one the loss depends on most.

The sparse (l0) perturbations of "Theoretical Understanding of Learning from Adversarial Perturbations" (P214), which change
a few pixels by any amount within the range of images. Each step adds to the free values the one with the largest gradient among
the others, then moves all free values along the gradient, scaled so that the largest of them moves by `step`. The
image of smallest loss on the way is the result. With several channels, a pixel counts once for each channel that moves. A value
that the range keeps where it is counts as freed; in the authors' programme, such a value is chosen again in the next step.
"""

from typing import Annotated

import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn

from assay.attacks._ball import TINY
from assay.attacks._gradient import input_gradient, sample_shortfalls, within


def few_pixels(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    *,
    pixels: Annotated[int, Ge(1)] = 10,
    step: Annotated[float, Gt(0)] = 0.3,
    targeted: bool = False,
    clip: bool = True,
) -> Tensor:
    """Images (B, C, H, W) of which at most `pixels` values differ from those given, so that the loss on labels (B,) is large.

    step: how far the value of largest gradient moves, in units of the [0, 1] range. targeted: the labels are the classes to
    be reached, and the loss is made small. clip: keep to [0, 1]. Draws nothing.
    """
    sign = -1 if targeted else 1
    moved = best = images
    best_loss = sign * sample_shortfalls(network, images, labels)
    free = torch.zeros_like(images, dtype=torch.bool).flatten(1)
    for _ in range(pixels):
        uphill = sign * input_gradient(network, moved, labels).flatten(1)
        free = free.scatter(1, uphill.abs().masked_fill(free, -1).argmax(1, keepdim=True), value=True)
        uphill = torch.where(free, uphill, 0)
        scaled = uphill / uphill.abs().amax(1, keepdim=True).clamp_min(TINY)
        moved = within(moved + step * scaled.reshape(images.shape), clip)
        loss = sign * sample_shortfalls(network, moved, labels)
        best = torch.where((loss > best_loss).reshape(-1, 1, 1, 1), moved, best)
        best_loss = torch.maximum(loss, best_loss)
    return best.detach()
