"""Claim charts: for each claim what it compares, its effect on an axis in the metric's unit, and the paper's own effect.

Claims of one metric share an axis, of the quantity itself: the first thing less the second, or a value where a claim compares one
with a number. `assay show` and the CSV files have effects with the claim's sign, positive as expected; here a metric keeps its
own. Positions are percentages of the width.
"""

import ast
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from assay.errors import AssayError, StudyError
from assay.judging.answers import OF_A_SERIES
from assay.language.expectations import Side, Table, compared, parse
from assay.language.metrics import read_metric
from assay.language.published import Published
from assay.language.recipes import canonical
from assay.report.plots import anchor, percent
from assay.report.words import MINUS, finite

ROOM = 0.05  # of the range, at either end of an axis
STEPS = 6  # about so many between an axis's ends
ARM = re.compile(r"\b[A-Za-z_]\w*\.(?=[A-Za-z_])")
WHICH = {"mean": ", mean", "min": ", smallest", "max": ", largest"}  # of a series, those that keep its unit
OPERATION = re.compile(rf" [+{MINUS}*/] ")


class Paper(NamedTuple):
    """A claim's quantity by the paper's own numbers. text: what they were obtained with, and where they are printed."""

    value: float
    text: str
    position: float


@dataclass(frozen=True)
class Panel:
    """One claim on its group's axis.

    things: (name, mean over seeds) of what is compared; wanted: what is claimed of them, in words. quantity: what the axis has,
    in words; value and interval are on it, as the positions are. claimed: where the claim would hold; band: the margin. better:
    what is better in the direction of the group's `better`, in words; empty where nothing is.
    """

    anchor: str
    record: Mapping[str, Any]
    word: str
    things: tuple[tuple[str, float | None], ...]
    wanted: str
    quantity: str
    value: float
    interval: tuple[float, float] | None
    mark: float
    span: tuple[float, float] | None
    seeds: tuple[float, ...]
    threshold: float | None
    band: tuple[float, float] | None
    claimed: tuple[float, float]
    better: str
    papers: tuple[Paper, ...]


@dataclass(frozen=True)
class Group:
    """Claims on one axis. unit: as METRICS has it, empty where it is of no metric; better: -1 to the left, 1 to the right, 0
    where neither is. ticks: (text, position)."""

    label: str
    unit: str
    better: int
    ticks: tuple[tuple[str, float], ...]
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class _Quantity:
    """What a claim is about. low and high: between which it is claimed to lie; sign: of the effect on this axis, and the number
    that an effect of nothing is."""

    key: tuple[str, str]
    label: str
    sides: tuple[Side, ...]
    names: tuple[str, ...]
    text: str
    unit: str
    low: float
    high: float
    sign: int
    zero: float

    def at(self, effect: float) -> float:
        return self.zero + self.sign * effect


def groups(
    claims: Sequence[Mapping[str, Any]], metrics: Mapping[str, str], published: Sequence[Published] = (), muted: bool = False
) -> list[Group]:
    """The charts of claims, as verdicts have them, axis by axis in the order of the claims.

    metrics: the protocol's METRICS. published: numbers that the paper prints. muted: a control failed, so no effect may look
    like a finding. Claims without a finite effect have no chart.
    """
    found: dict[tuple[str, str], list[tuple[_Quantity, Mapping[str, Any]]]] = {}
    for claim in claims:
        if finite(claim["effect"]):
            quantity = _quantity(claim, metrics)
            found.setdefault(quantity.key, []).append((quantity, claim))
    return [_group(members, metrics, published, muted) for members in found.values()]


def _group(
    members: Sequence[tuple[_Quantity, Mapping[str, Any]]],
    metrics: Mapping[str, str],
    published: Sequence[Published],
    muted: bool,
) -> Group:
    papers = [_of_the_paper(quantity, published) for quantity, _ in members]
    shown = [value for quantity, claim in members for value in _shown(quantity, claim)]
    low, high = _ends([*shown, *(value for own in papers for value, _ in own)])

    def at(value: float) -> float:
        return percent((min(max(value, low), high) - low) / (high - low))

    first = members[0][0]
    metric = read_metric(first.unit, metrics[first.unit]) if first.unit in metrics else None
    direction = metric.direction.split()[0] if metric else ""
    return Group(
        label=first.label,
        unit=f"{metric.unit}, {metric.direction}" if metric else "",
        better={"higher": 1, "lower": -1}.get(direction, 0),
        ticks=tuple((text, at(value)) for value, text in ticks(low, high)),
        panels=tuple(_panel(quantity, claim, own, at, muted) for (quantity, claim), own in zip(members, papers, strict=True)),
    )


def _panel(
    quantity: _Quantity, claim: Mapping[str, Any], papers: Sequence[tuple[float, str]], at: Callable[[float], float], muted: bool
) -> Panel:
    interval, margin = _interval(claim), _margin(claim)
    ends = sorted(map(quantity.at, interval)) if interval else None
    line = quantity.zero if claim["kind"] != "equivalence" else None
    means = claim["sides"] if len(claim["sides"]) == len(quantity.names) else [None] * len(quantity.names)
    return Panel(
        anchor=anchor(claim["text"]),
        record=claim,
        word="invalid" if muted else claim["word"],
        things=tuple(zip(quantity.names, means, strict=True)),
        wanted=_wanted(quantity, claim),
        quantity=quantity.text,
        value=quantity.at(claim["effect"]),
        interval=(ends[0], ends[1]) if ends else None,
        mark=at(quantity.at(claim["effect"])),
        span=(at(ends[0]), at(ends[1])) if ends else None,
        seeds=tuple(at(quantity.at(value)) for value in claim["values"] if finite(value)),
        threshold=at(line) if line is not None else None,
        band=(at(line - margin), at(line + margin)) if line is not None and margin else None,
        claimed=(at(quantity.low), at(quantity.high)),
        better=_better(quantity),
        papers=tuple(Paper(value, text, at(value)) for value, text in papers),
    )


def _better(quantity: _Quantity) -> str:
    """What is ahead in a difference, where that can be said."""
    if quantity.key[0] == "value":
        return "better"
    plain = len(quantity.sides) == 2 and not any(map(OPERATION.search, quantity.names))
    return f"{quantity.names[0]} better" if plain else ""


def _interval(claim: Mapping[str, Any]) -> tuple[float, ...]:
    bounds = tuple(claim["interval"] or ())
    return bounds if len(bounds) == 2 and all(map(finite, bounds)) else ()


def _margin(claim: Mapping[str, Any]) -> float:
    return claim["margin"] if claim["kind"] != "equivalence" and finite(claim["margin"]) else 0.0


def _shown(quantity: _Quantity, claim: Mapping[str, Any]) -> Iterable[float]:
    """All that an axis must hold of a claim, but for where it would hold without end."""
    margin = _margin(claim)
    values = [claim["effect"], *_interval(claim), *filter(finite, claim["values"])]
    bounds = [value for value in (quantity.low, quantity.high) if math.isfinite(value)]
    return [*map(quantity.at, values), quantity.zero - margin, quantity.zero + margin, *bounds]


# What a claim is about


def _quantity(claim: Mapping[str, Any], metrics: Mapping[str, str]) -> _Quantity:
    """The quantity of a claim; of a text that is no comparison, as a verdicts file made elsewhere may have, its effect."""
    text, margin = claim["text"], _margin(claim)
    try:
        sides, expectation = compared(text), parse(text)
    except StudyError:
        return _Quantity(("text", text), "Effect", (), (text,), "effect", "", margin, math.inf, 1, 0.0)
    key, label, unit = _axis(sides, metrics)
    names = _names(sides, metrics)
    quantity = f" {MINUS} ".join(f"({name})" if len(sides) > 1 and OPERATION.search(name) else name for name in names)
    said = {"key": key, "label": label, "sides": sides, "names": names, "text": quantity, "unit": unit}
    if expectation.kind == "equivalence":
        return _Quantity(**said, low=expectation.lower, high=expectation.upper, sign=1, zero=0.0)
    upward = math.isfinite(expectation.lower)
    if len(sides) == 2:
        upward = isinstance(ast.parse(text, mode="eval").body.ops[0], ast.Gt)
    zero = 0.0 if len(sides) == 2 else expectation.lower if upward else expectation.upper
    low, high = (zero + margin, math.inf) if upward else (-math.inf, zero - margin)
    return _Quantity(**said, low=low, high=high, sign=1 if upward else -1, zero=zero)


def _axis(sides: Sequence[Side], metrics: Mapping[str, str]) -> tuple[tuple[str, str], str, str]:
    """(what claims share that share an axis, its label, the metric whose unit it has)."""
    units = {side.term.unit for side in sides}
    unit = next(iter(units)) if len(units) == 1 else None
    if not unit:
        shape = " against ".join(ARM.sub("", side.text) for side in sides)
        return ("shape", shape), _own_label(sides, metrics), ""
    apart = len(sides) == 2 or any(isinstance(node, ast.Sub) for node in ast.walk(ast.parse(sides[0].text)))
    label = _label(unit, metrics)
    return ("difference" if apart else "value", unit), f"Difference in {_inside(label)}" if apart else label, unit


def _own_label(sides: Sequence[Side], metrics: Mapping[str, str]) -> str:
    node = ast.parse(sides[0].text, mode="eval").body
    names = sorted({reference.metric for side in sides for reference in side.term.references})
    listed = " and ".join(_inside(_label(name, metrics)) for name in names)
    function = OF_A_SERIES.get(node.func.id, "") if isinstance(node, ast.Call) else ""
    label = f"{'difference in ' if function and len(sides) == 2 else ''}{function}{listed}"
    return label[0].upper() + label[1:]


def _label(metric: str, metrics: Mapping[str, str]) -> str:
    return read_metric(metric, metrics[metric]).label if metric in metrics else metric


def _inside(label: str) -> str:
    """A label inside a sentence: "Test accuracy" as "test accuracy", "SSIM" as it is."""
    first = label.split()[0]
    return label[0].lower() + label[1:] if first == first.capitalize() else label


def _names(sides: Sequence[Side], metrics: Mapping[str, str]) -> tuple[str, ...]:
    """Each side by its arm, or by its metric where two of one arm are compared."""
    names = tuple(map(_name, sides))
    if len(set(names)) == len(names):
        return names
    labels = (sorted(_label(reference.metric, metrics) for reference in side.term.references) for side in sides)
    return tuple(f"{_inside(' and '.join(own))} in {name}" for own, name in zip(labels, names, strict=True))


def _name(side: Side) -> str:
    """A side that is one metric of one arm by its arm, and its coordinate where it has one; any other as it is written."""
    node, which = ast.parse(side.text, mode="eval").body, ""
    if isinstance(node, ast.Call) and node.func.id in OF_A_SERIES:
        which, node = WHICH.get(node.func.id, ""), node.args[0]
    if isinstance(node, ast.Subscript):
        node, which = node.value, f" at {ast.literal_eval(node.slice)}"
    return f"{node.value.id}{which}" if isinstance(node, ast.Attribute) else side.text.replace(" - ", f" {MINUS} ")


def _wanted(quantity: _Quantity, claim: Mapping[str, Any]) -> str:
    """What is claimed: "claimed higher by more than 0.01", "claimed within 0.01 of each other", "claimed below 0.5"."""
    margin = _margin(claim)
    if claim["kind"] == "equivalence":
        low, high = claim["bounds"]
        if len(quantity.sides) == 2 and low == -high:
            return f"claimed within {_plain(high)} of each other"
        return f"claimed between {_plain(low)} and {_plain(high)}"
    beyond = f" by more than {_plain(margin)}" if margin else ""
    if len(quantity.sides) == 2 or not quantity.sides:
        return f"claimed {'higher' if quantity.sign > 0 else 'lower'}{beyond}"
    return f"claimed {'above' if quantity.sign > 0 else 'below'} {_plain(quantity.zero)}{beyond}"


def _plain(value: float) -> str:
    return f"{value:g}".replace("-", MINUS)


# The paper's own numbers


def _of_the_paper(quantity: _Quantity, published: Sequence[Published]) -> list[tuple[float, str]]:
    """(the quantity, what it was obtained with) for each setting in which the paper prints all numbers that it takes."""
    settings: dict[str, list[Published]] = {}
    for each in published if quantity.sides else ():
        own = each.number
        settings.setdefault(canonical(own.same_as) if own.same_as else own.setting, []).append(each)
    found = []
    for numbers in settings.values():
        values, used = _printed(quantity.sides, numbers)
        told = [dict.fromkeys(getattr(each.number, what) for each in used) for what in ("setting", "source")]
        found += [(value, "; ".join((*told[0], *told[1]))) for value in values]
    return found


def _printed(sides: Sequence[Side], numbers: Sequence[Published]) -> tuple[list[float], list[Published]]:
    """The quantity's values, and the numbers that they were made of: printed as they are, or side by side."""
    whole = ast.dump(ast.parse(" - ".join(f"({side.text})" for side in sides), mode="eval"))
    said = [each for each in numbers if ast.dump(ast.parse(each.number.metric, mode="eval")) == whole]
    if said:
        return [each.number.value for each in said], said
    references = frozenset().union(*(side.term.references for side in sides))
    if any(reference.x is ... for reference in references):
        return [], []  # a function of a series needs all of it
    table: dict[tuple[str, str], dict] = {}
    used = []
    for each in numbers:
        own = each.number.expression.references()
        if len(own) == 1 and own <= references and not isinstance(ast.parse(each.number.metric).body[0].value, ast.BinOp):
            (reference,) = own
            table.setdefault((reference.arm, reference.metric), {})[reference.x] = each.number.value
            used.append(each)
    value = _difference(sides, table)
    return ([], []) if value is None else ([value], used)


def _difference(sides: Sequence[Side], table: Table) -> float | None:
    try:
        first, *second = (side.term.value(table) for side in sides)
    except (AssayError, ZeroDivisionError):
        return None
    return first - sum(second)


# Axes


def _ends(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = ROOM * ((high - low) or abs(high) or 1.0)
    return low - room, high + room


def ticks(low: float, high: float) -> list[tuple[float, str]]:
    """(value, text) at multiples of 1, 2 or 5 times a power of ten, all with as many decimals."""
    rough = (high - low) / STEPS
    power = math.floor(math.log10(rough))
    step = next(factor for factor in (1, 2, 5, 10) if factor * 10**power >= rough * (1 - 1e-9)) * 10**power
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    values = [round(k * step, decimals) + 0.0 for k in range(math.ceil(low / step), math.floor(high / step) + 1)]
    return [(value, f"{value:,.{decimals}f}".replace("-", MINUS)) for value in values]
