"""Last Layer Ensemble: one backbone, a classifier for each kind of distribution shift, and a classifier of the shift that weighs
them.

"A Whac-A-Mole Dilemma: Shortcuts Come in Multiples Where Mitigating One Amplifies Others" (P093). Logits are the classifiers'
logits averaged with the weights softmax(shift logits), image by image. Train with objectives/last_layer_ensemble.
"""

from collections.abc import Callable
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from assay.errors import StudyError
from assay.language.plugs import Plug


class LastLayers(nn.Module):
    """Features (B, width) to logits (B, classes): one linear classifier a shift, weighed by the predicted shift."""

    def __init__(self, width: int, classes: int, shifts: int):
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(width, classes) for _ in range(shifts))
        self.shift = nn.Linear(width, shifts)

    def each(self, features: Tensor) -> Tensor:
        """Logits of every classifier, (B, shifts, classes)."""
        return torch.stack([head(features) for head in self.heads], 1)

    def forward(self, features: Tensor) -> Tensor:
        return (self.shift(features).softmax(1).unsqueeze(2) * self.each(features)).sum(1)


def last_layer_ensemble(
    channels: int,
    classes: int,
    size: int,
    *,
    backbone: Annotated[Callable, Plug("models")] = "resnet",
    shifts: Annotated[int, Ge(1)] = 3,
) -> nn.Module:
    """The backbone with LastLayers in the place of its classifier, a linear layer `fc`; StudyError if it has none.

    shifts: kinds of shift, no shift included.
    """
    model = backbone(channels, classes, size)
    if not isinstance(getattr(model, "fc", None), nn.Linear):
        raise StudyError("model last_layer_ensemble: the backbone must end in a linear layer 'fc'; use resnet or mlp")
    model.fc = LastLayers(model.fc.in_features, classes, shifts)
    return model
