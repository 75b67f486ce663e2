"""One study told as an article: what the judge says of its claims by the number of seeds and the margin, computed by the judge.

Words are computed when the report is built, for every number of seeds and margin that the page's controls reach: its script
only shows them. Beyond the seeds there are, these are taken again in their order: what more of them would say if they came out
alike.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from jinja2 import Environment

from assay.errors import StudyError
from assay.judging.answers import sentences
from assay.judging.families import Family
from assay.judging.verdicts import judge
from assay.language.expectations import parse
from assay.language.looks import scheduled
from assay.report.atlas import Entry
from assay.report.page import Page
from assay.report.panels import Group, Panel, groups
from assay.report.parts import Part

TOLD = "mixup"  # the study that is told where it is judged, else the first that can be
LOOKS = 4
SHARES = (0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.25)  # margins tried, of the largest effect
MOST = 4  # claims that are told


@dataclass(frozen=True)
class Cell:
    """What the judge says of a claim with so many seeds at a margin, and where the chart has its interval and its margin."""

    seeds: int
    margin: float
    word: str
    reason: str
    panel: Panel


@dataclass(frozen=True)
class Told:
    """A claim with its axis and its cells, seeds by seeds and margin by margin."""

    text: str
    group: Group
    cells: list[list[Cell]]

    @property
    def panel(self) -> Panel:
        """As the article begins: with the seeds of a first look, and the smallest margin."""
        return self.cells[0][0].panel

    @property
    def holds_up_to(self) -> float | None:
        """The largest margin of those tried at which it holds with the seeds of a first look; None if it holds at none."""
        return max((cell.margin for cell in self.cells[0] if cell.word == "holds"), default=None)

    @property
    def fails_from(self) -> float | None:
        """The smallest margin at which it fails with the seeds of a first look; None if it fails at none."""
        return min((cell.margin for cell in self.cells[0] if cell.word == "fails"), default=None)


def lesson_parts(templates: Environment, entries: Sequence[Entry]) -> list[Part]:
    """lesson.html, of a study that has claims about two arms or an arm and a number; none where there is none."""
    able = [entry for entry in entries if entry.verdict and entry.state != "invalid" and claims_of(entry.verdict)]
    chosen = next((entry for entry in able if entry.study.name == TOLD), able[0] if able else None)
    return [Part("lesson", {"entry": chosen}, partial(lesson_files, templates))] if chosen else []


def claims_of(verdict: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The claims that a margin bears on: differences with spread over seeds, which the judge can read again."""
    varied = (item for item in verdict["expectations"] if item["kind"] == "difference" and item["spread"] > 0)
    return [item for item in varied if _readable(item["text"])][:MOST]


def _readable(text: str) -> bool:
    """Whether this is a comparison: a verdicts file made elsewhere may have other texts."""
    try:
        return bool(parse(text))
    except StudyError:
        return False


def lesson_files(templates: Environment, entry: Entry) -> dict[str, str]:
    """The page by its path in the report."""
    told, words = lesson(entry.page)
    context = {"entry": entry, "told": told, "words": words, "said": _said(told, entry.page)}
    return {"lesson.html": templates.get_template("lesson.html").render(context)}


def _said(told: Sequence[Told], page: Page) -> list[str]:
    """What the judge says of each claim with the seeds there are and the study's own margins, in a sentence."""
    records = {item["text"]: item for item in page.verdict["expectations"]}
    said = [(records[each.text], sentences([records[each.text]], page.study.metrics)[0]) for each in told]
    return [f"open, {sentence}" if record["word"] == "open" else sentence for record, sentence in said]


def lesson(page: Page) -> tuple[list[Told], list[list[str]]]:
    """The claims told, and the paper's words of them by seeds and margin."""
    claims = claims_of(page.verdict)
    texts = [claim["text"] for claim in claims]
    margins = tried(claims)
    looks = [page.verdict["first_look"] * 2**look for look in range(LOOKS)]
    names = {(seeds, margin): f"{seeds} {margin!r}" for seeds in looks for margin in margins}
    studies = [
        {"name": name, "paper": page.paper.id, "expect": texts, "margin": dict.fromkeys(texts, margin), "first_look": looks[0]}
        for (_, margin), name in names.items()
    ]
    rows = _needed(page, texts)
    repeated = {seeds: _repeated(rows, page.verdict, seeds) for seeds in looks}
    found = judge(studies, {name: repeated[seeds] for (seeds, _), name in names.items()}, release=Family({}))["studies"]
    judged = {cell: found[name] for cell, name in names.items()}
    told = [_told(index, looks, margins, judged, page) for index in range(len(claims))]
    return told, [[judged[seeds, margin]["word"] for margin in margins] for seeds in looks]


def tried(claims: Sequence[Mapping[str, Any]]) -> list[float]:
    """The margins of the page: from none to beyond the largest effect, to two digits."""
    largest = max(abs(claim["effect"]) for claim in claims)
    return sorted({float(f"{share * largest:.1g}" if share < 1 else f"{share * largest:.2g}") for share in SHARES})


def _needed(page: Page, texts: Sequence[str]) -> list[dict[str, Any]]:
    """The observations that the claims read, of judged seeds."""
    read = {(reference.arm, reference.metric) for text in texts for reference in parse(text).references()}
    table = page.observations.astype(object).where(page.observations.notna(), None)
    return [row for row in table.to_dict("records") if (row["arm"], row["metric"]) in read]


def _repeated(rows: Iterable[Mapping[str, Any]], verdict: Mapping[str, Any], seeds: int) -> list[dict[str, Any]]:
    """The judged seeds as seeds 0, 1, ..., taken again in their order until there are so many."""
    first = verdict["first"]
    count = scheduled(verdict["first_look"], verdict["seeds"])[-1]
    own = [row for row in rows if first <= row["seed"] < first + count]
    return [row | {"seed": place} for row in own for place in range(row["seed"] - first, seeds, count)]


def _told(
    index: int, looks: Sequence[int], margins: Sequence[float], judged: Mapping[tuple[int, float], dict], page: Page
) -> Told:
    """One claim: all its cells are laid out together, so that they share an axis."""
    records = [judged[seeds, margin]["expectations"][index] for seeds in looks for margin in margins]
    (group,) = groups(records, page.study.metrics)
    places = iter(zip(records, group.panels, strict=True))
    cells = [[_cell(seeds, margin, *next(places)) for margin in margins] for seeds in looks]
    return Told(records[0]["text"], group, cells)


def _cell(seeds: int, margin: float, record: Mapping[str, Any], panel: Panel) -> Cell:
    return Cell(seeds, margin, record["word"], record["reason"] or "", panel)
