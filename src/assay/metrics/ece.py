"""Expected calibration error: the mean gap between confidence and accuracy over bins of equal width.

"On Calibration of Modern Neural Networks", Guo et al. 2017; one of the measures of "An Empirical Evaluation on Robustness and
Uncertainty of Regularization Methods" (P238). Bins divide [0, 1] evenly and weigh by their samples.
"""

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor

from assay.metrics._numbers import numbers_only


@numbers_only
def ece(logits: Tensor, labels: Tensor, *, bins: Annotated[int, Ge(1)] = 15) -> float:
    """sum_b |b| / N * |accuracy_b - confidence_b| in [0, 1] for logits (N, K) and labels (N,); a bin holds its upper end."""
    confidence, predicted = logits.double().softmax(1).max(1)
    gap = (predicted == labels).double() - confidence
    number = (confidence * bins).ceil().long().clamp(1, bins) - 1
    sums = torch.zeros(bins, dtype=torch.float64, device=gap.device).index_add_(0, number, gap)
    return (sums.abs().sum() / len(gap)).item()
