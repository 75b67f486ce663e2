"""Area under the precision-recall curve, as average precision: the mean precision at the ranks of the positives.

The measure of out-of-distribution detection in "Natural Adversarial Examples" (P068), with outside images as positives.
scikit-learn's average_precision_score.
"""

import numpy as np
from sklearn.metrics import average_precision_score

from assay.metrics._numbers import numbers_only


@numbers_only
def aupr(positive: np.ndarray, negative: np.ndarray) -> float:
    """Scores (P,) of positives and (N,) of negatives, both not empty; P / (P + N) for chance, 1 when all positives lie above."""
    truth = np.concatenate([np.ones(len(positive)), np.zeros(len(negative))])
    return float(average_precision_score(truth, np.concatenate([positive, negative])))
