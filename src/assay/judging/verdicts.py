"""Verdicts: each expectation judged on per-seed effects, corrected inside its study and over all studies.

docs/judge.md gives the rules with their reasons and the measured error rates. In short:

- An expectation is `supported` if its mean effect is significantly above the margin, `contradicted` if significantly
  below minus the margin, `no effect` if significantly inside the margin (both one-sided tests), else `inconclusive`.
- Each of these findings is a family of its own: Holm's correction over the expectations of a study, then
  Benjamini and Hochberg's over the studies.
- Secondary expectations are judged in the same way among themselves and have no say in the study's verdict.
- A study is `invalid` if a control is not established, whatever else holds.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from assay.errors import AssayError, EvidenceError, StudyError
from assay.judging.statistics import (
    Sample,
    benjamini_hochberg,
    holm,
    interval,
    p_above,
    p_below,
    p_inside,
    standard_errors_to_detect,
)
from assay.judging.tabulating import tabulate
from assay.language.expectations import Expectation, Series, Table, cells, margin_of, parse

ALPHA = 0.05
POWER = 0.8
RESOLUTION = 1e-6  # a spread below this share of the values compared is rounding: single precision resolves 1.2e-7
FINDINGS = ("supported", "contradicted", "no effect")


# One expectation


def p_values(expectation: Expectation, sample: Sample, margin: float) -> dict[str, float]:
    """Evidence for each finding about an expectation.

    Tests of a direction are doubled, so `supported` or `contradicted` at 0.05 is what a 95% interval clear of the
    margin (or of the bounds) says, and the two together err at 5% and not at 10%.
    """
    if expectation.kind == "equivalence":
        lower, upper = expectation.lower, expectation.upper
        outside = min(p_above(sample, upper), p_below(sample, lower))
        return {"supported": p_inside(sample, lower, upper), "contradicted": min(1.0, 2 * outside), "no effect": 1.0}
    return {
        "supported": min(1.0, 2 * p_above(sample, margin)),
        "contradicted": min(1.0, 2 * p_below(sample, -margin)),
        "no effect": p_inside(sample, -margin, margin),
    }


def finding(adjusted: Mapping[str, float]) -> str:
    """The finding whose Holm-adjusted p-value is at most alpha, else `inconclusive`; direction before absence."""
    return next((name for name in FINDINGS if adjusted[name] <= ALPHA), "inconclusive")


def detectable(expectation: Expectation, sample: Sample, margin: float, expectations: int) -> float | None:
    """What n seeds of this spread would have shown with 80% power, at the first and strictest step of Holm.

    A difference: the smallest true effect found, margin included. An equivalence: the smallest half-width of bounds
    shown to hold an effect in their middle (each one-sided test at 90%, together 80%).
    """
    if sample.n < 2:
        return None
    error = sample.spread / math.sqrt(sample.n)
    if expectation.kind == "equivalence":
        return error * standard_errors_to_detect(sample.n, ALPHA / expectations, (1 + POWER) / 2)
    return margin + error * standard_errors_to_detect(sample.n, ALPHA / 2 / expectations, POWER)


def sampled(expectation: Expectation, tables: Mapping[int, Table], *, effects: bool) -> Sample:
    """The expectation's effect (or, for a control, its measured term) for each seed, in the order of the seeds."""
    values = []
    for seed, table in tables.items():
        try:
            values.append(expectation.evaluate(table) if effects else expectation.measured(table))
        except EvidenceError as error:
            raise EvidenceError(f"seed {seed}: {error}") from error
    read = [[cells(table, reference) for reference in expectation.references()] for table in tables.values()]
    resolution = RESOLUTION * max(expectation.size(table) for table in tables.values())
    fixed = all(_same(one, first, resolution) for each in read for one, first in zip(each, read[0], strict=True))
    return Sample(tuple(values), resolution, fixed)


def _same(one: Series, other: Series, resolution: float) -> bool:
    """Whether two seeds' observations differ by no more than rounding."""
    return set(one) == set(other) and all(abs(one[x] - other[x]) <= resolution for x in one)


def _judge_expectations(
    expectations: Sequence[Expectation], tables: Mapping[int, Table], margins: Mapping[str, float], unread: int = 0
) -> tuple[list[dict[str, Any]], list[dict[str, float]]]:
    """The record of each expectation and its Holm-adjusted p-values, one for each finding.

    unread: how many more there are whose arms failed; each counts as one of which nothing is known, p = 1.
    """
    samples = [sampled(expectation, tables, effects=True) for expectation in expectations]
    limits = [margin_of(expectation, margins) for expectation in expectations]
    raw = [p_values(*each) for each in zip(expectations, samples, limits, strict=True)]
    families = {name: holm([*(each[name] for each in raw), *[1.0] * unread]) for name in FINDINGS}
    adjusted = [{name: families[name][index] for name in FINDINGS} for index in range(len(raw))]
    records = []
    for expectation, sample, margin, before, after in zip(expectations, samples, limits, raw, adjusted, strict=True):
        verdict = finding(after)
        shown = verdict if verdict in FINDINGS else min(("supported", "contradicted"), key=after.__getitem__)
        record = {
            "text": expectation.text,
            "kind": expectation.kind,
            "verdict": verdict,
            "effect": sample.mean,
            "interval": _as_list(interval(sample, 1 - ALPHA)),
            "standardised": sample.mean / sample.spread if sample.spread else None,
            "p": before[shown],
            "p_holm": after[shown],
            "margin": margin,
            "detectable": detectable(expectation, sample, margin, len(expectations) + unread),
            "values": list(sample.values),
            "note": _remark(expectation, sample, margin),
        }
        if expectation.kind == "equivalence":
            record |= {"bounds": [expectation.lower, expectation.upper], "margin": _half_width(expectation)}
        records.append(record)
    return records, adjusted


def _half_width(expectation: Expectation) -> float:
    return (expectation.upper - expectation.lower) / 2


def _remark(expectation: Expectation, sample: Sample, margin: float) -> str:
    """What a reader must know beside the numbers; empty in the usual case."""
    if sample.n < 2:
        return "one seed: nothing can be tested"
    if sample.fixed:
        return "the same for every seed: decided without a test"
    if sample.spread == 0:
        return f"the effect is the same for every seed though the observations vary: sign test, p >= 2^-{sample.n}"
    if margin == 0 and expectation.kind == "difference":
        return "no margin stated: an absence of effect cannot be shown"
    return ""


# Controls


def judge_control(control: Expectation, tables: Mapping[int, Table]) -> dict[str, Any]:
    """A control's record: it passes if the mean is where the control asks and its one-sided 95% bounds are, too.

    The interval shown is the one tested: each end is a one-sided 95% bound. It is not corrected for the number of
    controls, since failing one makes the study invalid, which claims nothing. One seed is judged on its value.
    """
    sample = sampled(control, tables, effects=False)
    bounds = interval(sample, 1 - 2 * ALPHA)
    low, high = bounds or (sample.mean, sample.mean)
    return {
        "text": control.text,
        "passed": control.lower < low and high < control.upper,
        "mean": sample.mean,
        "interval": _as_list(bounds),
        "values": list(sample.values),
    }


# One study


def study_p_values(adjusted: Sequence[Mapping[str, float]], *, valid: bool) -> dict[str, float]:
    """Evidence for each verdict on a study, from its expectations' Holm-adjusted p-values.

    `supported` says all expectations hold: the largest. `contradicted` and `no effect` say that one at least fails so:
    the smallest. An invalid study has 1 throughout: it stays in the family of studies and can only make it stricter.
    """
    if not valid:
        return dict.fromkeys(FINDINGS, 1.0)
    return {name: (max if name == "supported" else min)((each[name] for each in adjusted), default=1.0) for name in FINDINGS}


def study_verdict(valid: bool, expectations: Sequence[str], q_values: Mapping[str, float]) -> str:
    """The verdict on a study from the verdicts on its expectations and its q-values over all studies."""
    if not valid:
        return "invalid"
    if "contradicted" in expectations:
        return "contradicted" if q_values["contradicted"] <= ALPHA else "inconclusive"
    if "inconclusive" in expectations:
        return "inconclusive"
    name = "no effect" if "no effect" in expectations else "supported"
    return name if q_values[name] <= ALPHA else "inconclusive"


def judge_study(study: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> tuple[dict[str, Any], dict[str, float]]:
    """The record of a study before the correction over studies, and its p-value for each finding.

    study: name, paper, expect (texts) and optionally secondary and controls (texts), margin ({metric: number}), rests_on, and
    unread: those texts, by the same keys, that need an arm which failed.
    rows: observations with arm, seed, metric, x, value (text or numbers).
    Raises StudyError for a text that cannot be read or applied, EvidenceError for missing or non-finite observations.
    """
    try:
        tables = tabulate(rows)
        controls = [judge_control(parse(text), tables) for text in study.get("controls", ())]
        expectations = [parse(text) for text in study["expect"]]
        if not expectations and not study.get("unread"):
            raise StudyError("expect is empty; a study needs at least one expectation")
        margins = study.get("margin", {})
        unread = study.get("unread", {})
        records, adjusted = _judge_expectations(expectations, tables, margins, len(unread.get("expect", ())))
        beside = [parse(text) for text in study.get("secondary", ())]
        secondary, _ = _judge_expectations(beside, tables, margins, len(unread.get("secondary", ())))
    except AssayError as error:
        raise type(error)(f"study '{study['name']}': {error}") from error
    record = {
        "study": study["name"],
        "paper": study["paper"],
        "verdict": "",
        "p": 1.0,
        "q": 1.0,
        "seeds": len(tables),
        "note": "",
        "controls": controls,
        "expectations": records,
        "secondary": secondary,
        "rests_on": dict(study.get("rests_on", {})),
    }
    return record, study_p_values(adjusted, valid=all(control["passed"] for control in controls))


def _as_list(bounds: tuple[float, float] | None) -> list[float] | None:
    return None if bounds is None else list(bounds)


# All studies


def judge(studies: Iterable[Mapping[str, Any]], observations: Mapping[str, Iterable[Mapping[str, Any]]]) -> dict[str, Any]:
    """Judge studies together: {"alpha", "studies": {name: record}, "failed": {name: {"stage", "error"}}}, JSON-ready.

    A study that cannot be judged is listed in "failed" with a one-line error; the others are judged without it.
    """
    records, p_of, failed = {}, {}, {}
    for study in studies:
        name = study["name"]
        try:
            records[name], p_of[name] = judge_study(study, observations.get(name, ()))
        except AssayError as error:
            failed[name] = {"stage": "judge", "error": str(error)}
    q_of = {family: benjamini_hochberg([p[family] for p in p_of.values()]) for family in FINDINGS}
    for index, (name, record) in enumerate(records.items()):
        _conclude(record, p_of[name], {family: q_of[family][index] for family in FINDINGS}, len(records))
    return {"alpha": ALPHA, "studies": records, "failed": failed}


def _conclude(record: dict[str, Any], p: Mapping[str, float], q: Mapping[str, float], studies: int) -> None:
    """Fill in a study's verdict, and the p and q of the finding it made alone (of `supported` if it made none)."""
    valid = all(control["passed"] for control in record["controls"])
    inside = [expectation["verdict"] for expectation in record["expectations"]]
    alone, record["verdict"] = study_verdict(valid, inside, p), study_verdict(valid, inside, q)
    family = alone if alone in FINDINGS else "supported"
    record["p"], record["q"] = p[family], q[family]
    if record["verdict"] != alone:
        record["note"] = f"{alone} on its own (p = {p[alone]:.2g}), not after correction over {studies} studies"
