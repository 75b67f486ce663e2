"""The judge's page: how often it errs where the truth is known, what it sees, and what its corrections did in this report."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment

from assay.files import ROOT
from assay.report.atlas import Entry
from assay.report.parts import Part

MEASURED = ROOT / "docs" / "data"
EFFECTS = (0, 0.5, 1, 1.5, 2, 3, 4)  # columns of the table of power, in standard deviations
Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Correction:
    """How many findings there are with and without a correction, among so many tests."""

    tests: int
    before: int
    after: int


@dataclass(frozen=True)
class Power:
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
    """One table of bench/calibrate.py."""
    with open(Path(MEASURED, f"judge-{name}.csv"), newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def judge_files(
    templates: Environment, judged: Sequence[tuple[str, dict[str, Any]]], null: Rows, power: Rows, reports: Rows
) -> dict[str, str]:
    """The page by its path in the report."""
    verdicts = [verdict for _, verdict in judged]
    alpha = templates.globals["alpha"]
    context = {
        "judged": judged,
        "holm": holm_did(verdicts, alpha),
        "hochberg": hochberg_did(verdicts, alpha),
        "errors": false_support(null),
        "power": power_curves(power),
        "effects": EFFECTS,
        "reports": reports,
    }
    return {"judge.html": templates.get_template("judge.html").render(context)}


def holm_did(verdicts: Sequence[Mapping[str, Any]], alpha: float) -> Correction:
    """Expectations whose finding has p up to alpha, on its own and with Holm's correction within the study and its tier."""
    items = [item for verdict in verdicts for item in (*verdict["expectations"], *verdict["secondary"])]
    return Correction(len(items), sum(item["p"] <= alpha for item in items), sum(item["p_holm"] <= alpha for item in items))


def hochberg_did(verdicts: Sequence[Mapping[str, Any]], alpha: float) -> Correction:
    """Studies with p up to alpha, and with q up to alpha after Benjamini and Hochberg's correction over all of them."""
    return Correction(len(verdicts), sum(v["p"] <= alpha for v in verdicts), sum(v["q"] <= alpha for v in verdicts))


def false_support(rows: Rows) -> list[tuple[str, int, int, int]]:
    """(noise, seeds, studies falsely supported, studies simulated), of studies with one false expectation among true ones."""
    pooled: dict[tuple[str, int], list[int]] = {}
    for row in rows:
        if row["null"] == "1":
            counts = pooled.setdefault((row["noise"], int(row["seeds"])), [0, 0])
            counts[0] += int(row["supported"])
            counts[1] += int(row["studies"])
    return [(*key, *counts) for key, counts in pooled.items()]


def power_curves(rows: Rows) -> list[Power]:
    """A curve for each number of seeds."""
    curves: dict[int, list[tuple[float, float]]] = {}
    for row in rows:
        share = round(100 * int(row["supported"]) / int(row["studies"]), 2)
        curves.setdefault(int(row["seeds"]), []).append((float(row["effect"]), share))
    return [Power(seeds, sorted(points)) for seeds, points in sorted(curves.items())]
