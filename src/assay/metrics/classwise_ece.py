"""Classwise calibration error: the calibration error of each class's probability on its own, mean over classes.

"Beyond temperature scaling: Obtaining well-calibrated multi-class probabilities with Dirichlet calibration", Kull et al. 2019,
equation 4. Bins divide [0, 1] evenly and weigh by their samples.
"""

from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Ge
from torch import Tensor

from assay.metrics._numbers import numbers_only


@numbers_only
def classwise_ece(logits: Tensor, labels: Tensor, *, bins: Annotated[int, Ge(1)] = 15) -> float:
    """1/K sum_k sum_b |b_k| / N * |share of class k in b - mean p_k in b|, in [0, 1], for logits (N, K) and labels (N,)."""
    probabilities = logits.double().softmax(1)
    gap = F.one_hot(labels, logits.shape[1]).double() - probabilities
    number = (probabilities * bins).ceil().long().clamp(1, bins) - 1
    sums = torch.zeros(bins, logits.shape[1], dtype=torch.float64, device=logits.device).scatter_add_(0, number, gap)
    return (sums.abs().sum(0) / len(labels)).mean().item()
