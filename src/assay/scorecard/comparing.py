"""Models side by side: which differences are real, errors as a multiple of the reference's, how alike representations are.

Differences are paired, image by image: of shares by McNemar's exact test, of means by a paired t test, of what is computed from
all images by its bootstrap, whose resamples are the same for all models. All p-values of a report are corrected by Holm.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import torch
from scipy import stats

from assay.scorecard.groups import Group
from assay.scorecard.measuring import Measured
from assay.scorecard.subject import plug
from assay.scorecard.values import RESAMPLES, Value, ends, resamples

Results = Mapping[str, Mapping[str, Measured]]  # by model and group
ALPHA = 0.05
MCE = "Mean corruption error [reference is 1, lower is better]: corrupted error as a multiple of the reference's, by corruption"
CKA = "Similarity of representations [0 to 1, neither is better]: linear CKA of features on the same images"


@dataclass(frozen=True)
class Difference:
    """The first model's number less the second's. p: corrected; real: whether it is below ALPHA. test: how p was found."""

    group: str
    key: str
    first: str
    second: str
    value: float
    low: float
    high: float
    p: float
    test: str

    @property
    def real(self) -> bool:
        return self.p < ALPHA


def differences(results: Results, groups: Sequence[Group]) -> list[Difference]:
    """Of every pair of models in every headline metric that both have, p-values corrected together."""
    found = []
    for group in groups:
        for first, second in combinations(results, 2):
            one, other = (_by_key(results[model].get(group.name)) for model in (first, second))
            common = [key for key in one if key in other and one[key].metric in group.headline]
            found += [_difference(group.name, first, second, one[key], other[key]) for key in common if one[key].interval]
    return [replace(each, p=p) for each, p in zip(found, holm([each.p for each in found]), strict=True)]


def _by_key(measured: Measured | None) -> dict[str, Value]:
    return {value.key: value for value in measured.values} if measured else {}


def _difference(group: str, first: str, second: str, one: Value, other: Value) -> Difference:
    named = (group, one.key, first, second, one.value - other.value)
    paired = one.rows is not None and other.rows is not None and len(one.rows) == len(other.rows)
    if paired:
        rows = one.rows - other.rows
        bounds = ends(np.array([rows[drawn].mean() for drawn in resamples(len(rows), RESAMPLES)])).tolist()
        return Difference(*named, *bounds, *_of_rows(one.rows, other.rows))
    draws = _matching(one, other)
    spread = draws.std(ddof=1)
    p = 2 * stats.norm.sf(abs(one.value - other.value) / spread) if spread > 0 else float(one.value == other.value)
    return Difference(*named, *ends(draws).tolist(), float(p), "bootstrap")


def _of_rows(one: np.ndarray, other: np.ndarray) -> tuple[float, str]:
    """A p-value of "the means are equal", and the test it is of."""
    if np.isin(one, (0, 1)).all() and np.isin(other, (0, 1)).all():
        better, worse = int((one > other).sum()), int((one < other).sum())
        p = stats.binomtest(better, better + worse).pvalue if better + worse else 1.0
        return float(p), "McNemar, exact"
    if np.ptp(one - other) == 0:
        return float((one == other).all()), "paired t"
    return float(stats.ttest_rel(one, other).pvalue), "paired t"


def _matching(one: Value, other: Value) -> np.ndarray:
    """Differences over the same resamples; where numbers of images differ they are over resamples of each."""
    first, second = (value.draws if value.draws is not None else np.full(1, value.value) for value in (one, other))
    count = min(len(first), len(second))
    return first[:count] - second[:count]


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's corrected p-values, in the order given."""
    order = np.argsort(p_values, kind="stable")
    scaled = np.asarray(p_values, float)[order] * np.arange(len(order), 0, -1)
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return corrected.tolist()


def corruption_ratios(results: Results, reference: str) -> dict[str, Value]:
    """Each model's mean corruption error by the reference's errors on the same images; 1 for the reference. None of a model
    that was not measured under corruptions, or on other images."""
    errors = {name: _kept(groups.get("corruptions"), "corruption_errors") for name, groups in results.items()}
    base = errors.get(reference)
    if base is None:
        return {}
    ratio = plug("metrics/mce", least=1 / len(base))
    others = {name: own for name, own in errors.items() if name != reference and own is not None and own.shape == base.shape}
    one = Value("mce", None, 1.0, images=len(base))  # by definition, on any resample
    return {reference: one, **{name: _ratio(ratio, own, base) for name, own in others.items()}}


def _ratio(ratio, own: np.ndarray, base: np.ndarray) -> Value:
    def of(rows) -> float:
        return ratio(*(torch.from_numpy(errors[rows].mean(0)[:, None]) for errors in (own, base)))

    draws = np.array([of(rows) for rows in resamples(len(own), RESAMPLES)])
    return Value("mce", None, of(slice(None)), *ends(draws).tolist(), len(own), "bootstrap over images", None, draws)


def _kept(measured: Measured | None, name: str) -> np.ndarray | None:
    return measured.pictures.get(name) if measured else None


def similarities(results: Results) -> dict[tuple[str, str], float]:
    """Linear CKA of every pair of models with features on the same number of images."""
    features = {name: _kept(groups.get("representation"), "features") for name, groups in results.items()}
    alike = plug("metrics/cka")
    pairs = combinations([name for name, found in features.items() if found is not None], 2)
    return {(a, b): alike(features[a], features[b]) for a, b in pairs if len(features[a]) == len(features[b])}


def leaders(results: Results, group: Group, key: str, lower: bool, found: Sequence[Difference]) -> list[str]:
    """The models that no other is really better than, in a metric; all where nothing is real."""
    names = [name for name in results if key in _by_key(results[name].get(group.name))]

    def beaten(name: str) -> bool:
        return any(
            _better(each, lower) != name and name in (each.first, each.second) for each in found if each.key == key and each.real
        )

    return [name for name in names if not beaten(name)]


def _better(difference: Difference, lower: bool) -> str:
    return difference.first if (difference.value < 0) == lower else difference.second
