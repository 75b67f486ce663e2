"""What a measurement gives: numbers with intervals over images, and what each image adds, so that models can be compared.

A share of images has Clopper and Pearson's exact interval; a mean over images the percentile interval of a bootstrap over
images; what is computed from all of them the same, moved so that the value is where the resamples' mean was: calibration errors
are larger on resamples than on the images, since what stands twice is further from calibrated. The resamples are the same for
every model, so that differences are paired.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import beta
from torch import Tensor

from assay.data.seeds import seed_of

LEVEL = 0.95
RESAMPLES = 1000  # of means
FEWER = 200  # of what is computed anew from each resample
EXACT, BOOTSTRAP, NONE = "exact binomial", "bootstrap over images", ""


@dataclass(frozen=True)
class Value:
    """One number. x: which of several (a corruption, a class, a size), None for the only one. images: how many it rests on.

    rows: (N,) what each image adds, of which the value is the mean. draws: (B,) the value on each resample, where it is no mean.
    """

    metric: str
    x: str | float | None
    value: float
    low: float | None = None
    high: float | None = None
    images: int = 0
    interval: str = NONE
    rows: np.ndarray | None = field(default=None, repr=False)
    draws: np.ndarray | None = field(default=None, repr=False)

    @property
    def key(self) -> str:
        """The metric with what it is of."""
        return self.metric if self.x is None else f"{self.metric} {self.x}"


@dataclass(frozen=True)
class Skipped:
    """What does not apply, and why, in a line."""

    metric: str
    reason: str


def fact(metric: str, value: float, x: str | float | None = None) -> Value:
    """A number that no image has a part in."""
    return Value(metric, x, float(value))


def mean(metric: str, rows: Tensor | np.ndarray, x: str | float | None = None) -> Value:
    """The mean over images of rows (N,), N > 0; of zeros and ones it is a share of images."""
    values = np.asarray(rows.detach().cpu() if isinstance(rows, Tensor) else rows, np.float64)
    if np.isin(values, (0, 1)).all():
        return Value(metric, x, float(values.mean()), *exact(int(values.sum()), len(values)), len(values), EXACT, values)
    draws = np.array([values[rows].mean() for rows in resamples(len(values), RESAMPLES)])
    return Value(metric, x, float(values.mean()), *ends(draws).tolist(), len(values), BOOTSTRAP, values, draws)


def statistic(metric: str, function: Callable[..., float], *arrays: Tensor | np.ndarray, x: str | float | None = None) -> Value:
    """function(*arrays), whose first axis is images, with its interval over resampled images."""
    count = len(arrays[0])
    draws = np.array([function(*(array[rows] for array in arrays)) for rows in resamples(count, FEWER)])
    value = float(function(*arrays))
    return Value(metric, x, value, *around(value, draws), count, BOOTSTRAP, None, draws)


def exact(right: int, count: int, level: float = LEVEL) -> tuple[float, float]:
    """Clopper and Pearson's interval of a share, `right` of `count`."""
    tail = (1 - level) / 2
    low = beta.ppf(tail, right, count - right + 1) if right else 0.0
    high = beta.ppf(1 - tail, right + 1, count - right) if right < count else 1.0
    return float(low), float(high)


def ends(draws: np.ndarray, level: float = LEVEL) -> np.ndarray:
    """(2,) the percentile interval of a bootstrap's draws (B,)."""
    tail = (1 - level) / 2
    return np.quantile(draws, (tail, 1 - tail))


def around(value: float, draws: np.ndarray) -> tuple[float, float]:
    """The percentile interval of draws (B,), none negative, moved by what their mean is above the value; not beyond 0 or the
    largest of all."""
    low, high = ends(draws) - (draws.mean() - value)
    return float(max(low, 0.0)), float(min(high, max(draws.max(), value)))


def resamples(count: int, times: int, *names: object) -> Iterator[np.ndarray]:
    """`times` arrays of `count` rows drawn with replacement, the same whenever they are asked for under the same names."""
    generator = np.random.default_rng(seed_of("scorecard", "bootstrap", count, *names))
    return (generator.integers(0, count, count) for _ in range(times))


def of_sets(
    metric: str, function: Callable[..., float], pairs: list[tuple[np.ndarray, np.ndarray]], x: str | float | None = None
) -> Value:
    """The mean of function(first, second) over pairs of sets, with its interval over the members of all sets, each resampled
    on its own; the first sets of all pairs are rows of the same images."""

    def drawn(rows: np.ndarray, others: tuple[np.ndarray, ...]) -> float:
        return float(np.mean([function(one[rows], two[more]) for (one, two), more in zip(pairs, others, strict=True)]))

    firsts = resamples(len(pairs[0][0]), FEWER)
    seconds = zip(*(resamples(len(second), FEWER, "set", place) for place, (_, second) in enumerate(pairs)), strict=True)
    draws = np.array([drawn(rows, others) for rows, others in zip(firsts, seconds, strict=True)])
    value = float(np.mean([function(*pair) for pair in pairs]))
    return Value(metric, x, value, *around(value, draws), len(pairs[0][0]), BOOTSTRAP, None, draws)
