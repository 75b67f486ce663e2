"""A fully connected network of one hidden layer: as many units as there are patches, each sees all pixels; thresholded, summed.

"Role of Locality and Weight Sharing in Image-Based Tasks: A Sample Complexity Separation between CNNs, LCNs, and FCNs"
(P019): f(x) = sum_i phi_b(w_i . x); with weights zero outside patch i it is the locally connected network, so it can express
all that one can.
"""

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor

from assay.models._patchwise import PatchNetwork


class FCN(PatchNetwork):
    """A filter of the whole image for each unit; parameters, shapes and errors are those of `PatchNetwork`."""

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
        self.weight = self.drawn(self.units, self.image_values, fan_in=self.image_values)

    def project(self, images: Tensor) -> Tensor:
        return torch.einsum("bp,oip->boi", images.flatten(1), self.weight)
