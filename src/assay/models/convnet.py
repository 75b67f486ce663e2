"""Two convolutions with max-pooling, one dense layer, a linear classifier: the plain network of digit recognition.

"An Architecture Combining Convolutional Neural Network (CNN) and Support Vector Machine (SVM) for Image Classification"
(P331): 5x5 convolutions with 32 and 64 channels, each with ReLU and 2x2 pooling, a dense layer of 1,024 units with ReLU and
dropout 0.5. Here all widths are parameters, smaller by default; initial weights are torch's, not the paper's normal ones of
deviation 0.1.
"""

from typing import Annotated

import torch.nn.functional as F
from annotated_types import Ge, Lt
from torch import Tensor, nn


class ConvNet(nn.Module):
    """Images (B, channels, size, size) with size a multiple of 4, logits (B, classes).

    width: channels of the first convolution, the second has twice as many; dense: hidden units; drop_rate: dropout before the
    classifier.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        size: int,
        *,
        width: Annotated[int, Ge(1)] = 16,
        dense: Annotated[int, Ge(1)] = 128,
        kernel: Annotated[int, Ge(1)] = 5,
        drop_rate: Annotated[float, Ge(0), Lt(1)] = 0.0,
    ):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, kernel, padding="same")
        self.conv2 = nn.Conv2d(width, 2 * width, kernel, padding="same")
        self.dense = nn.Linear(2 * width * (size // 4) ** 2, dense)
        self.drop = nn.Dropout(drop_rate)
        self.fc = nn.Linear(dense, classes)

    def forward_features(self, images: Tensor) -> Tensor:
        maps = F.max_pool2d(F.relu(self.conv1(images)), 2)
        return F.max_pool2d(F.relu(self.conv2(maps)), 2)

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        hidden = F.relu(self.dense(features.flatten(1)))
        return hidden if pre_logits else self.fc(self.drop(hidden))

    def forward(self, images: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(images))
