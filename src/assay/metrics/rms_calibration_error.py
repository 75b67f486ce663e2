"""Root mean square difference between confidence and accuracy over bins of equally many samples.

Used as in "AugMix: A Simple Data Processing Method to Improve Robustness and Uncertainty" (P194): samples sorted by confidence
(largest softmax probability), cut into adaptive bins of about 100, squared gaps weighted by the bins' shares.
"""

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor

from assay.metrics._numbers import numbers_only


@numbers_only
def rms_calibration_error(logits: Tensor, labels: Tensor, *, bin_size: Annotated[int, Ge(1)] = 100) -> float:
    """sqrt(sum_b |b| / N * (accuracy_b - confidence_b)^2) in [0, 1] for logits (N, K) and labels (N,).

    bin_size: samples aimed at in a bin; N // bin_size bins (at least one) differ by at most one sample.
    """
    confidence, predicted = logits.double().softmax(1).max(1)
    order = confidence.argsort(stable=True)
    gap = (predicted == labels).double()[order] - confidence[order]
    bins = torch.tensor_split(gap, max(1, len(gap) // bin_size))
    return sum(len(part) / len(gap) * part.mean().square() for part in bins).sqrt().item()
