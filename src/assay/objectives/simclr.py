"""SimCLR's contrastive loss (NT-Xent): tell the other view of the same image from all other images of the batch.

"A Simple Framework for Contrastive Learning of Visual Representations", Chen et al. 2020; the reference with negatives in
"Exploring Simple Siamese Representation Learning" (P232). Projector: one hidden layer, as in the paper.
"""

from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Ge, Gt
from torch import Tensor, nn

from assay.data.batch import Batch, TensorWorld
from assay.objectives._two_views import TwoViews

CLASSIFIES = False


class SimCLR(TwoViews):
    """width: of the hidden layer and the projections. temperature: divides the cosines. The batch needs two views."""

    def __init__(self, *, width: Annotated[int, Ge(2)] = 128, temperature: Annotated[float, Gt(0)] = 0.5):
        super().__init__()
        self.width, self.temperature = width, temperature

    def prepare(self, network: nn.Module, world: TensorWorld) -> None:
        """Create the projector for the network's features."""
        features = network.features(world.train.images[:2]).shape[1]
        self.projector = nn.Sequential(nn.Linear(features, self.width), nn.ReLU(), nn.Linear(self.width, self.width))

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """StudyError if the batch has not two views."""
        first, second = self.embedded(network, batch)
        return nt_xent(first, second, self.temperature)


def nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Mean over the 2B projections, each (d,), of the cross-entropy of finding its other view among the 2B - 1 others."""
    count = len(first)
    z = F.normalize(torch.cat([first, second]), dim=1)
    similarity = z @ z.T / temperature
    similarity = similarity.masked_fill(torch.eye(2 * count, dtype=torch.bool, device=z.device), float("-inf"))
    partner = torch.arange(2 * count, device=z.device).roll(count)
    return F.cross_entropy(similarity, partner)
