"""Share of units that no unit of the other network resembles.

The tail of "Convergent Learning: Do different neural networks learn the same representations?" (P011): units learned by one
network alone, whose best correlation under semi-matching stays low.
"""

from typing import Annotated

import numpy as np
from annotated_types import Ge, Le

from assay.metrics._numbers import numbers_only
from assay.metrics._units import correlations


@numbers_only
def unmatched_share(first: np.ndarray, second: np.ndarray, *, threshold: Annotated[float, Ge(0), Le(1)] = 0.5) -> float:
    """Share in [0, 1] of the P units of the first (N, P) that correlate below the threshold with each of the second (N, Q)."""
    return float((correlations(first, second).max(1) < threshold).mean())
