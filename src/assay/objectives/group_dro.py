"""Group DRO: minimise the loss of the worst group, by weights that grow with each group's loss.

"Distributionally Robust Neural Networks for Group Shifts", Sagawa et al. 2020, algorithm 1 with equal chances for all groups in
sampling, as its authors' code and that of later benchmarks have it. A group is a label with given values of the named factors;
naming fewer factors than the world has shortcuts is how a method is told of one shortcut only.
"""

from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Gt, MinLen
from torch import Tensor, nn

from assay.data.batch import Batch, TensorSplit, TensorWorld
from assay.errors import StudyError, unknown
from assay.training.objective import Objective


class GroupDRO(Objective):
    """q_g <- q_g exp(step_size * loss_g), normalised, then the loss sum_g q_g loss_g; groups absent from a step have loss 0.

    The batch is drawn anew from the training split, every group equally likely, so augmentations are refused. Raises StudyError
    for a factor the world does not have.
    """

    weights: Tensor

    def __init__(
        self,
        *,
        factors: Annotated[list[str], MinLen(1)],
        step_size: Annotated[float, Gt(0)] = 0.01,
    ):
        super().__init__()
        self.factors, self.step_size = factors, step_size

    def prepare(self, network: nn.Module, world: TensorWorld) -> None:
        self.split = world.train
        self.groups = groups(world.train, self.factors)
        count = int(self.groups.max()) + 1
        self.register_buffer("weights", torch.full((count,), 1 / count, device=self.groups.device))
        self.chance = 1 / torch.bincount(self.groups).double()[self.groups]

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        if batch.images is not batch.original:
            raise StudyError("objective group_dro: draws its own images, so augmentations would be lost; remove augment")
        rows = torch.multinomial(self.chance, len(batch), replacement=True)
        each = F.cross_entropy(network(self.split.images[rows]), self.split.labels[rows], reduction="none")
        return self.worst_case(each, self.groups[rows])

    def worst_case(self, losses: Tensor, groups: Tensor) -> Tensor:
        """Update the weights by the mean losses of the groups in (B,) losses and groups; the weighted sum of these means."""
        members = F.one_hot(groups, len(self.weights)).to(losses.dtype)
        means = losses @ members / members.sum(0).clamp_min(1)
        grown = self.weights * (self.step_size * means.detach()).exp()
        self.weights.copy_(grown / grown.sum())
        return self.weights.clone() @ means


def groups(split: TensorSplit, factors: list[str]) -> Tensor:
    """(N,) numbers of the groups: one for each combination of label and named factors that occurs."""
    for name in factors:
        if name not in split.factors:
            raise StudyError(f"objective group_dro: {unknown('factor', name, split.factors)}")
    columns = torch.stack([split.labels, *(split.factors[name].long() for name in factors)], 1)
    return columns.unique(dim=0, return_inverse=True)[1]
