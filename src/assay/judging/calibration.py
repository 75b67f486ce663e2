"""Calibration of the judge: how often it is wrong where the truth is known, and what it can see.

Effects with known truth go through the functions that `assay.judging.verdicts.judge` calls, as arrays: a verdict depends on
effects alone. In A/A studies all arms are the same thing, so every word but `open` is an error; in planted studies an arm is
better by a given number of standard deviations. bench/calibrate.py runs it and writes docs/judge.md's numbers.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from scipy import stats

from assay.judging.claims import ALPHA, FAILS, HOLDS, Claims, charged, p_values, prospects
from assay.judging.families import OPEN, Tier, gate, words_of
from assay.language.looks import scheduled

Noise = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
GRID = 1.0  # step of the coarse metric, in standard deviations of its noise: most values tie
IMAGES = 1024
FIRST_LOOK = 5
SEEDS = 40
LOOKS = scheduled(FIRST_LOOK, SEEDS)


# Noise


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_normal(shape)


def skewed(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Exponential noise: skewness 2, as of losses with occasional bad runs."""
    return rng.standard_exponential(shape) - 1


def heavy(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Student's t with 3 degrees of freedom: finite variance, infinite kurtosis, as of trainings that rarely collapse."""
    return rng.standard_t(3, shape) / np.sqrt(3)


def coarse(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Normal noise rounded to a grid as wide as its standard deviation, as of a share of few images."""
    return GRID * np.round(rng.standard_normal(shape) / GRID)


def accuracy(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Accuracies over 1,024 images of networks at 0.7 with deviation 0.02 between trainings: centred, with unit spread."""
    own = np.clip(0.7 + 0.02 * rng.standard_normal(shape), 0, 1)
    return (rng.binomial(IMAGES, own) / IMAGES - 0.7) / np.sqrt(0.02**2 + (0.7 * 0.3 - 0.02**2) / IMAGES)


NOISES: dict[str, Noise] = {"normal": normal, "skewed": skewed, "heavy": heavy, "coarse": coarse, "accuracy": accuracy}


# Rates


@dataclass(frozen=True)
class Rate:
    """Events among trials with the exact (Clopper and Pearson) 95% interval of their probability."""

    events: int
    trials: int

    @property
    def value(self) -> float:
        return self.events / self.trials

    @property
    def interval(self) -> tuple[float, float]:
        bounds = stats.binomtest(self.events, self.trials).proportion_ci(0.95, method="exact")
        return float(bounds.low), float(bounds.high)


@dataclass(frozen=True)
class Mean:
    """A mean over independent reports with its standard error."""

    value: float
    error: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Mean":
        values = np.array(list(values), float)
        return cls(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))))


# Draws


def paired(rng: np.random.Generator, noise: Noise, studies: int, effects: np.ndarray | list[float]) -> np.ndarray:
    """Per-seed effects (studies, claims, SEEDS) of claims that compare arms of their own with one baseline of the study.

    effects (claims,): in standard deviations of the paired difference. What all arms of a seed share cancels in it.
    """
    own = noise(rng, (studies, 1 + len(effects), SEEDS)) / np.sqrt(2)
    return np.asarray(effects)[:, None] + own[:, 1:] - own[:, :1]


def revised(rng: np.random.Generator, texts: int, studies: int) -> np.ndarray:
    """Per-seed effects (studies, texts, 2 FIRST_LOOK) of A/A studies whose text is changed after every second look."""
    return rng.standard_normal((studies, texts, 2 * FIRST_LOOK))


# Words after every look


def statements(effects: np.ndarray, margin: np.ndarray | float = 0.0, *, price: bool = True) -> np.ndarray:
    """P of every statement after every look, (4, ..., looks), of effects (..., seeds). price: whether looks cost anything."""
    flat = Claims.differences(effects.reshape(-1, effects.shape[-1]), np.broadcast_to(margin, effects.shape[:-1]).ravel())
    p = p_values(flat, FIRST_LOOK)
    found = np.minimum(1.0, np.minimum.accumulate(charged(p) if price else p, axis=-1))
    return found.reshape(4, *effects.shape[:-1], -1)


def words_alone(p: np.ndarray) -> np.ndarray:
    """Words of claims (...,) each of which is alone in its report, where q is P, from P (4, ...)."""
    return words_of(p[HOLDS], p[FAILS])


def supported_alone(p: np.ndarray) -> int:
    """How many papers are `supported`, each alone in its report, from P (4, papers, claims)."""
    return sum(bool(papers_of(p[:, [paper]]).supported[0]) for paper in range(p.shape[1]))


@dataclass(frozen=True)
class Words:
    """What `Family` says of papers with as many claims each, as arrays: claims (papers, claims) are HOLDS, FAILS or OPEN.

    supported, open (papers,): whether the paper has this word.
    """

    claims: np.ndarray
    reasons: np.ndarray
    supported: np.ndarray
    open: np.ndarray


def papers_of(p: np.ndarray) -> Words:
    """The words of a report from P (4, papers, claims)."""
    tier = Tier(p.reshape(4, -1))
    claims, reasons = tier.words().reshape(p.shape[1:]), tier.reasons().reshape(p.shape[1:])
    ranked = np.sort(np.concatenate([p[HOLDS], np.zeros((p.shape[1], 1))], axis=1), axis=1)
    a, b = ranked[:, -1], ranked[:, -2]
    supported = (claims == HOLDS).all(axis=1) & (a <= gate(a, b))
    return Words(claims, reasons, supported, ~supported & (claims != FAILS).all(axis=1))


def held_in_revisions(effects: np.ndarray, *, counted: bool) -> int:
    """How many studies hold in any text, alone in their reports, from the effects that `revised` draws.

    counted: whether looks at earlier texts count, as they must.
    """
    held = np.zeros(len(effects), bool)
    for text in range(effects.shape[1]):
        p = p_values(Claims.differences(effects[:, text]), FIRST_LOOK)
        each = charged(p, p.shape[-1] * text if counted else 0)
        held |= words_alone(np.minimum(1.0, each.min(axis=-1))) == HOLDS
    return int(held.sum())


# Reports


@dataclass(frozen=True)
class World:
    """What simulated reports are drawn from.

    draw: true effects (papers, claims) in standard deviations beyond the margin, 0 for a claim exactly on it. bases: the share
    of papers that use each of the baselines that papers share; empty where every paper has one of its own. signs: whether every
    second claim is the other way round, so that a lucky baseline helps one and hurts the next. margin: of all claims.
    """

    papers: int
    draw: Callable[[np.random.Generator, int], np.ndarray]
    bases: tuple[float, ...] = ()
    signs: bool = False
    margin: float = 0.0


AS_TODAY = (0.45, 0.12, 0.10, 0.09, 0.08, 0.06, 0.05, 0.05)
ONE = (1.0,)
CLAIMS = 4
ALIKE = 0.6  # the share of claims whose effect is of the same kind as that of the others of their paper


def real(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Effects of claims that are true; one in ten is too small for 40 seeds."""
    return rng.uniform(0.2, 4.0, shape)


def share_null(rng: np.random.Generator, papers: int, null: float) -> np.ndarray:
    """This share of the claims has no effect, more in some papers than in others (a Beta distribution; for a half uniform)."""
    effects = real(rng, (papers, CLAIMS))
    return np.where(rng.random(effects.shape) < rng.beta(2 * null, 2 * (1 - null), (papers, 1)), 0.0, effects)


def one_null(rng: np.random.Generator, papers: int, share: float) -> np.ndarray:
    """One claim has no effect, in this share of the papers."""
    effects = real(rng, (papers, CLAIMS))
    effects[rng.random(papers) < share, 0] = 0.0
    return effects


def realistic(rng: np.random.Generator, papers: int) -> np.ndarray:
    """The distribution fitted to the archive of forty studies: what a reader must expect of papers like these.

    Of the claims 32% are above 5 deviations, 31% at 1.6 to 3.5, 13% reversed, 21% at 0 to 0.75, 3% between; claims of one paper
    resemble each other (ALIKE).
    """
    parts = np.array([(5.0, 12.0), (1.6, 3.5), (-4.0, -1.0), (0.0, 0.75), (0.75, 1.6)])
    shares = (0.32, 0.31, 0.13, 0.21, 0.03)
    kind = rng.choice(len(parts), (papers, CLAIMS), p=shares)
    common = rng.choice(len(parts), (papers, 1), p=shares)
    kind = np.where(rng.random(kind.shape) < ALIKE, common, kind)
    return rng.uniform(parts[kind, 0], parts[kind, 1])


def opposite(rng: np.random.Generator, papers: int) -> np.ndarray:
    """Half of the claims are as far below zero as the margin of 1 is above: neither reversed nor absent, if only just."""
    effects = real(rng, (papers, CLAIMS))
    return np.where(rng.random(effects.shape) < 0.5, -2.0, effects)


TRUTHS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "half": partial(share_null, null=0.5),
    "most": partial(share_null, null=0.9),
    "one": partial(one_null, share=1.0),
    "one in 80%": partial(one_null, share=0.8),
    "realistic": realistic,
    "opposite": opposite,
}


@dataclass(frozen=True)
class Drawn:
    """A report: true effects beyond the margin (papers, claims), the per-seed effects as claims, and P after every look.

    p: (4, papers, claims, looks).
    """

    truth: np.ndarray
    claims: Claims
    p: np.ndarray

    @cached_property
    def prospects(self) -> np.ndarray:
        """Which claims have a prospect after every look, (papers, claims, looks)."""
        each = [np.isfinite(prospects(self.claims, FIRST_LOOK, n)) for n in LOOKS]
        return np.stack(each, axis=-1).reshape(*self.truth.shape, -1)


def drawn(rng: np.random.Generator, world: World) -> Drawn:
    """One report of normal noise. The papers that share a baseline share its noise, seed by seed."""
    truth = world.draw(rng, world.papers)
    own = rng.standard_normal((*truth.shape, SEEDS))
    base = rng.standard_normal((world.papers, SEEDS))
    if world.bases:
        base = base[rng.choice(len(world.bases), world.papers, p=world.bases)]
    sign = np.where(np.arange(truth.shape[1]) % 2, -1.0, 1.0) if world.signs else np.ones(truth.shape[1])
    effects = world.margin + truth[..., None] + sign[:, None] * (own - base[:, None]) / np.sqrt(2)
    claims = Claims.differences(effects.reshape(-1, SEEDS), world.margin)
    return Drawn(truth, claims, statements(effects, world.margin))


@dataclass(frozen=True)
class Reported:
    """What came out of one report: true effects (papers, claims), words, and how many seeds each paper took."""

    truth: np.ndarray
    words: Words
    seeds: np.ndarray

    @property
    def false_holds(self) -> float:
        """The share of claims said to hold that do not, 0 where none is said to."""
        return _share(self.truth <= 0, self.words.claims == HOLDS)

    @property
    def false_fails(self) -> float:
        """The share of claims said to fail that do not."""
        return _share(self.truth >= 0, self.words.claims == FAILS)

    @property
    def wrong_reasons(self) -> float:
        """The share of claims said to fail that are said to be reversed or absent, of claims of which neither is so."""
        return _share(self.words.reasons != "smaller", self.words.claims == FAILS)

    @property
    def false_supported(self) -> float:
        """The share of `supported` papers with a claim that does not hold."""
        return _share((self.truth <= 0).any(axis=1), self.words.supported)

    @property
    def false_without_gate(self) -> float:
        """The same of papers all of whose claims are said to hold."""
        return _share((self.truth <= 0).any(axis=1), (self.words.claims == HOLDS).all(axis=1))

    @property
    def decided(self) -> float:
        return float((self.words.claims != OPEN).mean())

    @property
    def found(self) -> float:
        """The share of true claims that are said to hold; nan where none is true."""
        true = self.truth > 0
        return float((self.words.claims == HOLDS)[true].mean()) if true.any() else np.nan


def _share(false: np.ndarray, said: np.ndarray) -> float:
    return float((false & said).sum() / max(1, said.sum()))


def reported(report: Drawn, *, limit: int = SEEDS, everywhere: bool = False, hopeless: bool = True) -> Reported:
    """Judge a report to the end.

    Seeds are bought, look by look up to the limit, for papers that are open and of whose open claims one has a prospect. For all
    papers if `everywhere`; for all with an open claim, whatever its prospects, if not `hopeless`.
    """
    looks = scheduled(FIRST_LOOK, limit)
    last = np.full(len(report.truth), len(looks) - 1 if everywhere else 0)
    while True:
        words = papers_of(np.take_along_axis(report.p, last[None, :, None, None], axis=-1)[..., 0])
        wanted = _hopeful(report, words, last) if hopeless else (words.claims == OPEN).any(axis=1)
        more = wanted & (last + 1 < len(looks))
        if not more.any():
            return Reported(report.truth, words, np.array(looks)[last])
        last = last + more


def _hopeful(report: Drawn, words: Words, last: np.ndarray) -> np.ndarray:
    """Which open papers have an open claim with a prospect, or none that is open and only the gate is not passed."""
    by_look = [report.prospects[..., look] for look in range(len(LOOKS))]
    prospect = np.choose(last[:, None], by_look)
    is_open = words.claims == OPEN
    return words.open & ((is_open & prospect).any(axis=1) | ~is_open.any(axis=1) | (last == 0))


# What each correction costs


@dataclass(frozen=True)
class Corrections:
    """The share of a report's claims that are decided by their own p of the last look at 5%, with looks paid for, and corrected
    over all claims; and of papers all of whose claims hold so, last those that pass the gate."""

    raw: float
    looks: float
    claims: float
    papers_raw: float
    papers_looks: float
    papers_claims: float
    papers_gate: float


def corrections(report: Drawn, limit: int) -> Corrections:
    """What the corrections leave, one after the other, with this many seeds for all."""
    look = len(scheduled(FIRST_LOOK, limit)) - 1
    raw = p_values(report.claims, FIRST_LOOK)[..., look].reshape(4, *report.truth.shape)
    paid = report.p[..., look]
    whole = reported(report, limit=limit, everywhere=True)
    return Corrections(
        raw=float((raw[:2] <= ALPHA).any(axis=0).mean()),
        looks=float((paid[:2] <= ALPHA).any(axis=0).mean()),
        claims=whole.decided,
        papers_raw=float((raw[HOLDS] <= ALPHA).all(axis=1).mean()),
        papers_looks=float((paid[HOLDS] <= ALPHA).all(axis=1).mean()),
        papers_claims=float((whole.words.claims == HOLDS).all(axis=1).mean()),
        papers_gate=float(whole.words.supported.mean()),
    )


# Real trainings


def twins(rows: Iterable[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Observations of identical arms (they differ in random draws alone) as {metric: (seeds, arms)}."""
    values: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        values[row["metric"]][int(row["seed"])].append(float(row["value"]))
    return {metric: np.array([by_seed[seed] for seed in sorted(by_seed)]) for metric, by_seed in values.items()}


def twin_effects(values: np.ndarray, *, studies: int, seed: int) -> np.ndarray:
    """Per-seed effects (studies, seeds) of A/A studies made of real trainings (seeds, arms): two different arms drawn anew
    within each seed.

    The arms of a seed are exchangeable, so every such study is one that could have been run.
    """
    rng = np.random.default_rng(seed)
    order = rng.random((studies, *values.shape)).argsort(axis=-1)[..., :2]
    chosen = np.take_along_axis(np.broadcast_to(values, (studies, *values.shape)), order, axis=-1)
    return chosen[..., 1] - chosen[..., 0]
