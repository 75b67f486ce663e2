"""Last Layer Ensemble: one backbone, a classifier for each kind of distribution shift, and a classifier of the shift that
weighs them.

"A Whac-A-Mole Dilemma: Shortcuts Come in Multiples Where Mitigating One Amplifies Others" (P093). Logits are the
classifiers' logits averaged with the weights softmax(shift logits), image by image. Train with
objectives/last_layer_ensemble.
"""

from collections.abc import Callable
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from assay.errors import StudyError
from assay.plugs import Plug


class LastLayerEnsemble(nn.Module):
    """Images (B, channels, size, size) to logits (B, classes).

    backbone: a model that ends in a linear layer `fc`, whose place is taken. shifts: kinds of shift, no shift included.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        size: int,
        *,
        backbone: Annotated[Callable, Plug("models")] = "resnet",
        shifts: Annotated[int, Ge(1)] = 3,
    ):
        super().__init__()
        self.backbone = backbone(channels, classes, size)
        if not isinstance(getattr(self.backbone, "fc", None), nn.Linear):
            raise StudyError("model last_layer_ensemble: the backbone must end in a linear layer 'fc'; use resnet or mlp")
        width = self.backbone.fc.in_features
        self.backbone.fc = nn.Identity()
        self.heads = nn.ModuleList(nn.Linear(width, classes) for _ in range(shifts))
        self.shift = nn.Linear(width, shifts)

    def forward_features(self, images: Tensor) -> Tensor:
        return self.backbone.forward_features(images)

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        pooled = self.backbone.forward_head(features, pre_logits=True)
        if pre_logits:
            return pooled
        weights = self.shift(pooled).softmax(1)
        return (weights.unsqueeze(2) * self.each(pooled)).sum(1)

    def each(self, pooled: Tensor) -> Tensor:
        """Logits of every classifier, (B, shifts, classes), of pooled features (B, D)."""
        return torch.stack([head(pooled) for head in self.heads], 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(images))
