"""How two runs of a study differ: what was compared, the words on claims, and the means of every arm and metric."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from assay.data.seeds import ROOT_NAME
from assay.evidence.tables import Observation
from assay.judging.statistics import Samples, interval
from assay.language.draws import made_under
from assay.language.plugs import kinds
from assay.language.recipes import canonical
from assay.language.study import Study
from assay.overview.runs import Run
from assay.provenance.proofs import code_digest

CONFIDENCE = 0.95  # of each interval by itself
SAME, PROVEN, OTHER, UNKNOWN = "the same", "proven to compute the same", "another", "not noted"
Values = dict[int, float]
"""By seed."""


@dataclass(frozen=True)
class Mean:
    """An arm's metric at one x: means over the seeds in common, or over each side's own where there are none; None where a side
    has none. difference: b - a; interval: of the differences seed by seed. equal: all values are the same to the bit."""

    name: str
    a: float | None
    b: float | None
    difference: float | None
    interval: tuple[float, float] | None
    equal: bool


@dataclass(frozen=True)
class Claim:
    """What both sides say of a claim, each {word, reason, effect, interval}, None where its text has no such claim or it is not
    judged."""

    text: str
    tier: str
    a: dict[str, Any] | None
    b: dict[str, Any] | None


@dataclass(frozen=True)
class Difference:
    """Two runs of a study. text: the keys of its file that differ; code: how the code stands, with the modules that differ; arms:
    by name on both sides, whether networks and measurement are equal, None where that is not known. seeds: those in common."""

    study: str
    sides: tuple[dict[str, Any], dict[str, Any]]
    text: tuple[str, ...]
    code: str
    modules: tuple[str, ...]
    draws: tuple[str, str]
    seeds: tuple[int, ...]
    arms: Mapping[str, bool | None]
    only: tuple[tuple[str, ...], tuple[str, ...]]
    claims: tuple[Claim, ...]
    means: tuple[Mean, ...]

    @property
    def equal(self) -> bool:
        """Whether nothing that was measured or said differs."""
        words = self.sides[0]["word"] == self.sides[1]["word"] and all(claim.a == claim.b for claim in self.claims)
        return words and not any(self.only) and all(mean.equal for mean in self.means)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "equal": self.equal}


def difference(a: Run, b: Run) -> Difference:
    """Compare two runs of a study, b with a."""
    code, modules = _code(a.made.get("code"), b.made.get("code"))
    draws = (_draws(a), _draws(b))
    common = sorted(set(a.made["seeds"]) & set(b.made["seeds"])) if draws[0] == draws[1] else []
    pairs = _paired_arms(a, b)
    return Difference(
        study=a.study.name,
        sides=(_about(a), _about(b)),
        text=tuple(_keys_that_differ(a.study, b.study)),
        code=code,
        modules=modules,
        draws=draws,
        seeds=tuple(common),
        arms={_both(*pair): _equal_arms(a, b, *pair) for pair in pairs},
        only=_alone(a, b, pairs),
        claims=tuple(_claims(a.verdict, b.verdict)),
        means=tuple(_means(a.rows, b.rows, pairs, common)),
    )


def _about(run: Run) -> dict[str, Any]:
    """What a reader must know of a side."""
    verdict = run.verdict or {"word": None, "count": run.unjudged}
    return {
        "where": run.where,
        "scale": run.study.scale,
        "seeds": list(run.made["seeds"]),
        "commit": run.made.get("commit"),
        "date": run.made.get("date"),
        "platform": run.made.get("platform"),
        "of_its_text": _of_its_text(run),
        "word": verdict["word"],
        "count": verdict["count"],
    }


def _of_its_text(run: Run) -> bool:
    """Whether what was measured is what the side's text says now; what names no text is taken for it."""
    return run.made.get("study_sha256", run.study.digest) == run.study.digest


def _draws(run: Run) -> str:
    """By what name seeds were drawn: equal where seeds of one number are equal."""
    return f"{made_under(run.made)}, {run.made.get('root') or ROOT_NAME}"


def _keys_that_differ(a: Study, b: Study) -> Iterable[str]:
    one, other = (study.file.model_dump() for study in (a, b))
    return [key for key in one if canonical(one[key]) != canonical(other[key]) or _order(one[key]) != _order(other[key])]


def _order(value: Any) -> list | None:
    """The order of arms is the figure's, and that of the baseline."""
    return list(value) if isinstance(value, dict) else None


def _code(a: Mapping[str, str] | None, b: Mapping[str, str] | None) -> tuple[str, tuple[str, ...]]:
    if not a or not b:
        return UNKNOWN, ()
    if a == b:
        return SAME, ()
    changed = tuple(sorted((name for name in {*a, *b} if a.get(name) != b.get(name)), key=_methods_first))
    return (PROVEN if code_digest(dict(a)) == code_digest(dict(b)) else OTHER), changed


def _methods_first(module: str) -> tuple[bool, str]:
    parts = module.split(".")
    return len(parts) < 2 or parts[1] not in kinds(), module


# Arms


def _identity(study: Study, arm: str) -> str:
    """All that an arm's numbers depend on but code and draws: its networks and how they are measured; the name of one that the
    text has no more."""
    cells = [[cell.x, cell.recipe.reference, cell.protocol] for cell in study.cells if cell.arm == arm]
    return canonical(cells) if cells else arm


def _arms(run: Run) -> list[str]:
    return list(dict.fromkeys(row.arm for row in run.rows))


def _paired_arms(a: Run, b: Run) -> list[tuple[str, str]]:
    """Arms of one name, and of the others those with equal networks and measurement, which were renamed."""
    ours, theirs = _arms(a), _arms(b)
    left = {_identity(b.study, arm): arm for arm in theirs if arm not in ours}
    pairs = []
    for arm in ours:
        other = arm if arm in theirs else left.pop(_identity(a.study, arm), None)
        pairs += [(arm, other)] if other else []
    return pairs


def _both(arm: str, other: str) -> str:
    return arm if arm == other else f"{arm} = {other}"


def _equal_arms(a: Run, b: Run, arm: str, other: str) -> bool | None:
    known = _of_its_text(a) and _of_its_text(b)
    return _identity(a.study, arm) == _identity(b.study, other) if known else None


def _alone(a: Run, b: Run, pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    ours, theirs = {arm for arm, _ in pairs}, {arm for _, arm in pairs}
    return tuple(arm for arm in _arms(a) if arm not in ours), tuple(arm for arm in _arms(b) if arm not in theirs)


# Claims


def _claims(a: Mapping[str, Any] | None, b: Mapping[str, Any] | None) -> Iterable[Claim]:
    for tier in ("expectations", "secondary"):
        one, other = ({claim["text"]: claim for claim in (verdict or {}).get(tier, ())} for verdict in (a, b))
        for text in dict.fromkeys([*one, *other]):
            yield Claim(text, tier, *(_said(side.get(text)) for side in (one, other)))


def _said(claim: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return claim and {key: claim[key] for key in ("word", "reason", "effect", "interval")}


# Means


def _means(
    a: Iterable[Observation], b: Iterable[Observation], pairs: Iterable[tuple[str, str]], common: Iterable[int]
) -> Iterable[Mean]:
    names = dict(pairs)
    one, other = _by_mean(a), _by_mean(b)
    back = {theirs: ours for ours, theirs in names.items()}
    keys = [key for key in one if key[0] in names]
    keys += [(back[arm], *rest) for arm, *rest in other if arm in back and (back[arm], *rest) not in one]
    for arm, metric, x in keys:
        yield _mean(arm, metric, x, one.get((arm, metric, x), {}), other.get((names[arm], metric, x), {}), common)


def _mean(arm: str, metric: str, x: Any, a: Values, b: Values, common: Iterable[int]) -> Mean:
    name = f"{arm}.{metric}" + ("" if x is None else f"[{x!r}]")
    shared = [seed for seed in common if seed in a and seed in b]
    if not shared:
        means = tuple(float(np.mean(list(side.values()))) if side else None for side in (a, b))
        apart = None if None in means else means[1] - means[0]
        return Mean(name, *means, apart, None, False)
    one, other = (np.array([side[seed] for seed in shared]) for side in (a, b))
    bounds = interval(Samples.of(other - one), CONFIDENCE)
    equal = a.keys() == b.keys() and all(a[seed].hex() == b[seed].hex() for seed in a)
    ends = None if bounds is None else (float(bounds[0]), float(bounds[1]))
    return Mean(name, float(one.mean()), float(other.mean()), float((other - one).mean()), ends, equal)


def _by_mean(rows: Iterable[Observation]) -> dict[tuple, Values]:
    found: dict[tuple, Values] = {}
    for row in rows:
        found.setdefault((row.arm, row.metric, row.x), {})[row.seed] = row.value
    return found
