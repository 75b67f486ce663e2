"""A plain chain of 3x3 convolutions and ReLUs, global average pooling and a linear classifier.

After "Striving for Simplicity: The All Convolutional Net", Springenberg et al. 2015 (strided convolutions in place of pooling,
the network guided backpropagation was made for), with the linear classifier on averaged maps that class activation maps need. The
last maps keep half the image's resolution. No in-place operation, no module used twice; batch normalisation is an option.
"""

from typing import Annotated

from annotated_types import Ge
from torch import Tensor, nn

STRIDES = (1, 2, 1, 1)


class AllConv(nn.Module):
    """Images (B, channels, size, size) to logits; maps of `width`, 2, 4 and 4 times the width.

    `stack` is the whole computation as one chain.
    """

    def __init__(self, channels: int, classes: int, size: int, *, width: Annotated[int, Ge(1)] = 8, norm: bool = True):
        super().__init__()
        widths = (channels, width, 2 * width, 4 * width, 4 * width)
        layers = [
            layer
            for fan_in, fan_out, stride in zip(widths, widths[1:], STRIDES, strict=False)
            for layer in _block(fan_in, fan_out, stride, norm)
        ]
        self.stack = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], classes))

    def forward_features(self, images: Tensor) -> Tensor:
        """Last maps (B, D, size / 2, size / 2)."""
        return self.stack[:-3](images)

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        return self.stack[-3:-1](features) if pre_logits else self.stack[-3:](features)

    def forward(self, images: Tensor) -> Tensor:
        return self.stack(images)


def _block(fan_in: int, fan_out: int, stride: int, norm: bool) -> list[nn.Module]:
    convolution = nn.Conv2d(fan_in, fan_out, 3, stride, padding=1, bias=not norm)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    if not norm:
        nn.init.zeros_(convolution.bias)
    return [convolution, *([nn.BatchNorm2d(fan_out)] if norm else []), nn.ReLU()]
