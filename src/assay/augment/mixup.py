"""Mixup: train on convex combinations of pairs of images and of their labels.

"mixup: Beyond Empirical Risk Minimization" (P166). As in the paper's own training code, a batch is mixed with a permutation of
itself and the whole batch shares one mixing weight drawn from Beta(alpha, alpha).
"""

from dataclasses import replace
from typing import Annotated

import torch
from annotated_types import Gt

from assay.augment import _draws
from assay.data.batch import Batch


def mixup(batch: Batch, generator: torch.Generator, *, alpha: Annotated[float, Gt(0)] = 1.0) -> Batch:
    """Images (B, C, H, W) and targets (B, K) become lam * own + (1 - lam) * partner's; `labels` and `original` stay as they were.

    alpha: strength; near 0 one of the pair dominates (empirical risk minimisation), large alpha mixes half and half.
    """
    weight = _draws.beta(alpha, 1, generator)
    partner = torch.randperm(len(batch), generator=generator, device=generator.device)
    return replace(
        batch,
        images=batch.images * weight + batch.images[partner] * (1 - weight),
        targets=batch.targets * weight + batch.targets[partner] * (1 - weight),
    )
