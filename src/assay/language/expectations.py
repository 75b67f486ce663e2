"""Expectations and controls: comparisons over observations, read with `ast` and evaluated seed by seed, never `eval`ed.

    mixup.top1 > erm.top1                            a difference between arms
    erm.top1 > 0.3                                   a difference from a number
    -0.01 < a.top1 - b.top1 < 0.01                   equivalence: the middle term lies between the numbers
    a.top1[5] - b.top1[5] > a.top1[0] - b.top1[0]    a metric at one coordinate x (a number or a quoted string)
    -0.6 < loglog(cnn.samples) < -0.4                a function of the whole series of a metric over x

Inside `slope loglog spearman mean min max`, `arm.metric` is the series over x and arithmetic is point by point;
outside, it is the one value without x. Reading needs the standard library alone, as `assay check` reads every study.
"""

import ast
import math
import operator
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from types import EllipsisType
from typing import Literal, NamedTuple

from assay.errors import EvidenceError, StudyError, unknown

Coordinate = float | str | None
Series = dict[Coordinate, float]
Table = Mapping[tuple[str, str], Series]
"""The observations of one seed: (arm, metric) -> {x: value}, x None for a value without a coordinate."""

LONGEST = 500  # characters of an expectation; real ones stay under 150
DEEPEST = 20  # nested operations; keeps recursion far from Python's own limit
NUMBER = ""  # unit of a pure number


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
    `series`: the value is a series over x, as it can be inside a function of one.
    """

    value: Callable[[Table], float | Series]
    size: Callable[[Table], float | Series]
    unit: str | None
    references: frozenset[Reference]
    series: bool = False


@dataclass(frozen=True)
class Expectation:
    """A parsed expectation or control: `measure` lies in the open interval (lower, upper).

    A difference has one finite bound: 0 where two arms are compared (`a < b` measures b - a), the number where an arm
    is compared with one. An equivalence has two.
    """

    text: str
    measure: Term
    lower: float
    upper: float

    @property
    def kind(self) -> Literal["difference", "equivalence"]:
        return "equivalence" if math.isfinite(self.lower) and math.isfinite(self.upper) else "difference"

    @property
    def metrics(self) -> frozenset[str]:
        return frozenset(reference.metric for reference in self.references())

    def references(self) -> frozenset[Reference]:
        """Every (arm, metric, x) the expectation reads."""
        return self.measure.references

    def measured(self, table: Table) -> float:
        """The measured term for one seed, in the metric's unit and direction.

        Raises EvidenceError where a value is missing or the arithmetic fails, StudyError where a metric is over x and
        the text says neither which x nor how to aggregate.
        """
        try:
            value = self.measure.value(table)
        except (ZeroDivisionError, OverflowError) as error:
            raise EvidenceError(f"'{self.text}' cannot be computed: {error}") from error
        if not math.isfinite(value):
            raise EvidenceError(f"'{self.text}' is {value}; it needs finite values")
        return value

    def evaluate(self, table: Table) -> float:
        """The effect for one seed: a difference is positive if as expected; an equivalence gives its middle term."""
        value = self.measured(table)
        if self.kind == "equivalence":
            return value
        return value - self.lower if math.isfinite(self.lower) else self.upper - value

    def size(self, table: Table) -> float:
        """Magnitude of the numbers the effect is a difference of (bounds included): the scale of its rounding."""
        finite = [abs(bound) for bound in (self.lower, self.upper) if math.isfinite(bound)]
        return max(self.measure.size(table), *finite)

    def check(self, arms: Collection[str], metrics: Collection[str]) -> None:
        """Raise StudyError, naming the nearest valid name, if the text reads an arm or a metric that is not among these."""
        for reference in sorted(self.references(), key=str):
            if reference.arm not in arms:
                raise StudyError(f"'{self.text}': {unknown('arm', reference.arm, arms)}")
            if reference.metric not in metrics:
                raise StudyError(f"'{self.text}': {unknown('metric', reference.metric, metrics)}")


def parse(text: str) -> Expectation:
    """Read one expectation or control; raises StudyError with the text, the column, what is allowed and the fix."""
    if not isinstance(text, str):
        raise StudyError(f"{text!r} is not text; write a comparison such as 'arm.metric > other.metric'")
    return _Reader(_normal(text)).expectation()


def coordinate(x: object) -> Coordinate:
    """The x that observations and expectations share: None if empty, a float if it reads as one, else text.

    Truth values are text, as a table stores them: `arm.metric["True"]`.
    """
    if x is None or x == "":
        return None
    try:
        number = float(str(x))
    except ValueError:
        return str(x)
    return number if math.isfinite(number) else str(x)


def margin_of(expectation: Expectation, margins: Mapping[str, float]) -> float:
    """The smallest effect that counts: the margin keyed by the expectation's text, else by its metric, else 0.

    A metric's margin applies where the effect is in that metric's unit: sums, differences, mean, min, max, abs and
    multiples of values of this metric alone. A slope, a ratio or a logarithm has a unit of its own.
    """
    for key, margin in margins.items():
        if _normal(key) == expectation.text:
            return margin
    return margins.get(expectation.measure.unit, 0.0) if expectation.measure.unit else 0.0


def check_margins(margins: Mapping[str, float], expectations: Iterable[Expectation], metrics: Collection[str]) -> None:
    """Raise StudyError for a margin that is no number >= 0, has an unknown key, or would silently apply to nothing."""
    differences = [expectation for expectation in expectations if expectation.kind == "difference"]
    texts = {expectation.text for expectation in differences}
    for key, margin in margins.items():
        number = isinstance(margin, int | float) and not isinstance(margin, bool)
        if not number or not math.isfinite(margin) or margin < 0:
            raise StudyError(f"margin '{key}' is {margin!r}; write a finite number >= 0")
        if _normal(key) in texts:
            continue
        if key not in metrics:
            raise StudyError(f"margin: {unknown('metric or expectation', key, [*metrics, *texts])}")
        if not any(expectation.measure.unit == key for expectation in differences):
            raise StudyError(
                f"margin '{key}' applies to no expectation: none is a difference in the unit of '{key}' "
                "(slopes, ratios and logarithms have their own); use the expectation's text as the key, or remove it"
            )


def _normal(text: str) -> str:
    return " ".join(text.split())


# Values: a float, or inside a function a series {x: float}


def _pointwise(operation: Callable[..., float], *values: float | Series) -> float | Series:
    """Apply an operation to numbers, or point by point where some of them are series over the same x."""
    series = [value for value in values if isinstance(value, dict)]
    if not series:
        return operation(*values)
    if any(other.keys() != series[0].keys() for other in series):
        raise EvidenceError(f"series over different x: {' and '.join(_listed(each) for each in series)}")
    return {x: operation(*(value[x] if isinstance(value, dict) else value for value in values)) for x in series[0]}


def _log(value: float) -> float:
    if value <= 0:
        raise EvidenceError(f"the logarithm needs values > 0 and got {value:g}")
    return math.log(value)


def _numeric(series: Series) -> tuple[list[float], list[float]]:
    """x and y of a series over numbers, in order of x; at least two points."""
    if any(isinstance(x, str) for x in series):
        raise StudyError(f"a trend needs numbers as x and got {_listed(series)}; use mean, min, max or an index")
    if len(series) < 2:
        raise EvidenceError(f"a trend needs two points or more and got x = {_listed(series)}")
    return tuple(map(list, zip(*sorted(series.items()), strict=True)))


def _slope(series: Series) -> float:
    """Least-squares slope of y over x."""
    from scipy.stats import linregress  # imported when evaluated: checking a study needs no statistics

    return float(linregress(*_numeric(series)).slope)


def _loglog(series: Series) -> float:
    """Least-squares slope of log y over log x, the exponent of a power law."""
    x, y = _numeric(series)
    return _slope({_log(a): _log(b) for a, b in zip(x, y, strict=True)})


def _spearman(series: Series) -> float:
    """Rank correlation of y with x in [-1, 1]; 0 for a constant series, which has no trend."""
    from scipy.stats import spearmanr

    x, y = _numeric(series)
    return float(spearmanr(x, y).statistic) if len(set(y)) > 1 else 0.0


def _mean(series: Series) -> float:
    return math.fsum(series.values()) / len(series)


def _smallest(series: Series) -> float:
    return min(series.values())


def _largest(series: Series) -> float:
    return max(series.values())


OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
POINTWISE = {"abs": abs, "log": _log}
AGGREGATES = {
    "slope": _slope,
    "loglog": _loglog,
    "spearman": _spearman,
    "mean": _mean,
    "min": _smallest,
    "max": _largest,
}
KEEPS_UNIT = {"abs", "mean", "min", "max"}
ALLOWED = f"arm.metric, arm.metric[x], numbers, + - * / and the functions {', '.join([*AGGREGATES, *POINTWISE])}"


# Reading observations


def _shown(x: Coordinate) -> str:
    return f"{x:g}" if isinstance(x, float) else str(x)


def _listed(series: Series) -> str:
    return ", ".join(map(_shown, series))


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
        raise StudyError(f"'{name}' is measured over x = {_listed(points)}; write {name}[x] or, for all x, mean({name})")
    raise EvidenceError(
        f"arm '{reference.arm}', metric '{reference.metric}' has no x = {_shown(reference.x)} (has: {_listed(points)})"
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


# Terms


def _number(value: float) -> Term:
    return Term(lambda table: value, lambda table: abs(value), NUMBER, frozenset())


def _measured(reference: Reference) -> Term:
    read = _series if reference.x is ... else _cell
    return Term(
        lambda table: read(table, reference),
        lambda table: _pointwise(abs, read(table, reference)),
        reference.metric,
        frozenset([reference]),
        series=reference.x is ...,
    )


def _combined(operation: type[ast.operator], left: Term, right: Term) -> Term:
    """left (+ - * /) right; a sum is as large as its larger part, a product as its parts' sizes."""
    apply = OPERATORS[operation]
    size = max if operation in (ast.Add, ast.Sub) else apply
    divisor = right.value if operation is ast.Div else right.size
    return Term(
        lambda table: _pointwise(apply, left.value(table), right.value(table)),
        lambda table: _pointwise(size, left.size(table), _pointwise(abs, divisor(table))),
        _unit(operation, left.unit, right.unit),
        left.references | right.references,
        left.series or right.series,
    )


def _unit(operation: type[ast.operator], left: str | None, right: str | None) -> str | None:
    if right == NUMBER or (left == right and operation in (ast.Add, ast.Sub)):
        return left
    return right if left == NUMBER and operation is not ast.Div else None


def _applied(name: str, term: Term) -> Term:
    """The function `name` of a term; those that keep the unit keep the scale of rounding too."""
    if name in AGGREGATES:
        apply, series = AGGREGATES[name], False
    else:
        apply, series = (lambda value: _pointwise(POINTWISE[name], value)), term.series
    keeps = name in KEEPS_UNIT
    return Term(
        lambda table: apply(term.value(table)),
        lambda table: apply(term.size(table)) if keeps else _pointwise(abs, apply(term.value(table))),
        term.unit if keeps or not term.references else None,
        term.references,
        series,
    )


class _Reader:
    """Turns the syntax tree of one expectation into terms and refuses whatever is not in the grammar."""

    def __init__(self, text: str):
        self.text = text

    def fail(self, node: ast.AST, problem: str) -> StudyError:
        return StudyError(f"'{self.text}', column {node.col_offset + 1}: {problem}")

    def expectation(self) -> Expectation:
        comparison = self.comparison()
        operations, sides = comparison.ops, [comparison.left, *comparison.comparators]
        if not all(isinstance(operation, ast.Lt | ast.Gt) for operation in operations):
            raise self.fail(comparison, "compare with < or > only; equality is -0.01 < a.metric - b.metric < 0.01")
        terms = [self.term(side, inside=False, depth=0) for side in sides]
        if not any(term.references for term in terms):
            raise self.fail(comparison, "no arm is measured; write arm.metric on one side at least")
        if len(terms) == 2:
            smaller, larger = terms if isinstance(operations[0], ast.Lt) else reversed(terms)
            return self.difference(smaller, larger)
        return self.equivalence(comparison, operations, terms)

    def comparison(self) -> ast.Compare:
        if len(self.text) > LONGEST:
            raise StudyError(f"'{self.text[:60]}...' has {len(self.text)} characters; at most {LONGEST} are allowed")
        try:
            body = ast.parse(self.text, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            column = f", column {error.offset}" if isinstance(error, SyntaxError) and error.offset else ""
            reason = error.msg if isinstance(error, SyntaxError) else str(error)
            raise StudyError(f"'{self.text}'{column}: not a comparison ({reason}); allowed: {ALLOWED}") from error
        if not isinstance(body, ast.Compare):
            raise self.fail(body, "not a comparison; write for example arm.metric > other.metric")
        return body

    def difference(self, smaller: Term, larger: Term) -> Expectation:
        if not smaller.references:
            return Expectation(self.text, larger, smaller.value({}), math.inf)
        if not larger.references:
            return Expectation(self.text, smaller, -math.inf, larger.value({}))
        return Expectation(self.text, _combined(ast.Sub, larger, smaller), 0.0, math.inf)

    def equivalence(self, node: ast.Compare, operations: list[ast.cmpop], terms: list[Term]) -> Expectation:
        same_way = len(terms) == 3 and type(operations[0]) is type(operations[1])
        if not same_way or terms[0].references or terms[2].references:
            form = "number < expression < number"
            raise self.fail(node, f"a chain is an equivalence, {form}; write an ordering of arms as several expectations")
        lower, upper = terms[0].value({}), terms[2].value({})
        if isinstance(operations[0], ast.Gt):
            lower, upper = upper, lower
        if not lower < upper:
            raise self.fail(node, f"nothing lies between {lower:g} and {upper:g}; write the smaller number first")
        return Expectation(self.text, terms[1], lower, upper)

    def term(self, node: ast.expr, *, inside: bool, depth: int) -> Term:
        """The term of a node; `inside` a function of a series, `arm.metric` is the series."""
        if depth > DEEPEST:
            raise self.fail(node, f"nested more than {DEEPEST} deep; simplify the expression")
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return _number(self.finite(node, value))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return _combined(ast.Mult, _number(-1.0), self.term(operand, inside=inside, depth=depth + 1))
            case ast.BinOp(left=left, op=operation, right=right) if type(operation) in OPERATORS:
                left, right = (self.term(side, inside=inside, depth=depth + 1) for side in (left, right))
                return self.folded(node, _combined(type(operation), left, right))
            case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]):
                return self.function(node, name, argument, inside=inside, depth=depth + 1)
            case ast.Attribute(value=ast.Name(id=arm), attr=metric):
                return _measured(Reference(arm, metric, ... if inside else None))
            case ast.Subscript(value=ast.Attribute(value=ast.Name(id=arm), attr=metric), slice=index):
                return _measured(Reference(arm, metric, self.index(index)))
        raise self.refusal(node)

    def function(self, node: ast.Call, name: str, argument: ast.expr, *, inside: bool, depth: int) -> Term:
        if name not in POINTWISE and name not in AGGREGATES:
            raise self.fail(node, unknown("function", name, [*AGGREGATES, *POINTWISE]))
        if name in AGGREGATES and inside:
            raise self.fail(node, f"{name}() inside another function of a series; its result is one number already")
        term = self.term(argument, inside=inside or name in AGGREGATES, depth=depth)
        if name in AGGREGATES and not term.series:
            raise self.fail(node, f"{name}() needs arm.metric without an index; '{self.source(argument)}' is one number")
        return self.folded(node, _applied(name, term))

    def folded(self, node: ast.expr, term: Term) -> Term:
        """A term without references becomes its number, so that 1 / 0 fails when read and not when judged."""
        if term.references:
            return term
        try:
            return _number(self.finite(node, term.value({})))
        except (ArithmeticError, EvidenceError) as error:
            raise self.fail(node, f"'{self.source(node)}' is no finite number ({error})") from error

    def finite(self, node: ast.expr, value: float) -> float:
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self.fail(node, f"'{self.source(node)[:20]}' is too large; numbers stay below 1e308")
        return number

    def index(self, node: ast.expr) -> Coordinate:
        match node:
            case ast.Constant(value=int() | float() | str() as value) if not isinstance(value, bool) and value != "":
                return coordinate(value) if isinstance(value, str) else self.finite(node, value)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
                return -self.finite(node, value)
        raise self.fail(node, f"index '{self.source(node)}' is neither a number nor a quoted string")

    def refusal(self, node: ast.expr) -> StudyError:
        source = self.source(node)
        match node:
            case ast.Name():
                problem = f"'{source}' alone says no metric; write {source}.metric"
            case ast.Attribute() | ast.Subscript():
                problem = f"'{source}' is not arm.metric or arm.metric[x]; one dot and one index at most"
            case ast.Call():
                problem = f"'{source}': functions take one argument"
            case _:
                problem = f"'{source}' is not allowed; allowed: {ALLOWED}"
        return self.fail(node, problem)

    def source(self, node: ast.expr) -> str:
        return ast.get_source_segment(self.text, node) or type(node).__name__
