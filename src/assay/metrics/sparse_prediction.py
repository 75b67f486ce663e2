"""Variance of a network's units explained by few units of another: L1-regularised linear prediction, judged on held-out samples.

"Convergent Learning: Do different neural networks learn the same representations?" (P011), section 4: for each unit, the
mapping minimises the mean squared error plus decay times the L1 norm of its weights, on activations with mean 0 and variance 1,
so that the paper's prediction error is one minus the number here. With decay 0 every unit may contribute (the dense mapping).
Deviation: coordinate descent (scikit-learn's Lasso) instead of a mapping layer trained by gradient steps.
"""

from typing import Annotated

import numpy as np
from annotated_types import Ge
from sklearn.linear_model import Lasso

from assay.metrics._numbers import numbers_only
from assay.metrics._units import standardise


@numbers_only
def sparse_prediction(first: np.ndarray, second: np.ndarray, *, decay: Annotated[float, Ge(0)] = 0.05) -> float:
    """Predict each of the Q units of the second (N, Q) from the P of the first (N, P) on the same inputs; their mean R2.

    The first half of the samples fits, the second half judges. Units that never change are left out; 0 if none is left.
    """
    explained = held_out_r2(first, second, decay)
    return float(explained.mean()) if len(explained) else 0.0


def held_out_r2(first: np.ndarray, second: np.ndarray, decay: float) -> np.ndarray:
    """One minus the mean squared error on the second half of the samples for each unit of the second network that varies.

    Relative to the variance over all samples, because a unit that fires rarely may be constant in one half.
    """
    inputs, targets = standardise(first), standardise(second)
    half = len(inputs) // 2
    targets = targets[:, targets.any(0)]
    weights = mapping(inputs[:half], targets[:half], decay)
    return 1 - ((targets[half:] - inputs[half:] @ weights) ** 2).mean(0)


def mapping(inputs: np.ndarray, targets: np.ndarray, decay: float) -> np.ndarray:
    """Weights (P, Q) that minimise mean((y - X w)^2) + decay * |w|_1 for every column y of the targets."""
    if decay == 0:
        return np.linalg.lstsq(inputs, targets, rcond=None)[0]
    # scikit-learn halves the squared error, so its penalty is half of ours.
    lasso = Lasso(alpha=decay / 2, fit_intercept=False, precompute=inputs.T @ inputs, tol=1e-4, max_iter=2000)
    weights = np.zeros((inputs.shape[1], targets.shape[1]))
    for unit, column in enumerate(targets.T):
        weights[:, unit] = lasso.fit(inputs, column).coef_
    return weights
