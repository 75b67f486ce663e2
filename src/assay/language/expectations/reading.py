"""The reader: text to expectation by way of Python's syntax tree, which is read and never run."""

import ast
import math
from dataclasses import dataclass, replace

from assay.errors import EvidenceError, StudyError, unknown
from assay.language.expectations import forms
from assay.language.expectations.expectation import Expectation, normal
from assay.language.expectations.series import AGGREGATES, POINTWISE, Coordinate, coordinate
from assay.language.expectations.terms import OPERATORS, Reference, Term, applied, combined, measured, number

LONGEST = 500  # characters of an expectation; real ones stay under 150
DEEPEST = 20  # nested operations; keeps recursion far from Python's own limit
ALLOWED = f"arm.metric, arm.metric[x], numbers, + - * / and the functions {', '.join([*AGGREGATES, *POINTWISE])}"


def parse(text: str) -> Expectation:
    """Read one expectation or control; raises StudyError with the text, the column, what is allowed and the fix."""
    if not isinstance(text, str):
        raise StudyError(f"{text!r} is not text; write a comparison such as 'arm.metric > other.metric'")
    return _Reader(normal(text)).expectation()


def said_once(text: str) -> str:
    """The comparison in one form, whatever its spaces, its parentheses and the side that it is read from."""
    comparison = _Reader(normal(text)).comparison()
    sides = [comparison.left, *comparison.comparators]
    order = -1 if isinstance(comparison.ops[0], ast.Lt) else 1
    return " > ".join(map(ast.unparse, sides[::order]))


@dataclass(frozen=True)
class Side:
    """A part of a comparison. text: as written, in one spelling."""

    text: str
    term: Term


def compared(text: str) -> tuple[Side, ...]:
    """What the comparison sets against each other, each to be evaluated by itself: both sides of `a.m > b.m`, the one that is
    measured of `a.m > 0.3`, the two that an equivalence subtracts, or else its middle."""
    reader = _Reader(normal(text))
    comparison = reader.comparison()
    sides = [comparison.left, *comparison.comparators]
    found = [Side(ast.unparse(side), reader.term(side, inside=False, depth=0)) for side in sides]
    measured = [side for side in found if side.term.references]
    if len(sides) == 3 and isinstance(sides[1], ast.BinOp) and isinstance(sides[1].op, ast.Sub):
        subtracted = compared(f"{ast.unparse(sides[1].left)} < {ast.unparse(sides[1].right)}")
        return subtracted if len(subtracted) == 2 else tuple(measured)
    return tuple(measured)


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
        self.refuse_equal(comparison, sides[:2])
        if len(terms) == 2:
            self.refuse_decided(comparison, forms.total(terms[0].form, terms[1].form, sign=-1), "the sides differ by")
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
        return Expectation(self.text, combined(ast.Sub, larger, smaller), 0.0, math.inf)

    def equivalence(self, node: ast.Compare, operations: list[ast.cmpop], terms: list[Term]) -> Expectation:
        same_way = len(terms) == 3 and type(operations[0]) is type(operations[1])
        if not same_way or terms[0].references or terms[2].references:
            form = "number < expression < number"
            raise self.fail(node, f"a chain is an equivalence, {form}; write an ordering of arms as several expectations")
        self.refuse_decided(node, terms[1].form, "the middle is")
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
                return number(self.finite(node, value))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return combined(ast.Mult, number(-1.0), self.term(operand, inside=inside, depth=depth + 1))
            case ast.BinOp(left=left, op=operation, right=right) if type(operation) in OPERATORS:
                if isinstance(operation, ast.Sub | ast.Div) and not isinstance(left, ast.Constant):
                    self.refuse_equal(node, [left, right])
                left, right = (self.term(side, inside=inside, depth=depth + 1) for side in (left, right))
                if isinstance(operation, ast.Div) and left.references and not right.references and right.value({}) == 0:
                    raise self.fail(node, f"'{self.source(node)}' divides by zero")
                return self.folded(node, combined(type(operation), left, right))
            case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]):
                return self.function(node, name, argument, inside=inside, depth=depth + 1)
            case ast.Attribute(value=ast.Name(id=arm), attr=metric):
                return measured(Reference(arm, metric, ... if inside else None))
            case ast.Subscript(value=ast.Attribute(value=ast.Name(id=arm), attr=metric), slice=index):
                return measured(Reference(arm, metric, self.index(index)))
        raise self.refusal(node)

    def function(self, node: ast.Call, name: str, argument: ast.expr, *, inside: bool, depth: int) -> Term:
        if name not in POINTWISE and name not in AGGREGATES:
            raise self.fail(node, unknown("function", name, [*AGGREGATES, *POINTWISE]))
        if name in AGGREGATES and inside:
            raise self.fail(node, f"{name}() inside another function of a series; its result is one number already")
        term = self.term(argument, inside=inside or name in AGGREGATES, depth=depth)
        if name in AGGREGATES and not term.series:
            raise self.fail(node, f"{name}() needs arm.metric without an index; '{self.source(argument)}' is one number")
        return self.folded(node, applied(name, term))

    def refuse_equal(self, node: ast.expr, sides: list[ast.expr]) -> None:
        """StudyError for two sides that are the same, which nothing measured can tell apart."""
        if ast.dump(sides[0]) == ast.dump(sides[1]):
            raise self.fail(node, f"'{self.source(sides[0])}' stands on both sides; compare it with something else")

    def refuse_decided(self, node: ast.Compare, form: forms.Form, what: str) -> None:
        """StudyError for what arithmetic decides, whatever is measured: `a.m + 1 > a.m`, `2 * a.m > a.m + a.m`."""
        number = forms.decided(form)
        if number is not None:
            raise self.fail(node, f"{what} {float(number):g} whatever is measured; compare with something else")

    def folded(self, node: ast.expr, term: Term) -> Term:
        """A term without references becomes its number, so that 1 / 0 fails when read and not when judged."""
        if term.references:
            return term
        try:
            return replace(number(self.finite(node, term.value({}))), form=term.form)
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
