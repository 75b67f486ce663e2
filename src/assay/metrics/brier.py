"""Brier score: the squared distance of a probability forecast from what happened, summed over classes, mean over samples.

"Verification of forecasts expressed in terms of probability", Brier 1950. 0 for a certain and right answer, 2 for a certain and
wrong one.
"""

import torch.nn.functional as F
from torch import Tensor

from assay.metrics._numbers import numbers_only


@numbers_only
def brier(logits: Tensor, labels: Tensor) -> float:
    """mean_n sum_k (p_nk - [k = y_n])^2 in [0, 2] for logits (N, K) and labels (N,)."""
    probabilities = logits.double().softmax(1)
    return (probabilities - F.one_hot(labels, logits.shape[1])).square().sum(1).mean().item()
