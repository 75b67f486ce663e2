"""A convolutional network whose answer is the same for every circular shift: adaptive polyphase sampling.

After "Truly Shift-Invariant Convolutional Neural Networks", Chaman and Dokmanic 2021, the kind of network that "Lost in
Translation: Modern Neural Networks Still Struggle With Small Realistic Image Transformations" (P128) calls robust to cyclic
translations: where another network keeps every second row and column, this one keeps the polyphase component of largest Euclidean
norm, which is the same whatever the shift; convolutions wrap around, and the last maps are averaged. Here in a plain chain
instead of a ResNet.
"""

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

HALVED = (False, True, True, False)


class APS(nn.Module):
    """Images (B, channels, size, size), size a multiple of 4, logits (B, classes); maps of width, 2, 4 and 4 widths."""

    def __init__(self, channels: int, classes: int, size: int, *, width: Annotated[int, Ge(1)] = 16):
        super().__init__()
        widths = (channels, width, 2 * width, 4 * width, 4 * width)
        self.stack = nn.Sequential(
            *(_block(fan_in, fan_out, halved) for fan_in, fan_out, halved in zip(widths, widths[1:], HALVED, strict=False))
        )
        self.fc = nn.Linear(widths[-1], classes)

    def forward_features(self, images: Tensor) -> Tensor:
        return self.stack(images)

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        pooled = features.mean((2, 3))
        return pooled if pre_logits else self.fc(pooled)

    def forward(self, images: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(images))


class LargestPolyphase(nn.Module):
    """Of maps (B, C, H, W), H and W even, the one of four (B, C, H / 2, W / 2) that has the largest norm over all channels."""

    def forward(self, maps: Tensor) -> Tensor:
        parts = torch.stack([maps[:, :, down::2, right::2] for down in (0, 1) for right in (0, 1)], dim=1)
        largest = parts.square().sum((2, 3, 4)).argmax(1)
        return parts[torch.arange(len(maps), device=maps.device), largest]


def _block(fan_in: int, fan_out: int, halved: bool) -> nn.Sequential:
    convolution = nn.Conv2d(fan_in, fan_out, 3, padding=1, padding_mode="circular", bias=False)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    return nn.Sequential(convolution, nn.BatchNorm2d(fan_out), nn.ReLU(), *([LargestPolyphase()] if halved else []))
