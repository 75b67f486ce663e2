"""Statistics of one number a seed: tests and intervals of the mean, what n seeds would show, corrections for many tests."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from scipy import special


@dataclass(frozen=True)
class Sample:
    """One number a seed, (n,), and how finely such numbers can be told apart.

    `fixed`: every observation behind them is the same for all seeds, up to rounding (closed-form arms), so nothing is left to
    chance.
    """

    values: tuple[float, ...]
    resolution: float = 0.0
    fixed: bool = False

    @property
    def n(self) -> int:
        return len(self.values)

    @cached_property
    def mean(self) -> float:
        return math.fsum(self.values) / self.n

    @cached_property
    def spread(self) -> float:
        """Standard deviation over seeds (n - 1), 0 where it is mere rounding."""
        if self.n < 2:
            return 0.0
        deviation = math.sqrt(math.fsum((value - self.mean) ** 2 for value in self.values) / (self.n - 1))
        return deviation if deviation > self.resolution else 0.0


# Tests of one sample


def p_above(sample: Sample, bound: float) -> float:
    """One-sided p-value of "the mean is at most `bound`", small if the mean is above: a t test, and three exact cases.

    One seed proves nothing (1). Fixed values decide alone (0 or 1). Values that agree over seeds although the
    observations behind them vary are a coarse metric's ties, where t would be infinite: they get the sign test's 2^-n.
    """
    above = sample.mean - bound
    if sample.n < 2:
        return 1.0
    if sample.spread > 0:
        return float(special.stdtr(sample.n - 1, -above * math.sqrt(sample.n) / sample.spread))
    if above <= sample.resolution:
        return 1.0
    return 0.0 if sample.fixed else 0.5**sample.n


def p_below(sample: Sample, bound: float) -> float:
    """One-sided p-value of "the mean is at least `bound`", small if the mean is below."""
    return p_above(_negated(sample), -bound)


def p_inside(sample: Sample, lower: float, upper: float) -> float:
    """Two one-sided tests: p-value of "the mean is not in (lower, upper)", small if it is inside.

    A fixed value on the border counts as inside: it differs by no more than the margin.
    """
    if sample.fixed and sample.n > 1:
        return float(not lower - sample.resolution <= sample.mean <= upper + sample.resolution)
    return max(p_above(sample, lower), p_below(sample, upper))


def interval(sample: Sample, confidence: float) -> tuple[float, float] | None:
    """Two-sided t interval of the mean; None for one seed, a point where the values agree."""
    if sample.n < 2:
        return None
    half = float(special.stdtrit(sample.n - 1, (1 + confidence) / 2)) * sample.spread / math.sqrt(sample.n)
    return sample.mean - half, sample.mean + half


@cache
def standard_errors_to_detect(n: int, level: float, power: float) -> float:
    """True mean, in standard errors, that a one-sided t test of n values at `level` finds with probability `power`.

    The noncentrality at which the noncentral t leaves 1 - power below the critical value.
    """
    critical = float(special.stdtrit(n - 1, 1 - level))
    return float(special.nctdtrinc(n - 1, 1 - power, critical))


def _negated(sample: Sample) -> Sample:
    return Sample(tuple(-value for value in sample.values), sample.resolution, sample.fixed)


# Corrections


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values: at most alpha where the step-down procedure rejects at family-wise level alpha."""
    count, adjusted, running = len(p_values), [0.0] * len(p_values), 0.0
    for rank, index in enumerate(_ascending(p_values)):
        running = max(running, min(1.0, (count - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """q-values: at most alpha where the step-up procedure rejects at false-discovery rate alpha."""
    count, adjusted, running = len(p_values), [0.0] * len(p_values), 1.0
    for rank, index in reversed(list(enumerate(_ascending(p_values), 1))):
        running = min(running, p_values[index] * count / rank)
        adjusted[index] = running
    return adjusted


def _ascending(p_values: Sequence[float]) -> list[int]:
    return sorted(range(len(p_values)), key=p_values.__getitem__)
