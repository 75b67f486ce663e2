"""Values of one seed: numbers, or series of them over coordinates x, and the functions of a whole series."""

import math
from collections.abc import Callable

from assay.errors import EvidenceError, StudyError

Coordinate = float | str | None
Series = dict[Coordinate, float]


def coordinate(x: object) -> Coordinate:
    """The x that observations and expectations share: None if empty, a float if it reads as one, else text.

    Truth values are text, as a table stores them: `arm.metric["True"]`.
    """
    if x is None or x == "":
        return None
    try:
        number = float(str(x))
    except ValueError:
        return str(x)
    return number if math.isfinite(number) else str(x)


def shown(x: Coordinate) -> str:
    """A coordinate as messages write it."""
    return f"{x:g}" if isinstance(x, float) else str(x)


def listed(series: Series) -> str:
    """All x of a series as messages write them."""
    return ", ".join(map(shown, series))


def pointwise(operation: Callable[..., float], *values: float | Series) -> float | Series:
    """Apply an operation to numbers, or point by point where some of them are series over the same x."""
    series = [value for value in values if isinstance(value, dict)]
    if not series:
        return operation(*values)
    if any(other.keys() != series[0].keys() for other in series):
        raise EvidenceError(f"series over different x: {' and '.join(listed(each) for each in series)}")
    return {x: operation(*(value[x] if isinstance(value, dict) else value for value in values)) for x in series[0]}


def _log(value: float) -> float:
    if value <= 0:
        raise EvidenceError(f"the logarithm needs values > 0 and got {value:g}")
    return math.log(value)


def _numeric(series: Series) -> tuple[list[float], list[float]]:
    """x and y of a series over numbers, in order of x; at least two points."""
    if any(isinstance(x, str) for x in series):
        raise StudyError(f"a trend needs numbers as x and got {listed(series)}; use mean, min, max or an index")
    if len(series) < 2:
        raise EvidenceError(f"a trend needs two points or more and got x = {listed(series)}")
    return tuple(map(list, zip(*sorted(series.items()), strict=True)))


def _slope(series: Series) -> float:
    """Least-squares slope of y over x."""
    from scipy.stats import linregress  # imported when evaluated: checking a study needs no statistics

    return float(linregress(*_numeric(series)).slope)


def _loglog(series: Series) -> float:
    """Least-squares slope of log y over log x, the exponent of a power law."""
    x, y = _numeric(series)
    return _slope({_log(a): _log(b) for a, b in zip(x, y, strict=True)})


def _spearman(series: Series) -> float:
    """Rank correlation of y with x in [-1, 1]; 0 for a constant series, which has no trend."""
    from scipy.stats import spearmanr

    x, y = _numeric(series)
    return float(spearmanr(x, y).statistic) if len(set(y)) > 1 else 0.0


def _mean(series: Series) -> float:
    return math.fsum(series.values()) / len(series)


def _smallest(series: Series) -> float:
    return min(series.values())


def _largest(series: Series) -> float:
    return max(series.values())


POINTWISE = {"abs": abs, "log": _log}
AGGREGATES = {
    "slope": _slope,
    "loglog": _loglog,
    "spearman": _spearman,
    "mean": _mean,
    "min": _smallest,
    "max": _largest,
}
KEEPS_UNIT = {"abs", "mean", "min", "max"}
