"""The page of benchmarks: what bench/bars.json says was measured against each bar, with the peer that ran beside it."""

from collections.abc import Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Literal

from jinja2 import Environment
from pydantic import BaseModel, ConfigDict, ValidationError

from assay.errors import EvidenceError
from assay.report.parts import Part
from assay.storage.places import PROJECT

FILE = PROJECT / "bench" / "bars.json"
AGAIN = "make bench"


class Bar(BaseModel):
    """One bar: what was measured, on which side of which limit it is to be, what it was measured from, when and where."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    topic: str
    name: str
    value: float
    limit: float
    sense: Literal["at most", "at least"]
    measured: dict[str, float | int | str]
    unit: str
    how: str
    commit: str = ""
    date: str = ""
    machine: str = ""

    @property
    def met(self) -> bool:
        return self.value <= self.limit if self.sense == "at most" else self.value >= self.limit


class Bars(BaseModel):
    """bench/bars.json: the bars of all topics, and where the last of them were measured."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    commit: str
    date: str
    machine: str
    bars: tuple[Bar, ...]


def read_bars(path: Path | None = None) -> Bars | None:
    """The bars that were measured; None if none were. EvidenceError with the fix if the file is damaged."""
    path = path or FILE
    try:
        return Bars.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        problem = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
        where = ".".join(map(str, problem["loc"]))
        raise EvidenceError(
            f"{path}: {f'key {where!r}: ' if where else ''}{problem['msg']}; get it back with git, or make it with {AGAIN}"
        ) from None


def benchmark_parts(templates: Environment, found: Bars | None) -> list[Part]:
    """benchmarks.html, if anything was measured."""
    return [Part("benchmarks", {"found": found}, partial(benchmark_files, templates))] if found else []


def benchmark_files(templates: Environment, found: Bars) -> dict[str, str]:
    """The page by its path in the report."""
    ordered: Sequence[Bar] = sorted(found.bars, key=lambda bar: bar.topic)
    topics = {topic: list(bars) for topic, bars in groupby(ordered, key=lambda bar: bar.topic)}
    context = {"found": found, "topics": topics, "met": sum(bar.met for bar in found.bars), "again": AGAIN}
    return {"benchmarks.html": templates.get_template("benchmarks.html").render(context)}
