"""Positions of the small plots that the templates draw as inline SVG: percentages of the available width."""

import math
from dataclasses import dataclass
from typing import Any

from assay.report.words import finite

PADDING = 0.06
EDGE = 1.09  # room for the outermost tick labels
FINE = 0.01  # up to here the forest's axis is about linear: a percentage point of a share
TICKS = (0, 0.01, 0.1, 1, 10, 100, 1000)


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
    """One effect in the forest, of the study's expectation `number`, in its own unit; `clipped` if its interval leaves the axis.

    span: the interval's place; band: that of the effects that count as none, or of an equivalence's bounds.
    """

    number: int
    text: str
    kind: str
    word: str
    effect: float
    interval: tuple[float, float] | None
    position: float
    span: tuple[float, float] | None
    band: tuple[float, float] | None
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


def standardised(expectation: dict[str, Any]) -> float | None:
    """The effect in standard deviations between seeds; None where there are none."""
    spread = expectation["spread"]
    return expectation["effect"] / spread if finite(spread) and spread > 0 else None


def forest(verdicts: dict[str, dict[str, Any]]) -> Forest:
    """All studies' effects in their own units on one axis, with their intervals and margins, the largest first effect on top.

    The axis is scaled by asinh, since effects span orders of magnitude in both directions; FINE is where it bends.
    """
    drawn = {
        name: [(number, item) for number, item in enumerate(verdict["expectations"], start=1) if finite(item["effect"])]
        for name, verdict in verdicts.items()
    }
    drawn = {name: items for name, items in drawn.items() if items}
    ends = [abs(value) for items in drawn.values() for _, item in items for value in (item["effect"], *_interval(item))]
    limit = next((tick for tick in TICKS[2:] if tick >= max(ends, default=1.0)), TICKS[-1])
    reach = math.asinh(limit / FINE) * EDGE

    def at(value: float) -> float:
        return percent((math.asinh(min(max(value, -limit), limit) / FINE) / reach + 1) / 2)

    def mark(study: str, number: int, item: dict[str, Any]) -> Mark:
        interval, band = _interval(item), tolerance(item)
        return Mark(
            number=number,
            text=item["text"],
            kind=item["kind"],
            # Where a control failed, no single effect may look like a finding.
            word="invalid" if verdicts[study]["word"] == "invalid" else item["word"],
            effect=item["effect"],
            interval=interval or None,
            position=at(item["effect"]),
            span=(at(interval[0]), at(interval[1])) if interval else None,
            band=(at(band[0]), at(band[1])) if band else None,
            clipped=max(map(abs, (item["effect"], *interval))) > limit,
        )

    rows = [(name, [mark(name, *item) for item in items]) for name, items in drawn.items()]
    rows.sort(key=lambda row: (-row[1][0].effect, row[0]))
    shown = [tick for tick in TICKS if tick <= limit]
    ticks = sorted({sign * tick for tick in shown for sign in (-1, 1)})
    return Forest(rows, [(tick, at(tick)) for tick in ticks], sorted(verdicts.keys() - drawn.keys()))


def _interval(item: dict[str, Any]) -> tuple[float, float] | tuple[()]:
    bounds = item["interval"] or ()
    return tuple(bounds) if len(bounds) == 2 and all(map(finite, bounds)) else ()
