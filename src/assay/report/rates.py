"""Error rates and power of the judge measured on the report's own observations, when the report is built.

False findings: the per-seed effects of every difference are centred, so that nothing is true, and their signs are flipped in
all ways, all expectations of a study alike, as exchanging the arms' labels within a seed would. Each flip is tested as the judge
tests: t tests over seeds, each direction at half of alpha, Holm within the study. Taking the mean
away is not neutral, so the same is done to normal noise, on which the t test is exact, to tell what a perfect test would show.
Power: the noncentral t at each expectation's own spread, as `detectable` in assay.judging.verdicts.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from statistics import fmean
from typing import Any

import numpy as np
from scipy import special

from assay.judging.statistics import Sample, holm, interval, p_above, p_inside
from assay.judging.verdicts import ALPHA, POWER

FLIPS = 256  # of all sign patterns at most so many; 8 seeds have 256
NORMAL_STUDIES = 400
MULTIPLES = (1.5, 2, 3, 5, 10)  # true effects, in margins
Judged = Sequence[tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class Rate:
    """A share over studies in percent, its 95% interval (t over studies, which are the independent units), and how many."""

    percent: float
    low: float
    high: float
    studies: int


@dataclass(frozen=True)
class FalseFindings:
    """How often a study without any effect would give a direction to one of its expectations; nominal: the most allowed.

    margins: with the margins as stated. hardest: with margins of zero, which is what an effect exactly on its margin meets.
    normal: the same as hardest for normal noise in place of the effects.
    """

    flips: int
    margins: Rate
    hardest: Rate
    normal: float
    nominal: float


@dataclass(frozen=True)
class Power:
    """Mean power for a true effect of so many margins, and how many expectations reach 80%, of those that state a margin."""

    multiple: float
    percent: float
    enough: int
    expectations: int


def differences(verdict: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The claim's expectations of two arms or an arm and a number, with spread over seeds."""
    return [item for item in verdict["expectations"] if item["kind"] == "difference" and item["standardised"] is not None]


# False findings


def false_findings(judged: Judged) -> FalseFindings | None:
    """None where no study has effects with spread."""
    studies = [items for _, verdict in judged if (items := differences(verdict))]
    if not studies:
        return None
    effects = [np.array([item["values"] for item in items]) for items in studies]
    margins = [np.array([item["margin"] for item in items]) for items in studies]
    shares = [flipped(values, limits) for values, limits in zip(effects, margins, strict=True)]
    hardest = [flipped(values, 0 * limits) for values, limits in zip(effects, margins, strict=True)]
    return FalseFindings(
        flips=sum(len(signs(values.shape[1])) for values in effects),
        margins=rate(shares),
        hardest=rate(hardest),
        normal=100 * fmean(normal_share(*values.shape) for values in effects),
        nominal=100 * ALPHA,
    )


def flipped(effects: np.ndarray, margins: np.ndarray) -> float:
    """Share of sign patterns at which any of the centred effects (E, n) gets a direction after Holm."""
    centred = effects - effects.mean(axis=1, keepdims=True)
    patterns = signs(effects.shape[1])
    return float(directed(centred[None] * patterns[:, None], margins).mean())


@cache
def signs(seeds: int) -> np.ndarray:
    """Sign patterns (P, seeds): all of them, or FLIPS drawn ones where there are more."""
    if 2**seeds <= FLIPS:
        return np.array(list(product((1.0, -1.0), repeat=seeds)))
    return np.random.default_rng(0).choice((1.0, -1.0), (FLIPS, seeds))


def directed(effects: np.ndarray, margins: np.ndarray) -> np.ndarray:
    """Whether any expectation is supported or contradicted, for effects (P, E, n): shape (P,).

    Holm rejects something if and only if it rejects the smallest p, so one comparison a direction is enough.
    """
    count, seeds = effects.shape[1:]
    error = effects.std(axis=2, ddof=1) / math.sqrt(seeds)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.nan_to_num(np.maximum((effects.mean(axis=2) - margins) / error, (-effects.mean(axis=2) - margins) / error))
    return (2 * count * special.stdtr(seeds - 1, -t) <= ALPHA).any(axis=1)


@cache
def normal_share(expectations: int, seeds: int) -> float:
    """The same share for independent normal noise, by simulation from a fixed seed."""
    draws = np.random.default_rng(0).standard_normal((NORMAL_STUDIES, expectations, seeds))
    return fmean(flipped(values, np.zeros(expectations)) for values in draws)


def rate(shares: Sequence[float]) -> Rate:
    """Mean and interval over studies, in percent, cut at 0 and 100."""
    sample = Sample(tuple(100 * share for share in shares))
    low, high = interval(sample, 0.95) or (0.0, 100.0)
    return Rate(sample.mean, max(0.0, low), min(100.0, high), len(shares))


# Power


def power(item: Mapping[str, Any], effect: float, expectations: int) -> float:
    """Probability that this true effect is supported, at this spread and number of seeds and Holm's strictest step."""
    seeds = len(item["values"])
    error = Sample(tuple(item["values"])).spread / math.sqrt(seeds)
    critical = special.stdtrit(seeds - 1, 1 - ALPHA / 2 / expectations)
    return float(1 - special.nctdtr(seeds - 1, (effect - item["margin"]) / error, critical))


def powers(judged: Judged) -> list[Power]:
    """For each of MULTIPLES, over all differences that state a margin; empty where none does."""
    stated = [
        (item, len(verdict["expectations"])) for _, verdict in judged for item in differences(verdict) if item["margin"] > 0
    ]
    found = []
    for multiple in MULTIPLES if stated else ():
        each = [power(item, multiple * item["margin"], count) for item, count in stated]
        found.append(Power(multiple, 100 * fmean(each), sum(value >= POWER for value in each), len(each)))
    return found


# What the corrections did


@dataclass(frozen=True)
class Corrections:
    """Tests made, and expectations (of the claims and beside them) and studies that are supported without and with corrections.

    tests: each expectation is tested for support, contradiction and absence; an equivalence for the first two.
    """

    expectations: int
    controls: int
    tests: int
    supported_alone: int
    supported_holm: int
    studies: int
    studies_alone: int
    studies_holm: int
    studies_both: int


def corrections(judged: Judged) -> Corrections:
    """Counts over all studies; those whose controls failed are tested but support nothing."""
    verdicts = [verdict for _, verdict in judged]
    valid = [verdict for verdict in verdicts if verdict["verdict"] != "invalid"]
    tiers = [tier for verdict in verdicts for tier in (verdict["expectations"], verdict["secondary"])]
    items = [item for tier in tiers for item in tier]
    tested = [tier for verdict in valid for tier in (verdict["expectations"], verdict["secondary"])]
    alone = [[p_supported(item) for item in verdict["expectations"]] for verdict in valid]
    return Corrections(
        expectations=len(items),
        controls=sum(len(verdict["controls"]) for verdict in verdicts),
        tests=sum(2 if item["kind"] == "equivalence" else 3 for item in items),
        supported_alone=sum(p_supported(item) <= ALPHA for tier in tested for item in tier),
        supported_holm=sum(p <= ALPHA for tier in tested for p in holm([p_supported(item) for item in tier])),
        studies=len(verdicts),
        studies_alone=_all_supported(alone),
        studies_holm=_all_supported(holm(ps) for ps in alone),
        studies_both=sum(verdict["verdict"] == "supported" for verdict in verdicts),
    )


def _all_supported(studies: Iterable[Sequence[float]]) -> int:
    return sum(max(ps) <= ALPHA for ps in studies)


def p_supported(item: Mapping[str, Any]) -> float:
    """The expectation's own p-value for `supported`, before any correction, from its record."""
    sample = restored(item)
    if item["kind"] == "equivalence":
        return p_inside(sample, *item["bounds"])
    return min(1.0, 2 * p_above(sample, item["margin"]))


def restored(item: Mapping[str, Any]) -> Sample:
    """The per-seed effects as they were judged; where they had no spread but rounding, the record says so."""
    if item["standardised"] is not None:
        return Sample(tuple(item["values"]))
    fixed = item["note"].startswith("the same for every seed: decided")
    return Sample((item["effect"],) * len(item["values"]), fixed=fixed)
