"""The page of all effects: each claim's in its metric's unit, with its interval and margin, study by study."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from jinja2 import Environment

from assay.report.atlas import STATES, Entry
from assay.report.parts import Part
from assay.report.plots import forest

ORDERS = {
    "": "first effect, largest first",
    "margins": "first effect in margins",
    "word": "verdict",
    "family": "family",
    "name": "study",
}


def effects_part(templates: Environment, entries: Sequence[Entry]) -> Part:
    """effects.html."""
    judged = {entry.study.name: (entry.study.family, entry.verdict) for entry in entries if entry.verdict}
    return Part("effects", {"judged": judged}, partial(effects_files, templates))


def effects_files(templates: Environment, judged: Mapping[str, tuple[str, Mapping[str, Any]]]) -> dict[str, str]:
    """The page by its path in the report. judged: study -> (family, verdict)."""
    drawn = forest({name: verdict for name, (_, verdict) in judged.items()})
    context = {
        "forest": drawn,
        "claims": sum(len(marks) for _, marks in drawn.rows),
        "about": {name: {"family": family, "rank": STATES.index(verdict["word"])} for name, (family, verdict) in judged.items()},
        "orders": list(ORDERS.items()),
    }
    return {"effects.html": templates.get_template("effects.html").render(context)}
