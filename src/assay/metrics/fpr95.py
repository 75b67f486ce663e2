"""False positive rate at 95% true positive rate: the share of negatives above the threshold that 95% of positives pass.

"Enhancing The Reliability of Out-of-distribution Image Detection in Neural Networks" (P196), section 4.3, with in-distribution as
positive.
"""

import math
from typing import Annotated

import numpy as np
from annotated_types import Gt, Le

from assay.metrics._numbers import numbers_only


@numbers_only
def fpr95(positive: np.ndarray, negative: np.ndarray, *, rate: Annotated[float, Gt(0), Le(1)] = 0.95) -> float:
    """Scores (P,) of positives and (N,) of negatives; a score at the threshold passes.

    `rate`: the true positive rate asked for.
    """
    needed = math.ceil(rate * len(positive) - 1e-9)
    threshold = np.sort(positive)[len(positive) - needed]
    return float((negative >= threshold).mean())
