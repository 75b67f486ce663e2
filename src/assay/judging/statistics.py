"""Statistics of one number a seed: tests and intervals of means, and what n seeds would show; for many samples at once.

Every function takes a `Samples`, whose fields are arrays of one shape S (a single sample: shape ()), and returns arrays of S.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special


@dataclass(frozen=True)
class Samples:
    """Samples of n numbers, one a seed, summarised.

    spread: the standard deviation (n - 1), 0 where it is mere rounding: at most `resolution`, how finely numbers can be told
    apart. fixed: every observation behind the numbers is the same for all seeds, up to rounding (closed-form arms), so nothing
    is left to chance.
    """

    n: int
    mean: np.ndarray
    spread: np.ndarray
    resolution: np.ndarray
    fixed: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, resolution: np.ndarray | float = 0.0, fixed: np.ndarray | bool = False) -> "Samples":
        """Summaries of values (..., n)."""
        values = np.asarray(values, float)
        n = values.shape[-1]
        mean = values.mean(axis=-1)
        deviation = values.std(axis=-1, ddof=1) if n > 1 else np.zeros_like(mean)
        spread = np.where(deviation > resolution, deviation, 0.0)
        return cls(n, mean, spread, *(np.broadcast_to(each, mean.shape) for each in (resolution, fixed)))

    @property
    def error(self) -> np.ndarray:
        """The standard error of the mean."""
        return self.spread / np.sqrt(self.n)


# Tests of the mean


def p_above(samples: Samples, bound: np.ndarray | float) -> np.ndarray:
    """One-sided p-value of "the mean is at most `bound`", small if the mean is above: a t test, and three exact cases.

    One seed proves nothing (1). Fixed values decide alone (0 or 1). Values that agree over seeds although the
    observations behind them vary are a coarse metric's ties, where t would be infinite: they get the sign test's 2^-n.
    """
    return _beyond(samples, samples.mean - bound)


def p_below(samples: Samples, bound: np.ndarray | float) -> np.ndarray:
    """One-sided p-value of "the mean is at least `bound`", small if the mean is below."""
    return _beyond(samples, bound - samples.mean)


def _beyond(samples: Samples, distance: np.ndarray) -> np.ndarray:
    """p_above and p_below for means so far beyond their bounds."""
    if samples.n < 2:
        return np.ones_like(distance)
    varied = samples.spread > 0
    t = np.divide(distance, samples.error, out=np.zeros_like(distance), where=varied)
    exact = np.where(distance <= samples.resolution, 1.0, np.where(samples.fixed, 0.0, 0.5**samples.n))
    return np.where(varied, special.stdtr(samples.n - 1, -t), exact)


def p_inside(samples: Samples, lower: np.ndarray | float, upper: np.ndarray | float) -> np.ndarray:
    """Two one-sided tests: p-value of "the mean is not in (lower, upper)", small if it is inside.

    A fixed value on the border counts as inside: it differs by no more than the margin.
    """
    tested = np.maximum(p_above(samples, lower), p_below(samples, upper))
    return np.where(_decided(samples), np.where(_between(samples, lower, upper), 0.0, 1.0), tested)


def p_not_above(samples: Samples, bound: np.ndarray | float) -> np.ndarray:
    """`p_below`, but that a fixed value on the bound, which no test of varied values can tell, is not above it: 0."""
    within = samples.mean - bound <= samples.resolution
    return np.where(_decided(samples), np.where(within, 0.0, 1.0), p_below(samples, bound))


def _decided(samples: Samples) -> np.ndarray:
    """Where nothing is left to chance."""
    return samples.fixed & (samples.spread == 0) & (samples.n > 1)


def _between(samples: Samples, lower: np.ndarray | float, upper: np.ndarray | float) -> np.ndarray:
    return (samples.mean >= lower - samples.resolution) & (samples.mean <= upper + samples.resolution)


# Intervals and power


def interval(samples: Samples, confidence: float) -> tuple[np.ndarray, np.ndarray] | None:
    """Two-sided t interval of the mean, its ends; None for one seed, a point where the values agree."""
    if samples.n < 2:
        return None
    half = special.stdtrit(samples.n - 1, (1 + confidence) / 2) * samples.error
    return samples.mean - half, samples.mean + half


def seeds_needed(distance: np.ndarray, spread: np.ndarray, level: float, power: float) -> np.ndarray:
    """Seeds at which a one-sided test at this level finds a mean that far beyond its bound with this probability.

    By the normal distribution: ((z_level + z_power) spread / distance)^2, infinite at no distance.
    """
    reach = special.ndtri(1 - level) + special.ndtri(power)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(distance > 0, (reach * spread / distance) ** 2, np.inf)
