"""Calibration of the judge: how often it is wrong where the truth is known, and what it can see.

Studies with known truth go through `assay.judging.verdicts.judge` itself. In A/A studies all arms are the same thing, so every
direction reported is an error; in planted studies an arm is better by a given number of standard deviations.
bench/calibrate.py runs it and writes docs/judge.md's numbers.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from assay.judging.verdicts import judge

Noise = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
GRID = 1.0  # step of the coarse metric, in standard deviations of its noise: most values tie


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_normal(shape)


def skewed(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Exponential noise: skewness 2, as of losses with occasional bad runs."""
    return rng.standard_exponential(shape) - 1


def heavy(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Student's t with 3 degrees of freedom: finite variance, infinite kurtosis, as of trainings that rarely collapse."""
    return rng.standard_t(3, shape) / np.sqrt(3)


def coarse(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Normal noise rounded to a grid as wide as its standard deviation, as of an accuracy over few images."""
    return GRID * np.round(rng.standard_normal(shape) / GRID)


NOISES: dict[str, Noise] = {"normal": normal, "skewed": skewed, "heavy": heavy, "coarse": coarse}


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


def observed(arms: Mapping[str, Sequence[float]]) -> list[dict[str, Any]]:
    """Observations of metric `m`, one value a seed for each arm."""
    return [
        {"arm": arm, "seed": seed, "metric": "m", "x": "", "value": value}
        for arm, values in arms.items()
        for seed, value in enumerate(values)
    ]


Study = tuple[dict[str, Any], list[dict[str, Any]]]
"""A study as the judge takes it, and its observations."""


def planted_study(rng: np.random.Generator, noise: Noise, *, seeds: int, effects: Sequence[float]) -> Study:
    """A study whose arm i is above a shared baseline by effects[i], in standard deviations of the paired difference.

    All arms share the seed's own noise, as trainings on the same data do; pairing must remove it.
    """
    shared = 3 * noise(rng, (seeds,))
    own = noise(rng, (1 + len(effects), seeds)) / np.sqrt(2)
    values = shared + own + np.array([0.0, *effects])[:, None]
    names = ["base", *(f"arm{index}" for index in range(len(effects)))]
    study = {"name": "planted", "paper": "", "expect": [f"{name}.m > base.m" for name in names[1:]]}
    return study, observed(dict(zip(names, values.tolist(), strict=True)))


def bound_study(rng: np.random.Generator, noise: Noise, *, seeds: int) -> Study:
    """An equivalence whose truth lies on the bound, four standard deviations out: calling it inside is an error."""
    study, rows = planted_study(rng, noise, seeds=seeds, effects=[4.0])
    return study | {"expect": ["-4 < arm0.m - base.m < 4"]}, rows


def threshold_study(rng: np.random.Generator, noise: Noise, *, seeds: int, direction: str) -> Study:
    """A study that compares one arm with a number equal to its true mean: nothing is paired, so skewness stays."""
    study = {"name": "threshold", "paper": "", "expect": [f"arm.m {direction} 0"]}
    return study, observed({"arm": noise(rng, (seeds,)).tolist()})


def alone(study: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The record of a study that is alone in its report, where the correction over studies cannot help it."""
    return judge([study], {study["name"]: rows})["studies"][study["name"]]


def share(events: Iterable[bool]) -> Rate:
    events = list(events)
    return Rate(sum(events), len(events))


def simulated(make: Callable[..., Study], noise: str, *, studies: int, seed: int, **setting: Any) -> list[dict]:
    """Records of independent studies of one kind, each judged alone."""
    rng = np.random.default_rng(seed)
    return [alone(*make(rng, NOISES[noise], **setting)) for _ in range(studies)]


def supported(records: Iterable[Mapping[str, Any]]) -> Rate:
    """How often the study's verdict is `supported`."""
    return share(record["verdict"] == "supported" for record in records)


def misdirected(records: Iterable[Mapping[str, Any]], effects: Sequence[float]) -> Rate:
    """How often any expectation without an effect gets a direction, either way."""
    null = [index for index, effect in enumerate(effects) if effect == 0]
    return share(
        any(record["expectations"][index]["verdict"] in ("supported", "contradicted") for index in null) for record in records
    )


@dataclass(frozen=True)
class Discoveries:
    """Verdicts `supported` over many reports: the share that is false, report by report, and the power."""

    false_share: float
    standard_error: float
    power: float


def discoveries(noise: str, *, seeds: int, real: int, null: int, effect: float, reports: int, seed: int) -> Discoveries:
    """Judge reports of `real` studies with a planted effect and `null` A/A studies together, with all corrections."""
    rng = np.random.default_rng(seed)
    shares, found = [], 0
    for _ in range(reports):
        studies, observations = [], {}
        for index, planted in enumerate([effect] * real + [0.0] * null):
            study, rows = planted_study(rng, NOISES[noise], seeds=seeds, effects=[planted])
            study["name"] = f"study{index}"
            studies.append(study)
            observations[study["name"]] = rows
        judged = judge(studies, observations)["studies"].values()
        supported = [record["verdict"] == "supported" for record in judged]
        shares.append(sum(supported[real:]) / max(1, sum(supported)))
        found += sum(supported[:real])
    error = float(np.std(shares, ddof=1) / np.sqrt(reports))
    return Discoveries(float(np.mean(shares)), error, found / max(1, real * reports))


# Real trainings


def twins(rows: Iterable[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Observations of identical arms (they differ in random draws alone) as {metric: (seeds, arms)}."""
    values: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        values[row["metric"]][int(row["seed"])].append(float(row["value"]))
    return {metric: np.array([by_seed[seed] for seed in sorted(by_seed)]) for metric, by_seed in values.items()}


def twin_records(values: np.ndarray, *, studies: int, seed: int) -> list[dict]:
    """Records of A/A studies made of real trainings (seeds, arms): two different arms drawn anew within each seed.

    The arms of a seed are exchangeable, so every such study is one that could have been run.
    """
    rng = np.random.default_rng(seed)
    study = {"name": "twins", "paper": "", "expect": ["second.m > first.m"]}
    records = []
    for _ in range(studies):
        first, second = np.array([rng.choice(each, size=2, replace=False) for each in values]).T.tolist()
        records.append(alone(study, observed({"first": first, "second": second})))
    return records
