"""What networks share that look at images through a transformation of them."""

from collections.abc import Callable

from torch import Tensor, nn

from assay.models._classifier import classifier


class Behind(nn.Module):
    """The network `of`, which sees `view(images)` (B, C, H, W) of images (B, C, H, W); its features and its classifier."""

    def __init__(self, of: Callable, channels: int, classes: int, size: int):
        super().__init__()
        self.inner = of(channels, classes, size)

    def view(self, images: Tensor) -> Tensor:
        raise NotImplementedError

    def get_classifier(self) -> nn.Linear:
        return classifier(self.inner)

    def forward_features(self, images: Tensor) -> Tensor:
        return self.inner.forward_features(self.view(images))

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        return self.inner.forward_head(features, pre_logits=pre_logits)

    def forward(self, images: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(images))
