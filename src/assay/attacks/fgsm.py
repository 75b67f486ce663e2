"""The fast gradient sign method: one step of size eps along the sign of the loss's gradient in the input.

"Explaining and Harnessing Adversarial Examples" (P127), section 4: x + eps * sign(grad_x J(theta, x, y)), the worst case of a
linear model under a max-norm bound. The paper does not say that it cuts the result to the range of images; `clip` does.
"""

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from assay.attacks._gradient import input_gradient, within


def fgsm(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    *,
    eps: Annotated[float, Ge(0)] = 0.1,
    clip: bool = True,
) -> Tensor:
    """Images (B, C, H, W) moved by eps, in units of the [0, 1] range, so that the loss on labels (B,) grows; draws nothing."""
    return within(images + eps * input_gradient(network, images, labels).sign(), clip).detach()
