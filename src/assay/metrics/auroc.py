"""Area under the receiver operating curve: the chance that a positive scores above a negative, ties counting half.

Used by "Enhancing The Reliability of Out-of-distribution Image Detection in Neural Networks" (P196). Computed from ranks (Mann-
Whitney U).
"""

import numpy as np
from scipy.stats import rankdata

from assay.metrics._numbers import numbers_only


@numbers_only
def auroc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Scores (P,) of positives and (N,) of negatives, both not empty; 0.5 for chance, 1 when all positives lie above."""
    ranks = rankdata(np.concatenate([positive, negative]))
    rank_sum = ranks[: len(positive)].sum()
    return float((rank_sum - len(positive) * (len(positive) + 1) / 2) / (len(positive) * len(negative)))
