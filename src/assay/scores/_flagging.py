"""What scores for mislabelled samples say of a training split, put together from the networks that can judge each sample."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from assay.data.batch import TensorWorld
from assay.training.network import Samples, Trained


@dataclass(frozen=True)
class Judgement:
    """suspicion (N,): above 0 is flagged. wrong (N,) bool: whether the label differs from the true one. Rows as in the
    training split."""

    suspicion: Tensor
    wrong: Tensor


def judge(score: Callable[[Samples], Tensor], judges: Iterable[tuple[Trained, TensorWorld]]) -> Judgement:
    """Let every network judge the samples of its own world: those held out from its training if there are any, else its
    training split.

    A sample counts by the first network that judges it (a score is NaN where a network cannot), so two networks with different
    threshold samples, or one for each fold, cover all rows. A row nobody judges keeps NaN and is not flagged.
    """
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    for trained, world in judges:
        split = world.extra.get("held_out", world.train)
        rows = split.factors.get("row", torch.arange(len(split), device=split.labels.device))
        suspicion = score(Samples(trained.network, split.images, split.labels, trained.records)).double()
        found.append((rows, suspicion, split.labels != split.factors["clean_label"]))
    count = 1 + max(int(rows.max()) for rows, _, _ in found)
    device = found[0][0].device
    result = Judgement(
        torch.full((count,), torch.nan, dtype=torch.float64, device=device), torch.zeros(count, dtype=torch.bool, device=device)
    )
    for rows, suspicion, wrong in found:
        new = result.suspicion[rows].isnan() & ~suspicion.isnan()
        result.suspicion[rows[new]] = suspicion[new]
        result.wrong[rows[new]] = wrong[new]
    return result
