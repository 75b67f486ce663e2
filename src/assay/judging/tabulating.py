"""Observations, rows as evidence holds them, as the tables that expectations are evaluated on."""

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from assay.errors import EvidenceError
from assay.language.expectations import Table, coordinate
from assay.language.looks import scheduled


def tabulate(rows: Iterable[Mapping[str, Any]]) -> dict[int, Table]:
    """One table for each seed, seeds ascending; raises EvidenceError for a repeated or non-finite observation."""
    tables: dict[int, dict] = {}
    for row in rows:
        arm, metric, x, value = row["arm"], row["metric"], coordinate(row["x"]), _finite(row)
        points = tables.setdefault(_seed(row), {}).setdefault((arm, metric), {})
        if x in points:
            raise EvidenceError(f"{_place(row)} is there twice")
        points[x] = value
    if not tables:
        raise EvidenceError("there are no observations; measure the study again")
    return dict(sorted(tables.items()))


def judged_draws(
    rows: Iterable[Mapping[str, Any]], arms: Collection[str], first: int = 0, first_look: int | None = None
) -> tuple[list[Mapping[str, Any]], int]:
    """The rows that a verdict rests on, those of seeds first, first + 1, ... up to the last scheduled look; and the first look.

    Seeds count without a gap, as long as there are observations of all these arms; what lies before them, beyond a gap or
    between looks is left alone. first_look: all seeds from `first` on that were observed if not given, so one look at all.
    Raises EvidenceError, naming the first seed and arm that lack, where the first look cannot be made.
    """
    of_seed: dict[int, list[Mapping[str, Any]]] = {}
    for row in rows:
        of_seed.setdefault(_seed(row), []).append(row)
    if not of_seed:
        raise EvidenceError("there are no observations; measure the study again")
    first_look = first_look or sum(seed >= first for seed in of_seed) or 1
    end = first
    while not (missing := sorted(set(arms) - {row["arm"] for row in of_seed.get(end, ())})) and end in of_seed:
        end += 1
    looks = scheduled(first_look, end - first)
    if not looks:
        lacking = f"no observation of arm '{missing[0]}'" if missing else "no observations"
        raise EvidenceError(f"seed {end}: {lacking}; the first look needs seeds {first} to {first + first_look - 1}")
    return [row for seed in range(first, first + looks[-1]) for row in of_seed[seed]], first_look


def _seed(row: Mapping[str, Any]) -> int:
    try:
        return int(row["seed"])
    except (TypeError, ValueError):
        raise EvidenceError(f"{_place(row)}: the seed must be a whole number") from None


def _finite(row: Mapping[str, Any]) -> float:
    try:
        value = float(row["value"])
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise EvidenceError(f"{_place(row)} is {row['value']!r}; it must be a finite number")
    return value


def _place(row: Mapping[str, Any]) -> str:
    at = f", x = {row['x']}" if coordinate(row["x"]) is not None else ""
    return f"arm '{row['arm']}', metric '{row['metric']}', seed {row['seed']}{at}"
