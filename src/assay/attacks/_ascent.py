"""Repeated steepest steps on the loss, each projected back onto a norm ball around the image: the core of BIM and PGD."""

from torch import Tensor, nn

from assay.attacks._ball import Size, project, steepest
from assay.attacks._gradient import input_gradient, within


def ascend(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    start: Tensor,
    *,
    norm: str,
    eps: Size,
    steps: int,
    length: Size,
    targeted: bool,
    clip: bool,
) -> Tensor:
    """Images (B, C, H, W) within eps of the given ones after `steps` steps of the given length from images + start.

    targeted: go down on the loss of the labels (B,) instead of up. clip: keep to [0, 1] all the way.
    """
    sign = -1 if targeted else 1
    moved = within(images + start, clip)
    for _ in range(steps):
        uphill = sign * steepest(input_gradient(network, moved, labels), norm)
        moved = within(images + project(moved + length * uphill - images, norm, eps), clip)
    return moved.detach()
