"""Softmax regression on raw pixels: one linear layer, the reference every network must beat."""

from torch import Tensor, nn


class Linear(nn.Module):
    """Images (B, channels, size, size) to logits (B, classes) by one affine map."""

    def __init__(self, channels: int, classes: int, size: int):
        super().__init__()
        self.fc = nn.Linear(channels * size * size, classes)

    def forward_features(self, images: Tensor) -> Tensor:
        return images.flatten(1)

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        return features if pre_logits else self.fc(features)

    def forward(self, images: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(images))
