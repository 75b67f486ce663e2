"""Positions of the small plots that the templates draw as inline SVG: percentages of the available width."""

import hashlib
import math
import re
from dataclasses import dataclass
from typing import Any

from assay.report.words import finite

EDGE = 1.09  # room for the outermost tick labels
FINE = 0.01  # up to here the forest's axis is about linear: a percentage point of a share
PLAIN = re.compile(r"[A-Za-z_]\w*\.\w+ [<>] (?:[A-Za-z_]\w*\.)?[\w.]+")  # a claim whose words alone make its anchor
TICKS = (0, 0.01, 0.1, 1, 10, 100, 1000)


@dataclass(frozen=True)
class Mark:
    """One effect in the forest, of one of the study's claims, in its own unit; `clipped` if its interval leaves the axis.

    margins: the effect in margins, of claims that state one. span: the interval's place; band: that of the effects that count as
    none, or of an equivalence's bounds.
    """

    text: str
    kind: str
    word: str
    effect: float
    interval: tuple[float, float] | None
    margins: float | None
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


def anchor(text: str) -> str:
    """A claim's place on its study's page, which does not depend on the claims before it."""
    slug = re.sub(r"[^\w.]+", "-", text.replace(" < ", " under ").replace(" > ", " over ")).strip("-")
    if PLAIN.fullmatch(text):
        return f"claim-{slug}"
    return f"claim-{slug[:48].strip('-')}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


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
    drawn = {name: [item for item in verdict["expectations"] if finite(item["effect"])] for name, verdict in verdicts.items()}
    drawn = {name: items for name, items in drawn.items() if items}
    ends = [abs(value) for items in drawn.values() for item in items for value in (item["effect"], *_interval(item))]
    limit = next((tick for tick in TICKS[2:] if tick >= max(ends, default=1.0)), TICKS[-1])
    reach = math.asinh(limit / FINE) * EDGE

    def at(value: float) -> float:
        return percent((math.asinh(min(max(value, -limit), limit) / FINE) / reach + 1) / 2)

    def mark(study: str, item: dict[str, Any]) -> Mark:
        interval, band = _interval(item), tolerance(item)
        return Mark(
            text=item["text"],
            kind=item["kind"],
            # Where a control failed, no single effect may look like a finding.
            word="invalid" if verdicts[study]["word"] == "invalid" else item["word"],
            effect=item["effect"],
            margins=item["effect"] / item["margin"] if item["margin"] and item["kind"] != "equivalence" else None,
            interval=interval or None,
            position=at(item["effect"]),
            span=(at(interval[0]), at(interval[1])) if interval else None,
            band=(at(band[0]), at(band[1])) if band else None,
            clipped=max(map(abs, (item["effect"], *interval))) > limit,
        )

    rows = [(name, [mark(name, item) for item in items]) for name, items in drawn.items()]
    rows.sort(key=lambda row: (-row[1][0].effect, row[0]))
    shown = [tick for tick in TICKS if tick <= limit]
    ticks = sorted({sign * tick for tick in shown for sign in (-1, 1)})
    return Forest(rows, [(tick, at(tick)) for tick in ticks], sorted(verdicts.keys() - drawn.keys()))


def _interval(item: dict[str, Any]) -> tuple[float, float] | tuple[()]:
    bounds = item["interval"] or ()
    return tuple(bounds) if len(bounds) == 2 and all(map(finite, bounds)) else ()
