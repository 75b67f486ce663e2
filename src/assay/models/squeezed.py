"""A network that sees its images in few grey levels, in training and at test time.

Colour depth reduction, the simplest defence of "Feature Squeezing: Detecting Adversarial Examples in Deep Neural Networks" (Xu,
Evans and Qi, 2018), which uses one bit for MNIST; here the squeezed image is what the network answers to, not what its answer
is compared with. It stands for the defences tried in "MNIST-C: A Robustness Benchmark for Computer Vision" (P090), which are
larger. Gradients pass the rounding as if it were not there: without that an attack would find no gradient, and look weaker
than it is.
"""

from collections.abc import Callable
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor

from assay.language.plugs import Plug
from assay.models._behind import Behind


class Squeezed(Behind):
    """Images (B, channels, size, size), logits (B, classes). of: the network behind; bits: grey levels are 2 ** bits."""

    def __init__(
        self,
        channels: int,
        classes: int,
        size: int,
        *,
        of: Annotated[Callable, Plug("models")] = "convnet",
        bits: Annotated[int, Ge(1), Le(8)] = 1,
    ):
        super().__init__(of, channels, classes, size)
        self.channels, self.bits = channels, bits

    def start_pretrained(self) -> tuple[Tensor, Tensor]:
        """Mean and spread of the images it expects: those of images left as they are, for rounding is done on [0, 1]."""
        return torch.zeros(self.channels), torch.ones(self.channels)

    def view(self, images: Tensor) -> Tensor:
        return squeeze(images, self.bits) - 0.5


def squeeze(images: Tensor, bits: int) -> Tensor:
    """Images in [0, 1] rounded to 2 ** bits evenly spaced levels from 0 to 1; the gradient is that of no rounding."""
    steps = 2**bits - 1
    return images + ((images * steps).round() / steps - images).detach()
