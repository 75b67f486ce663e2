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
    """A filter for each patch; parameters, shapes and errors are those of `PatchNetwork`."""

    def __init__(
        self,
        channels: int,
        classes: int,
        size: int,
        *,
        patches: Annotated[int, Ge(1)] = 4,
        rows: Annotated[int, Ge(1)] | None = None,
    ):
        super().__init__(channels, classes, size, patches, rows)
        self.weight = self.drawn(self.patch_values, self.units, fan_in=self.patch_values)

    def project(self, images: Tensor) -> Tensor:
        # columns: (B, pixels of a patch, patches)
        columns = nn.functional.unfold(images, self.patch, stride=self.patch)
        return torch.einsum("bdi,odi->boi", columns, self.weight)
