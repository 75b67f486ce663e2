"""The judge's page: what its corrections did, and how often it errs, on this report's effects and where the truth is known."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment

from assay.errors import EvidenceError
from assay.report.atlas import Entry
from assay.report.parts import Part
from assay.report.rates import corrections, false_findings, powers
from assay.storage.places import PROJECT

MEASURED = PROJECT / "docs" / "data"
AGAIN = "python bench/calibrate.py"
COLUMNS = {
    "null": ("noise", "seeds", "null", "supported", "studies"),
    "power": ("seeds", "effect", "supported", "studies"),
    "reports": ("noise", "real", "null", "false_share", "power"),
}
EFFECTS = (0, 0.5, 1, 1.5, 2, 3, 4)  # columns of the table of power, in standard deviations
Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Curve:
    """The share of studies found at each true effect by this many seeds: (effect, percent)."""

    seeds: int
    points: list[tuple[float, float]]

    @property
    def line(self) -> str:
        """The curve as points of an SVG path, 400 wide and 100 high, 4 standard deviations to the right."""
        return " ".join(f"{100 * effect:g},{100 - percent:g}" for effect, percent in self.points)

    @property
    def shown(self) -> list[float | None]:
        """The percentages at EFFECTS."""
        return [dict(self.points).get(effect) for effect in EFFECTS]


def judge_part(templates: Environment, entries: Sequence[Entry]) -> Part:
    """judge.html."""
    judged = sorted(
        ((entry.study.name, entry.verdict) for entry in entries if entry.verdict), key=lambda study: (study[1]["q"], study[0])
    )
    inputs = {"judged": judged, "null": measured("null"), "power": measured("power"), "reports": measured("reports")}
    return Part("judge", inputs, partial(judge_files, templates))


def measured(name: str) -> Rows:
    """One table of bench/calibrate.py; EvidenceError with the fix if it is missing or lacks a column."""
    path = Path(MEASURED, f"judge-{name}.csv")
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError:
        raise EvidenceError(f"{path}: does not exist; get it back with git, or make it with {AGAIN}") from None
    lacking = [column for column in COLUMNS[name] if not rows or any(row.get(column) is None for row in rows)]
    if lacking:
        raise EvidenceError(f"{path}: has no {', '.join(lacking)}; get it back with git, or make it with {AGAIN}")
    return rows


def judge_files(
    templates: Environment, judged: Sequence[tuple[str, dict[str, Any]]], null: Rows, power: Rows, reports: Rows
) -> dict[str, str]:
    """The page by its path in the report."""
    context = {
        "judged": judged,
        "did": corrections(judged),
        "here": false_findings(judged),
        "powers": powers(judged),
        "errors": false_support(null),
        "power": power_curves(power),
        "effects": EFFECTS,
        "reports": reports,
    }
    return {"judge.html": templates.get_template("judge.html").render(context)}


def false_support(rows: Rows) -> list[tuple[str, int, int, int]]:
    """(noise, seeds, studies falsely supported, studies simulated), of studies with one false expectation among true ones."""
    pooled: dict[tuple[str, int], list[int]] = {}
    for row in rows:
        if row["null"] == "1":
            counts = pooled.setdefault((row["noise"], int(row["seeds"])), [0, 0])
            counts[0] += int(row["supported"])
            counts[1] += int(row["studies"])
    return [(*key, *counts) for key, counts in pooled.items()]


def power_curves(rows: Rows) -> list[Curve]:
    """A curve for each number of seeds."""
    curves: dict[int, list[tuple[float, float]]] = {}
    for row in rows:
        share = round(100 * int(row["supported"]) / int(row["studies"]), 2)
        curves.setdefault(int(row["seeds"]), []).append((float(row["effect"]), share))
    return [Curve(seeds, sorted(points)) for seeds, points in sorted(curves.items())]
