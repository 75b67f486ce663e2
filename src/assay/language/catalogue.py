"""The catalogue: what each paper claims and published, one row a paper, kept in config/papers.json."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from assay.errors import StudyError, unknown
from assay.storage.places import PROJECT

PAPERS = PROJECT / "config" / "papers.json"
NO_PAPER = "none"  # what a study names that asks a question of its own


@dataclass(frozen=True)
class Paper:
    """One row. numbers: {"what", "value", "baseline"} as published; experiment: a sketch of how the claim could be tested."""

    id: str
    title: str
    kind: str
    family: str
    method: str
    claim: str
    numbers: list[dict[str, str | None]]
    datasets: list[str]
    metrics: list[str]
    code: str | None
    scope: str
    priority: int
    experiment: dict[str, Any]


FIELDS = {field.name for field in fields(Paper)}


OWN = Paper(
    id=NO_PAPER,
    title="A question of one's own",
    kind="",
    family="own",
    method="",
    claim="",
    numbers=[],
    datasets=[],
    metrics=[],
    code=None,
    scope="",
    priority=0,
    experiment={},
)


class Catalogue(Mapping[str, Paper]):
    """Papers by id in the file's order; an id it lacks raises StudyError with the nearest one it has.

    A study may name `none` in place of a paper: that can be asked for, and is not counted among the papers.
    """

    def __init__(self, papers: list[Paper], path: Path = PAPERS):
        self.path = path
        self._papers = MappingProxyType({paper.id: paper for paper in papers})

    def __getitem__(self, key: str) -> Paper:
        if key == NO_PAPER:
            return OWN
        if key not in self._papers:
            near = unknown("paper", key, self._papers).split(" (allowed")[0]
            raise StudyError(f"{self.path}: {near}; the catalogue has {len(self)} papers")
        return self._papers[key]

    def __contains__(self, key: object) -> bool:
        return key == NO_PAPER or key in self._papers

    def __iter__(self):
        return iter(self._papers)

    def __len__(self) -> int:
        return len(self._papers)

    def families(self) -> list[str]:
        """The families, sorted."""
        return sorted({paper.family for paper in self._papers.values()})


def load(path: Path = PAPERS) -> Catalogue:
    """Read the catalogue; StudyError names the first row with a missing or unknown field, or an id used twice."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise StudyError(f"{path}: the catalogue cannot be read: {error}") from None
    papers: dict[str, Paper] = {}
    for number, row in enumerate(rows, start=1):
        where = f"{path}: row {number} ({row.get('id', 'no id')})"
        if wrong := FIELDS.symmetric_difference(row):
            raise StudyError(f"{where}: fields missing or unknown: {', '.join(sorted(wrong))}")
        if row["id"] in papers:
            raise StudyError(f"{where}: the id is used twice; ids are unique")
        papers[row["id"]] = Paper(**row)
    return Catalogue(list(papers.values()), path)
