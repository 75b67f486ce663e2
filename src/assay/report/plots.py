"""Positions of the small plots that the templates draw as inline SVG: percentages of the available width."""

import math
from dataclasses import dataclass
from typing import Any

from assay.report.words import finite

PADDING = 0.06
EDGE = 1.09  # room for the outermost tick labels
TICKS = (0, 0.3, 1, 3, 10, 30, 100, 300, 1000)


@dataclass(frozen=True)
class Strip:
    """One expectation on its own axis, in percent of the width: zero, effect, interval, margin band and a point for each seed."""

    zero: float
    effect: float | None
    interval: tuple[float, float] | None
    band: tuple[float, float] | None
    seeds: list[float]


@dataclass(frozen=True)
class Mark:
    """One standardised effect in the forest, of the study's expectation `number`; `clipped` if its interval leaves the axis."""

    number: int
    text: str
    kind: str
    verdict: str
    effect: float
    low: float
    high: float
    position: float
    span: tuple[float, float] | None
    clipped: bool


@dataclass(frozen=True)
class Forest:
    """Rows of (study name, marks) on one axis; ticks are (value, position); `without` are studies with nothing to draw."""

    rows: list[tuple[str, list[Mark]]]
    ticks: list[tuple[float, float]]
    without: list[str]


def percent(share: float) -> float:
    return round(100 * share, 2)


def strip(expectation: dict[str, Any]) -> Strip | None:
    """Lay out one expectation; None if there is nothing finite to draw."""
    seeds = [value for value in expectation.get("values") or [] if finite(value)]
    bounds = [bound for bound in expectation.get("interval") or [] if finite(bound)]
    effect = expectation.get("effect")
    shown = [*seeds, *bounds, *([effect] if finite(effect) else [])]
    if not shown:
        return None
    band = tolerance(expectation)
    low, high = min(0, *shown, *band), max(0, *shown, *band)
    room = PADDING * ((high - low) or 1)
    low, high = low - room, high + room

    def at(value: float) -> float:
        return percent((value - low) / (high - low))

    return Strip(
        zero=at(0),
        effect=at(effect) if finite(effect) else None,
        interval=(at(bounds[0]), at(bounds[1])) if len(bounds) == 2 else None,
        band=(at(band[0]), at(band[1])) if band else None,
        seeds=[at(value) for value in seeds],
    )


def tolerance(expectation: dict[str, Any]) -> tuple[float, float] | tuple[()]:
    """Effects that count as none: the bounds of an equivalence, plus and minus the margin of a difference."""
    if expectation["kind"] == "equivalence":
        return tuple(expectation["bounds"])
    margin = expectation.get("margin")
    return (-margin, margin) if finite(margin) and margin > 0 else ()


def standardised(expectation: dict[str, Any]) -> tuple[float, float, float] | None:
    """Standardised effect with its interval; positive is what the paper expects, except in an equivalence. None if there is none.

    The verdict keeps the interval in the metric's unit; both are divided by the same standard deviation, effect / standardised.
    """
    effect, ratio = expectation.get("effect"), expectation.get("standardised")
    if not finite(ratio):
        return None
    bounds = expectation.get("interval") or ()
    low, high = bounds if len(bounds) == 2 and all(map(finite, bounds)) else (math.nan, math.nan)
    scale = ratio / effect if finite(effect) and effect and ratio else math.nan
    return ratio, low * scale, high * scale


def forest(verdicts: dict[str, dict[str, Any]]) -> Forest:
    """All studies' standardised effects on one axis, the largest first effect on top.

    The axis is scaled by asinh, since effects span orders of magnitude in both directions.
    """
    drawn = {
        name: [(number, e, values) for number, e in enumerate(verdict["expectations"], start=1) if (values := standardised(e))]
        for name, verdict in verdicts.items()
    }
    drawn = {name: items for name, items in drawn.items() if items}
    largest = max((abs(v) for items in drawn.values() for *_, values in items for v in values if finite(v)), default=1.0)
    limit = next((tick for tick in TICKS[2:] if tick >= largest), TICKS[-1])
    reach = math.asinh(limit) * EDGE

    def at(value: float) -> float:
        return percent((math.asinh(min(max(value, -limit), limit)) / reach + 1) / 2)

    def mark(study: str, number: int, item: dict[str, Any], values: tuple[float, float, float]) -> Mark:
        effect, low, high = values
        bounded = finite(low) and finite(high)
        return Mark(
            number=number,
            text=item["text"],
            kind=item["kind"],
            # Where a control failed, no single effect may look like a finding.
            verdict="invalid" if verdicts[study]["verdict"] == "invalid" else item["verdict"],
            effect=effect,
            low=low,
            high=high,
            position=at(effect),
            span=(at(low), at(high)) if bounded else None,
            clipped=abs(effect) > limit or (bounded and max(abs(low), abs(high)) > limit),
        )

    rows = [(name, [mark(name, *item) for item in items]) for name, items in drawn.items()]
    rows.sort(key=lambda row: (-row[1][0].effect, row[0]))
    shown = [tick for tick in TICKS if tick <= limit]
    ticks = sorted({sign * tick for tick in shown for sign in (-1, 1)})
    return Forest(rows, [(tick, at(tick)) for tick in ticks], sorted(verdicts.keys() - drawn.keys()))
