"""A locally connected network of one hidden layer: every patch has a filter of its own; thresholded, summed.

"Role of Locality and Weight Sharing in Image-Based Tasks: A Sample Complexity Separation between CNNs, LCNs, and FCNs" (P019):
f(x) = sum_i phi_b(w_i . x_i) over the patches x_i, which do not overlap; w_i belongs to patch i.
"""

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from assay.models._patchwise import PatchNetwork


class LCN(PatchNetwork):
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
        self.weight = nn.Parameter(torch.randn(self.outputs, fan_in, self.units) / fan_in)

    def project(self, images: Tensor) -> Tensor:
        # columns: (B, pixels of a patch, patches)
        columns = nn.functional.unfold(images, self.patch, stride=self.patch)
        return torch.einsum("bdi,odi->boi", columns, self.weight)
