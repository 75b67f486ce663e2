"""What comparisons of two sets of units share: activations (N, P) and (N, Q) of both networks on the same N inputs."""

import numpy as np

from assay.metrics._numbers import refuse_nan


def standardise(activations: np.ndarray) -> np.ndarray:
    """Columns with mean 0 and variance 1; a unit that never changes becomes 0 throughout."""
    centred = activations.astype(np.float64) - activations.mean(0, dtype=np.float64)
    deviation = centred.std(0)
    # Rounding leaves constant columns with a deviation of some 1e-16 times their size.
    # What is infinite has a deviation that is no number and must not pass for constant.
    alive = ~(deviation <= 1e-7 * np.maximum(np.abs(activations).max(0), np.finfo(float).tiny))
    return np.where(alive, centred / np.where(alive, deviation, 1), 0)


def correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(P, Q) Pearson correlations between units; 0 with a unit that never changes."""
    between = standardise(first).T @ standardise(second) / len(first)
    refuse_nan("correlations of units", between)
    return between
