"""SimSiam: predict one view's projection from the other's, with no gradient through what is predicted.

"Exploring Simple Siamese Representation Learning" (P232). Loss D(p1, stop(z2)) / 2 + D(p2, stop(z1)) / 2 with D the negative
cosine similarity, z = f(x) encoder and three-layer projector (batch norm on every layer, the last one without affine part as in
the authors' code), p = h(z) two-layer predictor with a bottleneck of a quarter of the width and batch norm on its hidden layer
alone. Deviations: the width defaults to 128 instead of 2048, and the encoder's features feed the projector directly.
"""

from typing import Annotated, Literal

import torch.nn.functional as F
from annotated_types import Ge
from torch import Tensor, nn

from assay.data.batch import Batch, TensorWorld
from assay.objectives._two_views import TwoViews

CLASSIFIES = False
PER_SAMPLE = True  # the mean of each sample's loss, batch statistics aside


class SimSiam(TwoViews):
    """width: dimension d of projections and of the projector's hidden layers. The batch needs two views (augment/views).

    stop_gradient: whether the predicted side is held constant. predictor: "mlp"; "none" for the identity; "random" for an MLP
    that keeps its initial weights. The classifier of the network is not trained.
    """

    def __init__(
        self,
        *,
        width: Annotated[int, Ge(4)] = 128,
        stop_gradient: bool = True,
        predictor: Literal["mlp", "none", "random"] = "mlp",
    ):
        super().__init__()
        self.width, self.stop_gradient, self.predictor_kind = width, stop_gradient, predictor

    def prepare(self, network: nn.Module, world: TensorWorld) -> None:
        """Create projector and predictor for the network's features."""
        features = network.features(world.train.images[:2]).shape[1]
        self.projector = nn.Sequential(
            *_hidden(features, self.width),
            *_hidden(self.width, self.width),
            nn.Linear(self.width, self.width, bias=False),
            nn.BatchNorm1d(self.width, affine=False),
        )
        self.predictor = nn.Identity()
        if self.predictor_kind != "none":
            self.predictor = nn.Sequential(*_hidden(self.width, self.width // 4), nn.Linear(self.width // 4, self.width))
        if self.predictor_kind == "random":
            self.predictor.requires_grad_(False)

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Between -1 and 1. StudyError if the batch has not two views."""
        first, second = self.embedded(network, batch)
        return 0.5 * (self._distance(first, second) + self._distance(second, first))

    def _distance(self, source: Tensor, target: Tensor) -> Tensor:
        held = target.detach() if self.stop_gradient else target
        return negative_cosine(self.predictor(source), held)


def negative_cosine(p: Tensor, z: Tensor) -> Tensor:
    """Minus the cosine of the angle between rows of (B, d), averaged."""
    return -F.cosine_similarity(p, z, dim=1).mean()


def _hidden(inputs: int, outputs: int) -> list[nn.Module]:
    """A linear layer whose bias is left to batch norm, then ReLU."""
    return [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU()]
