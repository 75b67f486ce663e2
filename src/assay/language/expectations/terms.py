"""Terms, the parts of an expectation: what they read of one seed's observations, and the arithmetic that joins them."""

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import EllipsisType
from typing import NamedTuple

from assay.errors import EvidenceError, StudyError
from assay.language.expectations import forms
from assay.language.expectations.series import AGGREGATES, KEEPS_UNIT, POINTWISE, Coordinate, Series, listed, pointwise, shown

Table = Mapping[tuple[str, str], Series]
"""The observations of one seed: (arm, metric) -> {x: value}, x None for a value without a coordinate."""

NUMBER = ""  # unit of a pure number
OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
FORMS = {ast.Add: forms.total, ast.Sub: partial(forms.total, sign=-1), ast.Mult: forms.product, ast.Div: forms.quotient}


class Reference(NamedTuple):
    """`arm.metric[x]`, `arm.metric` (x None) or, inside a function of a series, every x of `arm.metric` (x ...)."""

    arm: str
    metric: str
    x: Coordinate | EllipsisType


@dataclass(frozen=True)
class Term:
    """A part of an expectation: how to compute it for one seed, and what is known without data.

    `size` is the magnitude of the numbers subtracted on the way to `value`, against which rounding is judged.
    `unit` is the metric the value is measured in, NUMBER for a constant, None for a unit of its own (a ratio, a slope).
    `form`: what it comes to by arithmetic alone.
    `series`: the value is a series over x, as it can be inside a function of one.
    """

    value: Callable[[Table], float | Series]
    size: Callable[[Table], float | Series]
    unit: str | None
    references: frozenset[Reference]
    form: forms.Form
    series: bool = False


def _points(table: Table, reference: Reference) -> Series:
    points = table.get((reference.arm, reference.metric))
    if not points:
        raise EvidenceError(f"no observation of arm '{reference.arm}', metric '{reference.metric}'")
    return points


def _cell(table: Table, reference: Reference) -> float:
    points = _points(table, reference)
    if reference.x in points:
        return points[reference.x]
    if reference.x is None:
        name = f"{reference.arm}.{reference.metric}"
        raise StudyError(f"'{name}' is measured over x = {listed(points)}; write {name}[x] or, for all x, mean({name})")
    raise EvidenceError(
        f"arm '{reference.arm}', metric '{reference.metric}' has no x = {shown(reference.x)} (has: {listed(points)})"
    )


def _series(table: Table, reference: Reference) -> Series:
    points = {x: y for x, y in _points(table, reference).items() if x is not None}
    if not points:
        name = f"{reference.arm}.{reference.metric}"
        raise StudyError(f"'{name}' is one value, not a series over x; write {name} without the function around it")
    return points


def cells(table: Table, reference: Reference) -> Series:
    """The observations {x: value} of one seed that a reference reads."""
    return _series(table, reference) if reference.x is ... else {reference.x: _cell(table, reference)}


def number(value: float) -> Term:
    """A constant."""
    return Term(lambda table: value, lambda table: abs(value), NUMBER, frozenset(), forms.constant(value))


def measured(reference: Reference) -> Term:
    """What was observed at a reference: one value, or a series where it names every x."""
    read = _series if reference.x is ... else _cell
    return Term(
        lambda table: read(table, reference),
        lambda table: pointwise(abs, read(table, reference)),
        reference.metric,
        frozenset([reference]),
        forms.unknown(repr(tuple(reference))),
        series=reference.x is ...,
    )


def combined(operation: type[ast.operator], left: Term, right: Term) -> Term:
    """left (+ - * /) right; a sum is as large as its larger part, a product as its parts' sizes."""
    apply = OPERATORS[operation]
    size = max if operation in (ast.Add, ast.Sub) else apply
    divisor = right.value if operation is ast.Div else right.size
    return Term(
        lambda table: pointwise(apply, left.value(table), right.value(table)),
        lambda table: pointwise(size, left.size(table), pointwise(abs, divisor(table))),
        _unit(operation, left.unit, right.unit),
        left.references | right.references,
        FORMS[operation](left.form, right.form),
        left.series or right.series,
    )


def _unit(operation: type[ast.operator], left: str | None, right: str | None) -> str | None:
    if right == NUMBER or (left == right and operation in (ast.Add, ast.Sub)):
        return left
    return right if left == NUMBER and operation is not ast.Div else None


def applied(name: str, term: Term) -> Term:
    """The function `name` of a term; those that keep the unit keep the scale of rounding too."""
    if name in AGGREGATES:
        apply, series = AGGREGATES[name], False
    else:
        apply, series = (lambda value: pointwise(POINTWISE[name], value)), term.series
    keeps = name in KEEPS_UNIT
    return Term(
        lambda table: apply(term.value(table)),
        lambda table: apply(term.size(table)) if keeps else pointwise(abs, apply(term.value(table))),
        term.unit if keeps or not term.references else None,
        term.references,
        forms.mean(term.form) if name == "mean" else forms.applied(name, term.form),
        series,
    )
