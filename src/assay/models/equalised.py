"""A network that sees its images with their histograms equalised, in training and at test time.

Histogram equalisation is one of the ways in which "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations" (P095), section 5.3, makes networks more robust. The paper equalises tile by tile with limited contrast (CLAHE);
here it is each channel of the whole image, since an image of 16 px is hardly larger than a tile. Each value is replaced by the
share of the channel's pixels that are not larger, which no increasing change of brightness or contrast alters; so it does not
matter that images come here already normalised.
"""

import math
from collections.abc import Callable
from typing import Annotated

import torch
from torch import Tensor

from assay.language.plugs import Plug
from assay.models._behind import Behind

SPREAD = 1 / math.sqrt(12)  # standard deviation of numbers spread evenly over [0, 1]


class Equalised(Behind):
    """Images (B, channels, size, size), logits (B, classes); of: the network behind the equalisation.

    No gradient passes to the images: to an attack by gradients this network looks flat.
    """

    def __init__(self, channels: int, classes: int, size: int, *, of: Annotated[Callable, Plug("models")] = "resnet"):
        super().__init__(of, channels, classes, size)

    def view(self, images: Tensor) -> Tensor:
        return (equalise(images) - 0.5) / SPREAD


def equalise(images: Tensor) -> Tensor:
    """For each value of images (B, C, H, W), the share in (0, 1] of its channel's pixels that are not larger."""
    values = images.flatten(2).contiguous()
    ranks = torch.searchsorted(values.sort(2).values, values, right=True)
    shares = ranks.to(images.dtype) / values.shape[2]
    return shares.reshape(images.shape).contiguous(memory_format=torch.channels_last)
