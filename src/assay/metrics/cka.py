"""Linear centred kernel alignment: similarity of two representations that ignores rotations of their bases and overall scale.

"Similarity of Neural Network Representations Revisited", Kornblith et al. 2019. A modern form of the subspace comparison of
"Convergent Learning: Do different neural networks learn the same representations?" (P011).
"""

import numpy as np

from assay.metrics._numbers import numbers_only


@numbers_only
def cka(first: np.ndarray, second: np.ndarray) -> float:
    """Activations (N, P) and (N, Q) on the same inputs; in [0, 1], 1 when one is a rotated and scaled copy of the other."""
    x, y = (a.astype(np.float64) - a.mean(0, dtype=np.float64) for a in (first, second))
    scale = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    return float(np.linalg.norm(x.T @ y) ** 2 / scale) if scale != 0 else 0.0
