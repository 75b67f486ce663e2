"""A convolutional network of one hidden layer: one filter on every patch, thresholded, summed.

"Role of Locality and Weight Sharing in Image-Based Tasks: A Sample Complexity Separation between CNNs, LCNs, and FCNs" (P019):
f(x) = sum_i phi_b(w . x_i) over the patches x_i, which do not overlap; one w for all of them.
"""

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from assay.models._patchwise import PatchNetwork


class CNN(PatchNetwork):
    """Images (B, channels, rows or size, size), logits (B, classes).

    patches: how many lie side by side in a row (the paper's k); rows: height of the images in pixels, None for square ones.
    Raises StudyError when patches does not divide size.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        size: int,
        *,
        patches: Annotated[int, Ge(1)] = 4,
        rows: Annotated[int, Ge(1)] | None = None,
    ):
        super().__init__(classes, size, rows, patches)
        fan_in = channels * self.patch[0] * self.patch[1]
        self.weight = nn.Parameter(torch.randn(self.outputs, channels, *self.patch) / fan_in)

    def project(self, images: Tensor) -> Tensor:
        return nn.functional.conv2d(images, self.weight, stride=self.patch).flatten(2)
