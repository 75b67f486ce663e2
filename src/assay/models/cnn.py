"""A convolutional network of one hidden layer: one filter on every patch, thresholded, summed.

"Role of Locality and Weight Sharing in Image-Based Tasks: A Sample Complexity Separation between CNNs, LCNs, and FCNs" (P019):
f(x) = sum_i phi_b(w . x_i) over the patches x_i, which do not overlap; one w for all of them.
"""

from typing import Annotated

from annotated_types import Ge
from torch import Tensor, nn

from assay.models._patchwise import PatchNetwork


class CNN(PatchNetwork):
    """One filter for all patches; parameters, shapes and errors are those of `PatchNetwork`."""

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
        self.weight = self.drawn(channels, *self.patch, fan_in=self.patch_values)

    def project(self, images: Tensor) -> Tensor:
        return nn.functional.conv2d(images, self.weight, stride=self.patch).flatten(2)
