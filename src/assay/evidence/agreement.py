"""Agreement: do recomputed observations say what the archived ones said?

    identical            the same observations, byte for byte
    within seed noise    some values differ, by no more than a repetition with other seeds would
    drifted              a mean moved further than that
    not compared         there is nothing to compare, and the reason is given

Means over seeds are compared for each arm, metric and x. Seeds vary by a standard deviation s, pooled over both sides; two means
of n independent seeds then differ by s * sqrt(2 / n) * t, where t is the quantile that all m means of a study together exceed
in 5% of repetitions (Bonferroni). Recomputing uses the same seeds, so this is generous: what exceeds it is no noise. Relative
differences up to `ROUNDING` count as none, since single precision keeps seven digits.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from assay.evidence.tables import Evidence, Observation
from assay.language.draws import made_under

LEVEL = 0.05
ROUNDING = 1e-6
IDENTICAL, WITHIN, DRIFTED, NOT_COMPARED = WORDS = ("identical", "within seed noise", "drifted", "not compared")


@dataclass(frozen=True)
class Difference:
    """Two means over seeds, and how far they lie apart as a multiple of what seeds explain."""

    arm: str
    metric: str
    x: float | str | None
    archived: float
    recomputed: float
    ratio: float


@dataclass(frozen=True)
class Agreement:
    """One of WORDS; why nothing was compared, or the largest difference and how many means differ of how many."""

    word: str
    reason: str = ""
    largest: Difference | None = None
    differing: int = 0
    means: int = 0


def not_compared(reason: str) -> Agreement:
    """There is nothing to compare."""
    return Agreement(NOT_COMPARED, reason)


def compare(recomputed: Evidence, archived: Evidence) -> Agreement:
    """How well two measurements of one study agree."""
    if made_under(recomputed.provenance) != made_under(archived.provenance):
        return not_compared("they are of other draws")
    if recomputed.provenance["study_sha256"] != archived.provenance["study_sha256"]:
        return not_compared("what the study measures changed since")
    if recomputed.provenance["sha256"] == archived.provenance["sha256"]:
        return Agreement(IDENTICAL)
    new, old = _by_mean(recomputed.observations), _by_mean(archived.observations)
    if new.keys() != old.keys() or any(new[key].keys() != old[key].keys() for key in new):
        return not_compared("arms, metrics, x or seeds differ")
    differences = [_difference(key, list(old[key].values()), [new[key][seed] for seed in old[key]], len(new)) for key in new]
    largest = max(differences, key=lambda difference: difference.ratio)
    differing = sum(difference.ratio > 0 for difference in differences)
    return Agreement(DRIFTED if largest.ratio > 1 else WITHIN, "", largest, differing, len(differences))


def _by_mean(observations: Iterable[Observation]) -> dict[tuple, dict[int, float]]:
    """Values by seed for each arm, metric and x."""
    found: dict[tuple, dict[int, float]] = {}
    for row in observations:
        found.setdefault((row.arm, row.metric, row.x), {})[row.seed] = row.value
    return found


def _difference(key: tuple, archived: Sequence[float], recomputed: Sequence[float], means: int) -> Difference:
    old, new = float(np.mean(archived)), float(np.mean(recomputed))
    gap = abs(new - old)
    if gap <= ROUNDING * max(abs(new), abs(old)):
        return Difference(*key, old, new, 0.0)
    allowed = explained(archived, recomputed, means)
    return Difference(*key, old, new, gap / allowed if allowed else float("inf"))


def explained(archived: Sequence[float], recomputed: Sequence[float], means: int) -> float:
    """The difference of two means that seeds explain; nothing is explained by a single seed."""
    from scipy.special import stdtrit  # a quarter of a core-second, in every run's main process, which compares nothing

    n = len(archived)
    if n == 1:
        return 0.0
    spread = sqrt((np.var(archived, ddof=1) + np.var(recomputed, ddof=1)) / 2)
    return spread * sqrt(2 / n) * float(stdtrit(2 * n - 2, 1 - LEVEL / (2 * means)))
