"""Verdicts: each claim judged on per-seed effects at every scheduled look, and corrected over all claims of a report.

docs/judge.md gives the rules with their reasons and the measured error rates. In short:

- A claim `holds` if its mean effect is significantly above the margin, `fails` if significantly below it (reversed if below minus
  the margin, absent if within it, else smaller than the margin asks), else it is `open`.
- The p-value of the k-th look counts 2^k times. Each of the two words is a family of its own: Benjamini and Hochberg's procedure
  over all claims that are judged together.
- A paper is `supported` (all claims hold, and it passes the gate), `partly`, `not supported` or `open`; `invalid` if a control is
  not established, whatever else holds.
- Secondary expectations are judged in the same way among themselves and have no say in the paper's word.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.errors import AssayError, EvidenceError, StudyError
from assay.judging.claims import ALPHA, FAILS, HOLDS, STATEMENTS, Claims, charged, corrected, p_values, prospects
from assay.judging.counts import counted
from assay.judging.families import Conclusion, Family, Member, Verdict
from assay.judging.statistics import Samples, interval
from assay.judging.tabulating import judged_draws, tabulate
from assay.language.catalogue import NO_PAPER
from assay.language.expectations import Expectation, Series, Table, cells, compared, margin_of, parse
from assay.language.looks import scheduled

RESOLUTION = 1e-6  # a spread below this share of the values compared is rounding: single precision resolves 1.2e-7


# Reading


@dataclass(frozen=True)
class Read:
    """One number a seed. resolution, fixed (n,): of the first 1, 2, ... seeds, as `Samples` has them."""

    values: np.ndarray
    resolution: np.ndarray
    fixed: np.ndarray

    @property
    def samples(self) -> Samples:
        """The summary over all seeds."""
        return Samples.of(self.values, self.resolution[-1], self.fixed[-1])


def read(expectation: Expectation, tables: Mapping[int, Table], *, effects: bool) -> Read:
    """The expectation's effect (or, for a control, its measured term) for each seed, in the order of the seeds."""
    values = []
    for seed, table in tables.items():
        try:
            values.append(expectation.evaluate(table) if effects else expectation.measured(table))
        except EvidenceError as error:
            raise EvidenceError(f"seed {seed}: {error}") from error
    references = list(expectation.references())
    observed = [[cells(table, reference) for reference in references] for table in tables.values()]
    moved = [max(map(_moved, each, observed[0])) if references else 0.0 for each in observed]
    resolution = RESOLUTION * np.maximum.accumulate([expectation.size(table) for table in tables.values()])
    return Read(np.array(values), resolution, np.maximum.accumulate(moved) <= resolution)


def _moved(one: Series, first: Series) -> float:
    """How far a seed's observations are from the first seed's; infinitely, where they are at other coordinates."""
    return max((abs(one[x] - first[x]) for x in one), default=0.0) if set(one) == set(first) else math.inf


def sampled(expectation: Expectation, tables: Mapping[int, Table], *, effects: bool) -> Samples:
    """Mean and spread of the expectation's effect (or, for a control, of its measured term) over the seeds."""
    return read(expectation, tables, effects=effects).samples


# Controls


def judge_control(control: Expectation, tables: Mapping[int, Table]) -> dict[str, Any]:
    """A control's record: it passes if the mean is where the control asks and its one-sided 95% bounds are, too.

    The interval shown is the one tested: each end is a one-sided 95% bound. It is not corrected for the number of
    controls, since failing one makes the study invalid, which claims nothing. One seed is judged on its value.
    """
    found = read(control, tables, effects=False)
    samples = found.samples
    bounds = interval(samples, 1 - 2 * ALPHA)
    low, high = bounds or (samples.mean, samples.mean)
    return {
        "text": control.text,
        "passed": bool(control.lower < low and high < control.upper),
        "mean": float(samples.mean),
        "interval": _as_list(bounds),
        "values": found.values.tolist(),
    }


# One study


@dataclass(frozen=True)
class Tried:
    """A study's claims (or what stands beside them) as they were read, their margins, and the means of what each compares."""

    expectations: tuple[Expectation, ...]
    reads: tuple[Read, ...]
    margins: tuple[float, ...]
    sides: tuple[list[float], ...]


@dataclass(frozen=True)
class Case:
    """A study ready to be judged: what was read of its draws, before anything is tested."""

    study: Mapping[str, Any]
    controls: list[dict[str, Any]]
    claims: Tried
    secondary: Tried
    seeds: int
    first: int
    first_look: int
    earlier: int

    @property
    def valid(self) -> bool:
        return all(control["passed"] for control in self.controls)


def case_of(study: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> Case:
    """Read a study's judged draws.

    study: name, paper, expect (texts) and optionally secondary and controls (texts), margin ({metric: number}), rests_on;
    first: the first seed of its judged draws (0); first_look: the number of seeds of the first look (all that are there);
    earlier: looks made under earlier texts (0); retired: how many claims these had (0); unread: those texts, by the same
    keys, that need an arm which failed. rows: observations with arm, seed, metric, x, value (text or numbers).
    Raises StudyError for a text that cannot be read or applied, EvidenceError for missing or non-finite observations.
    """
    try:
        controls, claims, beside = (tuple(map(parse, study.get(key, ()))) for key in ("controls", "expect", "secondary"))
        if not claims and not study.get("unread"):
            raise StudyError("expect is empty; a study needs at least one expectation")
        arms = {reference.arm for each in (*controls, *claims, *beside) for reference in each.references()}
        first = study.get("first", 0)
        kept, first_look = judged_draws(rows, arms, first, study.get("first_look"))
        tables = tabulate(kept)
        margins = study.get("margin", {})
        return Case(
            study=study,
            controls=[judge_control(control, tables) for control in controls],
            claims=_tried(claims, tables, margins),
            secondary=_tried(beside, tables, margins),
            seeds=len(tables),
            first=first,
            first_look=first_look,
            earlier=study.get("earlier", 0),
        )
    except AssayError as error:
        raise type(error)(f"study '{study['name']}': {error}") from error


def _tried(expectations: tuple[Expectation, ...], tables: Mapping[int, Table], margins: Mapping[str, float]) -> Tried:
    reads = tuple(read(expectation, tables, effects=True) for expectation in expectations)
    margin = tuple(margin_of(expectation, margins) for expectation in expectations)
    return Tried(expectations, reads, margin, tuple(_sides(expectation, tables) for expectation in expectations))


def _sides(expectation: Expectation, tables: Mapping[int, Table]) -> list[float]:
    """Mean over the seeds of each of the things the expectation compares, in their order."""
    return [float(np.mean([side.term.value(table) for table in tables.values()])) for side in compared(expectation.text)]


# All claims


def tested(cases: Sequence[Case]) -> list[tuple[np.ndarray, np.ndarray]]:
    """p at every look, (4, claims, looks), of each case's claims and of what stands beside them: one test for all alike.

    Cases with as many seeds and the same first look are tested together, as the arithmetic of a claim does not depend on others.
    """
    alike: dict[tuple[int, int], list[int]] = {}
    for index, case in enumerate(cases):
        alike.setdefault((case.seeds, case.first_look), []).append(index)
    found: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for (_, first_look), members in alike.items():
        tiers = [tier for index in members for tier in (cases[index].claims, cases[index].secondary)]
        p = p_values(stacked(tiers), first_look)
        ends = np.cumsum([len(tier.reads) for tier in tiers])
        parts = np.split(p, ends[:-1], axis=1)
        found |= {index: (parts[2 * at], parts[2 * at + 1]) for at, index in enumerate(members)}
    return [found[index] for index in range(len(cases))]


def stacked(tiers: Iterable[Tried]) -> Claims:
    """The claims of several tiers, which have as many seeds, as arrays."""
    rows = [each for tier in tiers for each in zip(tier.expectations, tier.reads, tier.margins, strict=True)]
    equivalence = np.array([expectation.kind == "equivalence" for expectation, _, _ in rows])
    margins = np.array([margin for *_, margin in rows])
    return Claims(
        effects=np.array([seen.values for _, seen, _ in rows]),
        lower=np.where(equivalence, [expectation.lower for expectation, _, _ in rows], -margins),
        upper=np.where(equivalence, [expectation.upper for expectation, _, _ in rows], margins),
        equivalence=equivalence,
        resolution=np.array([seen.resolution for _, seen, _ in rows]),
        fixed=np.array([seen.fixed for _, seen, _ in rows]),
    )


def judge(
    studies: Iterable[Mapping[str, Any]],
    observations: Mapping[str, Iterable[Mapping[str, Any]]],
    release: Family | None = None,
) -> dict[str, Any]:
    """Judge studies: {"alpha", "studies": {name: record}, "failed": {name: {"stage", "error"}}}, JSON-ready.

    release: the papers that count; each study is then judged as if it alone joined them, in place of the one of its name, and
    moves no other's word. Without it, these studies are judged together, as a release is. One without a paper is a family of its
    own. A study that cannot be judged is listed in "failed" with a one-line error; the others are judged without it.
    """
    cases, failed = [], {}
    for study in studies:
        try:
            cases.append(case_of(study, observations.get(study["name"], ())))
        except AssayError as error:
            failed[study["name"]] = {"stage": "judge", "error": str(error)}
    p_of = tested(cases)
    members = {case.study["name"]: _member(case, *p) for case, p in zip(cases, p_of, strict=True)}
    own = {case.study["name"] for case in cases if case.study["paper"] == NO_PAPER}
    together = Family({name: member for name, member in members.items() if name not in own}) if release is None else None
    records = {}
    for case, p in zip(cases, p_of, strict=True):
        name = case.study["name"]
        family = Family({name: members[name]}) if name in own else together or release.joined_by(name, members[name])
        records[name] = _record(case, p, family, name)
    return {"alpha": ALPHA, "studies": records, "failed": failed}


def _member(case: Case, claims: np.ndarray, secondary: np.ndarray) -> Member:
    both = (corrected(p, case.earlier) for p in (claims, secondary))
    return Member(*both, case.valid, case.study.get("retired", 0))


# Records


def _record(case: Case, p: tuple[np.ndarray, np.ndarray], family: Family, name: str) -> dict[str, Any]:
    """What verdicts.json says of a study."""
    conclusion, cuts = family.conclusion(name), family.cuts
    claims = _claim_records(case, case.claims, p[0], conclusion.claims, cuts["claims"])
    a, b, gate = conclusion.gate
    record = {
        "study": name,
        "paper": case.study["paper"],
        "word": conclusion.word,
        "count": "",
        "first": case.first,
        "first_look": case.first_look,
        "seeds": case.seeds,
        "earlier": case.earlier,
        "retired": case.study.get("retired", 0),
        "looks": list(scheduled(case.first_look, case.seeds)),
        "gate": {"a": a, "b": b, "cut": gate},
        "note": _note(conclusion),
        "controls": case.controls,
        "expectations": claims,
        "secondary": _claim_records(case, case.secondary, p[1], conclusion.secondary, cuts["secondary"]),
        "rests_on": dict(case.study.get("rests_on", {})),
    }
    return record | {"count": counted(record)}


def _note(conclusion: Conclusion) -> str:
    if conclusion.word == "open" and all(claim.word == "holds" for claim in conclusion.claims):
        a, _, gate = conclusion.gate
        return f"all claims hold, but the weakest (P = {a:.2g}) does not pass the gate for papers (P at most {gate:.2g})"
    return ""


def _claim_records(
    case: Case, tier: Tried, p: np.ndarray, verdicts: Sequence[Verdict], cuts: tuple[float, float]
) -> list[dict[str, Any]]:
    """The record of each claim. cuts: the P that `holds` and `fails` may have."""
    if not tier.reads:
        return []
    samples = stacked([tier]).first(case.seeds)
    bounds = interval(samples, 1 - ALPHA)
    total, each = corrected(p, case.earlier), charged(p, case.earlier)
    needs = prospects(stacked([tier]), case.first_look, case.seeds, case.earlier)
    records = []
    for index, (expectation, seen, margin, sides, verdict) in enumerate(
        zip(tier.expectations, tier.reads, tier.margins, tier.sides, verdicts, strict=True)
    ):
        equivalence = expectation.kind == "equivalence"
        one = Samples(samples.n, *(field[index] for field in (samples.mean, samples.spread, samples.resolution, samples.fixed)))
        record = {
            "text": expectation.text,
            "kind": expectation.kind,
            "word": verdict.word,
            "reason": verdict.reason,
            "p": {name: p[number, index].tolist() for number, name in enumerate(STATEMENTS)},
            "P": {name: float(total[number, index]) for number, name in enumerate(STATEMENTS)},
            "q": {"holds": verdict.q_holds, "fails": verdict.q_fails},
            "decided_at": _decided_at(case, verdict, each[:, index], cuts),
            "effect": float(one.mean),
            "interval": None if bounds is None else [float(end[index]) for end in bounds],
            "spread": float(one.spread),
            "margin": (expectation.upper - expectation.lower) / 2 if equivalence else margin,
            "values": seen.values.tolist(),
            "sides": sides,
            "needs": math.ceil(needs[index]) if verdict.word == "open" and math.isfinite(needs[index]) else None,
            "note": _remark(expectation, one, margin, verdict),
        }
        records.append(record | ({"bounds": [expectation.lower, expectation.upper]} if equivalence else {}))
    return records


def _decided_at(case: Case, verdict: Verdict, p: np.ndarray, cuts: tuple[float, float]) -> int | None:
    """The seeds of the first look at which the claim's word would have come out, by today's cut; None for one that is open."""
    if verdict.word == "open":
        return None
    statement = HOLDS if verdict.word == "holds" else FAILS
    looks = scheduled(case.first_look, case.seeds)
    return looks[int(np.argmax(p[statement] <= cuts[statement]))]


def _remark(expectation: Expectation, sample: Samples, margin: float, verdict: Verdict) -> str:
    """What a reader must know beside the numbers; empty in the usual case."""
    if sample.n < 2:
        return "one seed: nothing can be tested"
    if verdict.q_holds <= ALPHA and verdict.q_fails <= ALPHA:
        return "the looks disagree: an early one found what a later one found against"
    if sample.spread == 0 and sample.fixed:
        return "the same for every seed: decided without a test"
    if sample.spread == 0:
        return f"the effect is the same for every seed though the observations vary: sign test, p >= 2^-{sample.n}"
    if margin == 0 and expectation.kind == "difference":
        return "no margin stated: an absence of effect cannot be shown"
    return ""


def _as_list(bounds: tuple[np.ndarray, np.ndarray] | None) -> list[float] | None:
    return None if bounds is None else [float(end) for end in bounds]
