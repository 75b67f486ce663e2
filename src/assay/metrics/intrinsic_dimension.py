"""Intrinsic dimension of features: of how many dimensions the set is that they lie on, from the two nearest neighbours.

"Estimating the intrinsic dimension of datasets by a minimal neighborhood information", Facco et al. 2017 (TwoNN); of networks'
layers, "Intrinsic dimension of data representations in deep neural networks", Ansuini et al. 2019. With mu the ratio of a
sample's second to its first distance, log mu is exponential with the dimension as its rate; this is the maximum likelihood
estimate without the largest tenth, as the authors leave it out.
"""

import numpy as np
from scipy.spatial import cKDTree

from assay.metrics._numbers import numbers_only

KEPT = 0.9  # share of the ratios


@numbers_only
def intrinsic_dimension(features: np.ndarray) -> float:
    """The dimension of features (N, D), N >= 3; of equal rows one counts. 0 where fewer than three rows differ."""
    distinct = np.unique(features.astype(np.float64), axis=0)
    if len(distinct) < 3:
        return 0.0
    distances = cKDTree(distinct).query(distinct, k=3)[0]
    logs = np.sort(np.log(distances[:, 2] / distances[:, 1]))
    kept = int(KEPT * len(logs))
    # The likelihood of the smallest `kept` of N exponential variables, of which the others are known to be larger.
    total = logs[:kept].sum() + (len(logs) - kept) * logs[kept - 1]
    return float(kept / total) if total > 0 else 0.0
