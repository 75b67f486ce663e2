"""What the judge's corrections did, and its error rates and power, measured on the report's own observations when it is built.

False findings: the per-seed effects of every difference are centred, so that nothing is true, and their signs are flipped in all
ways, as exchanging the arms' labels within a seed would. Each flip is tested as the judge tests a claim that is alone in its
report. Taking the mean away is not neutral, so the same is done to normal noise, on which the t test is exact, to tell what a
perfect test would show. Power: the noncentral t at each claim's own spread.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from statistics import fmean
from typing import Any

import numpy as np
from scipy import special

from assay.judging.claims import ALPHA, HOLDS, POWER, Claims, corrected, p_values
from assay.judging.statistics import Samples, interval
from assay.language.looks import price

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
    """How often a claim without any effect would be said to hold; nominal: the most allowed.

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
    """Mean power for a true effect of so many margins, and how many claims reach 80%, of those that state a margin."""

    multiple: float
    percent: float
    enough: int
    claims: int


def differences(verdict: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The claims about two arms or an arm and a number, with spread over seeds."""
    return [item for item in verdict["expectations"] if item["kind"] == "difference" and item["spread"] > 0]


# False findings


def false_findings(judged: Judged) -> FalseFindings | None:
    """None where no study has effects with spread."""
    studies = [(verdict["first_look"], items) for _, verdict in judged if (items := differences(verdict))]
    if not studies:
        return None
    effects = [(look, np.array([item["values"] for item in items])) for look, items in studies]
    margins = [np.array([item["margin"] for item in items]) for _, items in studies]
    shares = [flipped(values, limits, look) for (look, values), limits in zip(effects, margins, strict=True)]
    hardest = [flipped(values, 0 * limits, look) for (look, values), limits in zip(effects, margins, strict=True)]
    return FalseFindings(
        flips=sum(len(signs(values.shape[1])) for _, values in effects),
        margins=rate(shares),
        hardest=rate(hardest),
        normal=100 * fmean(normal_share(values.shape[1], look) for look, values in effects),
        nominal=100 * ALPHA,
    )


def flipped(effects: np.ndarray, margins: np.ndarray, first_look: int) -> float:
    """Share of claims and sign patterns at which the centred effects (C, n) are said to hold."""
    centred = effects - effects.mean(axis=1, keepdims=True)
    patterns = signs(effects.shape[1])
    every = (centred[None] * patterns[:, None]).reshape(-1, effects.shape[1])
    p = corrected(p_values(Claims.differences(every, np.tile(margins, len(patterns))), first_look))
    return float((p[HOLDS] <= ALPHA).mean())


@cache
def signs(seeds: int) -> np.ndarray:
    """Sign patterns (P, seeds): all of them, or FLIPS drawn ones where there are more."""
    if 2**seeds <= FLIPS:
        return np.array(list(product((1.0, -1.0), repeat=seeds)))
    return np.random.default_rng(0).choice((1.0, -1.0), (FLIPS, seeds))


@cache
def normal_share(seeds: int, first_look: int) -> float:
    """The same share for independent normal noise, by simulation from a fixed seed."""
    return flipped(np.random.default_rng(0).standard_normal((NORMAL_STUDIES, seeds)), np.zeros(NORMAL_STUDIES), first_look)


def rate(shares: Sequence[float]) -> Rate:
    """Mean and interval over studies, in percent, cut at 0 and 100."""
    samples = Samples.of([100 * share for share in shares])
    low, high = interval(samples, 0.95) or (0.0, 100.0)
    return Rate(float(samples.mean), max(0.0, float(low)), min(100.0, float(high)), len(shares))


# Power


def power(item: Mapping[str, Any], effect: float, looks: int) -> float:
    """Probability that this true effect is found at the last look, at this spread, if half of the level is left to the claim."""
    seeds = len(item["values"])
    error = item["spread"] / math.sqrt(seeds)
    critical = special.stdtrit(seeds - 1, 1 - ALPHA / price(looks) / 2)
    return float(1 - special.nctdtr(seeds - 1, (effect - item["margin"]) / error, critical))


def powers(judged: Judged) -> list[Power]:
    """For each of MULTIPLES, over all differences that state a margin; empty where none does."""
    stated = [(item, len(verdict["looks"])) for _, verdict in judged for item in differences(verdict) if item["margin"] > 0]
    found = []
    for multiple in MULTIPLES if stated else ():
        each = [power(item, multiple * item["margin"], looks) for item, looks in stated]
        found.append(Power(multiple, 100 * fmean(each), sum(value >= POWER for value in each), len(each)))
    return found


# What the corrections did


@dataclass(frozen=True)
class Left:
    """What is left after a correction: claims that hold, claims that fail, and papers all of whose claims hold."""

    correction: str
    holds: int
    fails: int
    papers: int


@dataclass(frozen=True)
class Corrections:
    """How many claims, controls and papers there are, and what is left of them after each correction in turn."""

    claims: int
    controls: int
    papers: int
    left: tuple[Left, ...]


def corrections(judged: Judged) -> Corrections:
    """Counts over all studies; those whose controls failed are counted but decide nothing."""
    verdicts = [verdict for _, verdict in judged]
    valid = [verdict["expectations"] for verdict in verdicts if verdict["word"] != "invalid"]
    steps = {
        "each claim alone, at its last look": lambda claim: {word: claim["p"][word][-1] for word in ("holds", "fails")},
        "looks paid for": lambda claim: claim["P"],
        "over all claims": lambda claim: claim["q"],
    }
    left = [
        Left(
            correction,
            holds=sum(p(claim)["holds"] <= ALPHA for claims in valid for claim in claims),
            fails=sum(p(claim)["fails"] <= ALPHA for claims in valid for claim in claims),
            papers=sum(all(p(claim)["holds"] <= ALPHA for claim in claims) for claims in valid),
        )
        for correction, p in steps.items()
    ]
    gated = sum(verdict["word"] == "supported" for verdict in verdicts)
    return Corrections(
        claims=sum(len(verdict["expectations"]) for verdict in verdicts),
        controls=sum(len(verdict["controls"]) for verdict in verdicts),
        papers=len(verdicts),
        left=(*left, Left("the gate for papers", left[-1].holds, left[-1].fails, gated)),
    )
