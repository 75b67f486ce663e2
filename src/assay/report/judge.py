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
AGAIN = {"replication": "python bench/replication.py"}
SIMULATED = "python bench/calibrate.py"
COLUMNS = {
    "null": ("noise", "seeds", "studies", "holds", "any", "unpaid"),
    "paper": ("noise", "seeds", "studies", "supported"),
    "power": ("seeds", "effect", "found", "studies"),
    "reports": ("papers", "sharing", "truth", "false_holds", "false_supported", "false_without_gate", "found", "seeds"),
    "expected": ("how", "seeds", "decided", "papers", "taken"),
    "corrections": ("seeds", "raw", "looks", "claims", "papers_raw", "papers_looks", "papers_claims", "papers_gate"),
    "replication": ("what", "judge", "decided", "kept", "open", "invalid", "other", "reversed"),
}
EFFECTS = (0, 0.5, 0.75, 1, 1.5, 2, 3, 4)  # columns of the table of power, in standard deviations
NOT_SHOWN = ("opposite", "realistic")  # truths that stand for one number elsewhere
Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Curve:
    """The share of claims found at each true effect by this many seeds: (effect, percent)."""

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
    judged = sorted((entry.study.name, entry.verdict) for entry in entries if entry.verdict)
    tables = {name: measured(name) for name in COLUMNS}
    return Part("judge", {"judged": judged, "tables": tables}, partial(judge_files, templates))


def measured(name: str) -> Rows:
    """One table of the judge's measurements; EvidenceError with the fix if it is missing or lacks a column."""
    path, again = Path(MEASURED, f"judge-{name}.csv"), AGAIN.get(name, SIMULATED)
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError:
        raise EvidenceError(f"{path}: does not exist; get it back with git, or make it with {again}") from None
    lacking = [column for column in COLUMNS[name] if not rows or any(row.get(column) is None for row in rows)]
    if lacking:
        raise EvidenceError(f"{path}: has no {', '.join(lacking)}; get it back with git, or make it with {again}")
    return rows


def judge_files(templates: Environment, judged: Sequence[tuple[str, dict[str, Any]]], tables: dict[str, Rows]) -> dict[str, str]:
    """The page by its path in the report."""
    context = {
        "judged": judged,
        "did": corrections(judged),
        "here": false_findings(judged),
        "powers": powers(judged),
        "errors": errors(tables["null"], tables["paper"]),
        "power": power_curves(tables["power"]),
        "effects": EFFECTS,
        "reports": [row for row in tables["reports"] if row["truth"] not in NOT_SHOWN],
        "expected": tables["expected"],
        "costs": tables["corrections"],
        "replication": tables["replication"],
    }
    return {"judge.html": templates.get_template("judge.html").render(context)}


def errors(null: Rows, paper: Rows) -> list[tuple[str, int, int, tuple[float, ...]]]:
    """(noise, seeds, trials, rates in percent) of false words.

    rates: claims said to hold; given any word; said to hold if looks cost nothing; papers supported.
    """
    supported = {(row["noise"], row["seeds"]): _percent(row, "supported") for row in paper}
    return [
        (
            row["noise"],
            int(row["seeds"]),
            int(row["studies"]),
            (*(_percent(row, event) for event in ("holds", "any", "unpaid")), supported[row["noise"], row["seeds"]]),
        )
        for row in null
    ]


def _percent(row: dict[str, str], event: str) -> float:
    return round(100 * int(row[event]) / int(row["studies"]), 2)


def power_curves(rows: Rows) -> list[Curve]:
    """A curve for each number of seeds."""
    curves: dict[int, list[tuple[float, float]]] = {}
    for row in rows:
        curves.setdefault(int(row["seeds"]), []).append((float(row["effect"]), _percent(row, "found")))
    return [Curve(seeds, sorted(points)) for seeds, points in sorted(curves.items())]
