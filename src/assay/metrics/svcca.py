"""Mean canonical correlation between the leading subspaces of two representations.

"SVCCA: Singular Vector Canonical Correlation Analysis for Deep Learning Dynamics and Interpretability", Raghu et al. 2017: keep
the principal directions that hold a share of the variance, then correlate the subspaces whatever their bases. Stands for the
comparison of subspaces in "Convergent Learning: Do different neural networks learn the same representations?" (P011).
"""

from typing import Annotated

import numpy as np
from annotated_types import Gt, Le

from assay.metrics._numbers import numbers_only


@numbers_only
def svcca(first: np.ndarray, second: np.ndarray, *, share: Annotated[float, Gt(0), Le(1)] = 0.99) -> float:
    """Activations (N, P) and (N, Q) on the same inputs; mean of the min(p, q) canonical correlations, in [0, 1]."""
    bases = [_leading(activations, share) for activations in (first, second)]
    if min(basis.shape[1] for basis in bases) == 0:
        return 0.0
    return float(np.linalg.svd(bases[0].T @ bases[1], compute_uv=False).clip(0, 1).mean())


def _leading(activations: np.ndarray, share: float) -> np.ndarray:
    """(N, p) orthonormal scores on the fewest principal directions with at least this share of the variance."""
    centred = activations.astype(np.float64) - activations.mean(0, dtype=np.float64)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    explained = np.cumsum(values**2)
    if explained[-1] == 0:
        return left[:, :0]
    rank = int((values > values[0] * 1e-10).sum())
    wanted = int(np.searchsorted(explained, share * explained[-1] * (1 - 1e-12))) + 1
    return left[:, : min(wanted, rank)]
