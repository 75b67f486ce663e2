"""What the fully connected, locally connected and convolutional networks of one hidden layer share.

"Role of Locality and Weight Sharing in Image-Based Tasks: A Sample Complexity Separation between CNNs, LCNs, and FCNs"
(P019). All three sum their hidden units, f(x) = sum_i phi_b(w_i . x), and differ only in what a unit sees and whether units
share their weights. phi_b(z) = relu(z - b) - relu(-z - b) passes a signal beyond the threshold b in either direction and cuts
the noise below it.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assay.errors import StudyError


class PatchNetwork(nn.Module):
    """Images (B, channels, rows or size, size), logits (B, classes).

    patches: how many lie side by side in a row (the paper's k), which sets the number of units in all three; rows: height of the
    images in pixels, None for square ones. Raises StudyError when patches does not divide size. What a unit sees is left to
    `project(images)`, which gives the units' inputs (B, outputs, units).

    Two classes are told by the sign of one output f, whose logits are (-f/2, f/2), so cross-entropy is the logistic loss of f;
    more classes have a set of units each. The threshold b is one trained number, 0 at first, where phi_b is the identity.
    """

    def __init__(self, channels: int, classes: int, size: int, patches: int, rows: int | None):
        super().__init__()
        height = size if rows is None else rows
        if size % patches:
            raise StudyError(f"model: patches = {patches} does not divide the image's {size} columns; choose a divisor")
        side = size // patches
        self.patch = (min(side, height), side)
        self.units = patches * max(1, height // side)
        self.patch_values = channels * self.patch[0] * self.patch[1]
        self.image_values = channels * height * size
        self.outputs = 1 if classes == 2 else classes
        self.threshold = nn.Parameter(torch.zeros(()))

    def drawn(self, *shape: int, fan_in: int) -> nn.Parameter:
        """Initial weights (outputs, *shape), normal with standard deviation 1 / fan_in."""
        return nn.Parameter(torch.randn(self.outputs, *shape) / fan_in)

    def project(self, images: Tensor) -> Tensor:
        raise NotImplementedError

    def forward_features(self, images: Tensor) -> Tensor:
        return soft_threshold(self.project(images), self.threshold)

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        if pre_logits:
            return features.flatten(1)
        total = features.sum(2)
        return torch.cat([-total, total], 1) / 2 if self.outputs == 1 else total

    def forward(self, images: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(images))


def soft_threshold(values: Tensor, threshold: Tensor) -> Tensor:
    """relu(z - b) - relu(-z - b)."""
    return F.relu(values - threshold) - F.relu(-values - threshold)
