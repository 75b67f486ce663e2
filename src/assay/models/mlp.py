"""A multi-layer perceptron on raw pixels: flatten, hidden layers with ReLU, linear classifier."""

from itertools import pairwise
from typing import Annotated

from annotated_types import Ge
from torch import Tensor, nn


class MLP(nn.Module):
    """`hidden` layers of `width` units; images (B, channels, size, size), logits (B, classes).

    drop_rate: dropout after each hidden layer.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        size: int,
        *,
        width: Annotated[int, Ge(1)] = 128,
        hidden: Annotated[int, Ge(1)] = 2,
        drop_rate: Annotated[float, Ge(0)] = 0.0,
    ):
        super().__init__()
        widths = [channels * size * size] + [width] * hidden
        layers = [
            nn.Sequential(nn.Linear(fan_in, fan_out), nn.ReLU(), nn.Dropout(drop_rate)) for fan_in, fan_out in pairwise(widths)
        ]
        self.layers = nn.Sequential(*layers)
        self.fc = nn.Linear(width, classes)

    def forward_features(self, images: Tensor) -> Tensor:
        return self.layers(images.flatten(1))

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        return features if pre_logits else self.fc(features)

    def forward(self, images: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(images))
