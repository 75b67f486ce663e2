"""Mean correlation of each unit with the unit of the other network that it correlates with most.

"Convergent Learning: Do different neural networks learn the same representations?" (P011), section 3.2: semi-matching, in which
a unit of the second network may serve several units of the first. Never below the one-to-one matching.
"""

import numpy as np

from assay.metrics._numbers import numbers_only
from assay.metrics._units import correlations


@numbers_only
def best_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Activations (N, P) and (N, Q) on the same inputs; mean over the P units of the first, in [-1, 1]."""
    return float(correlations(first, second).max(1).mean())
