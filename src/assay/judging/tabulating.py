"""Observations, rows as evidence holds them, as the tables that expectations are evaluated on."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from assay.errors import EvidenceError
from assay.language.expectations import Table, coordinate


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
