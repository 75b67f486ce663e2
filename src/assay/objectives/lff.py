"""Learning from Failure: a second network is made to err where shortcuts fail, and tells the first where to look.

"Learning from Failure: Training Debiased Classifier from Biased Classifier", Nam et al. 2020. The biased network minimises
the generalised cross-entropy (1 - p^q) / q, which dwells on what is easy; the other the cross-entropy weighted by loss_b /
(loss_b + loss_d), where both losses are running means of each sample, which begin at its first loss, divided by the largest of
its class. No group labels are used.
"""

from copy import deepcopy
from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor, nn

from assay.data.batch import Batch, TensorWorld
from assay.training.objective import Objective


class LfF(Objective):
    """Both networks have the same architecture and no parameter in common, so their losses are summed.

    q: exponent of the generalised cross-entropy. decay: share of the old value in a sample's running loss.
    """

    biased_loss: Tensor
    target_loss: Tensor
    seen: Tensor

    def __init__(self, *, q: Annotated[float, Gt(0), Le(1)] = 0.7, decay: Annotated[float, Ge(0), Lt(1)] = 0.7):
        super().__init__()
        self.q, self.decay = q, decay

    def prepare(self, network: nn.Module, world: TensorWorld) -> None:
        self.biased = deepcopy(network)
        for module in self.biased.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
        self.labels = world.train.labels
        for name in ("biased_loss", "target_loss"):
            self.register_buffer(name, torch.zeros(len(self.labels), device=self.labels.device))
        self.register_buffer("seen", torch.zeros(len(self.labels), dtype=torch.bool, device=self.labels.device))

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        biased, target = self.biased(batch.images), network(batch.images)
        each = F.cross_entropy(target, batch.labels, reduction="none")
        self.remember(self.biased_loss, F.cross_entropy(biased, batch.labels, reduction="none"), batch)
        self.remember(self.target_loss, each, batch)
        self.seen[batch.index] = True
        weights = self.difficulty(batch)
        return (weights * each).mean() + generalised_cross_entropy(biased, batch.labels, self.q).mean()

    def remember(self, store: Tensor, losses: Tensor, batch: Batch) -> None:
        """Move each sample's running loss towards its new one, or begin with it."""
        new, old = losses.detach().to(store.dtype), store[batch.index]
        store[batch.index] = torch.where(self.seen[batch.index], self.decay * old + (1 - self.decay) * new, new)

    def difficulty(self, batch: Batch) -> Tensor:
        """(B,) relative difficulty in [0, 1]: near 1 where the biased network fails and the other does not."""
        biased, target = (self.relative(store, batch) for store in (self.biased_loss, self.target_loss))
        return biased / (biased + target + 1e-8)

    def relative(self, store: Tensor, batch: Batch) -> Tensor:
        largest = store.new_zeros(int(self.labels.max()) + 1).scatter_reduce(0, self.labels, store, "amax")
        return store[batch.index] / largest[batch.labels].clamp_min(1e-8)


def generalised_cross_entropy(logits: Tensor, labels: Tensor, q: float) -> Tensor:
    """(1 - p_y^q) / q for each row, scaled by q so that its gradient is that of the cross-entropy times q p_y^q."""
    chosen = logits.log_softmax(1).gather(1, labels[:, None]).squeeze(1)
    return 1 - (q * chosen).exp()
