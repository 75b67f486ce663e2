"""The discriminator of DCGAN: strided 4 x 4 convolutions with leaky ReLU, each halving the resolution, then one number an
image.

"Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks" (P367).
"""

from typing import Annotated

from annotated_types import Ge
from torch import Tensor, nn


class Discriminator(nn.Module):
    """Images (B, channels, size, size) to (B, classes) logits; an adversarial objective asks for one.

    width: channels after the first layer, doubled with every halving of the resolution.
    """

    def __init__(self, channels: int, classes: int, size: int, *, width: Annotated[int, Ge(1)] = 16):
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        size //= 2
        while size > 4:
            layers += [
                nn.Conv2d(width, 2 * width, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(2 * width),
                nn.LeakyReLU(0.2),
            ]
            size, width = size // 2, 2 * width
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.fc = nn.Linear(width * size * size, classes)

    def forward_features(self, images: Tensor) -> Tensor:
        return self.layers(images)

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        return features if pre_logits else self.fc(features)

    def forward(self, images: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(images))
