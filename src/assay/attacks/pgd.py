"""Projected gradient descent: repeated steepest steps on the loss, each projected back onto a norm ball around the image.

"Towards Deep Learning Models Resistant to Adversarial Attacks", Madry et al. 2018: x <- P(x + step * sign(grad_x loss)) from a
uniform random start in the max-norm ball; in the Euclidean ball, the step follows the gradient divided by its norm. The
attack that "An Extended Study of Human-like Behavior under Adversarial Training" (P098) trains with, in both norms. With
several restarts, each image keeps the result of largest loss.
"""

from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn

from assay.attacks._ascent import ascend
from assay.attacks._ball import drawn
from assay.attacks._gradient import sample_shortfalls

STEP_SHARE = 2.5  # of eps / steps: the paper's choice, which reaches the ball's surface from anywhere in it


def pgd(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    *,
    norm: Literal["linf", "l2"] = "linf",
    eps: Annotated[float, Ge(0)] = 0.03137,
    steps: Annotated[int, Ge(1)] = 10,
    step: Annotated[float, Gt(0)] | None = None,
    restarts: Annotated[int, Ge(1)] = 1,
    random_start: bool = True,
    targeted: bool = False,
    clip: bool = True,
) -> Tensor:
    """Images (B, C, H, W) within eps, in units of the [0, 1] range, of the given ones, at which the loss on labels (B,) is large.

    eps: 8/255 if not given. step: length of a step, 2.5 eps / steps if None. restarts: tries an image, of which the worst for
    the network is kept. random_start: draw where to start; without it and with one restart, nothing is drawn. targeted: the
    labels are the classes to be reached, and the loss is made small. clip: keep to [0, 1].
    """
    length = STEP_SHARE * eps / steps if step is None else step
    best, best_loss = images, torch.full((len(images),), float("-inf"), device=images.device, dtype=torch.float64)
    for _ in range(restarts):
        start = drawn(images, norm, eps, generator) if random_start else torch.zeros_like(images)
        moved = ascend(
            network, images, labels, start, norm=norm, eps=eps, steps=steps, length=length, targeted=targeted, clip=clip
        )
        if restarts == 1:
            return moved
        loss = (-1 if targeted else 1) * sample_shortfalls(network, moved, labels)
        best = torch.where((loss > best_loss).reshape(-1, 1, 1, 1), moved, best)
        best_loss = torch.maximum(loss, best_loss)
    return best
