"""Mean correlation of units matched one to one between two networks.

"Convergent Learning: Do different neural networks learn the same representations?" (P011), section 3.2: the bipartite matching
that maximises the sum of the correlations between the units of a pair (Hungarian method; signed correlations).
"""

import numpy as np
from scipy.optimize import linear_sum_assignment

from assay.metrics._numbers import numbers_only
from assay.metrics._units import correlations


@numbers_only
def matched_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Activations (N, P) and (N, Q) on the same inputs; in [-1, 1], 1 for the same units in another order."""
    between = correlations(first, second)
    rows, columns = linear_sum_assignment(between, maximize=True)
    return float(between[rows, columns].mean())
