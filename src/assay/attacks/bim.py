"""The basic iterative method: the fast gradient sign method in small steps, from the image itself, kept within eps of it.

"Adversarial examples in the physical world", Kurakin, Goodfellow and Bengio 2017: x <- clip(x + alpha * sign(grad_x J)), where
clip keeps each pixel within eps of the original and in the range of images. The attack with which "Going Further: Flatness at
the Rescue of Early Stopping for Adversarial Example Transferability" (P680) measures transfer. `targeted` is the paper's
iterative least-likely method, for any class: down the loss of the labels.
"""

from typing import Annotated

import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn

from assay.attacks._ascent import ascend


def bim(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    *,
    eps: Annotated[float, Ge(0)] = 0.03137,
    steps: Annotated[int, Ge(1)] = 10,
    alpha: Annotated[float, Gt(0)] | None = None,
    targeted: bool = False,
    clip: bool = True,
) -> Tensor:
    """Images (B, C, H, W) within eps, in units of the [0, 1] range, at which the loss on labels (B,) is large; draws nothing.

    eps: 8/255 if not given. alpha: length of a step, eps / steps if None. targeted: make the loss small instead.
    """
    length = eps / steps if alpha is None else alpha
    start = torch.zeros_like(images)
    return ascend(network, images, labels, start, norm="linf", eps=eps, steps=steps, length=length, targeted=targeted, clip=clip)
