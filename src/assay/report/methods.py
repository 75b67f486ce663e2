"""Pages of methods and worlds: what each plug computes, whose it is, who vouches for it, and which studies rest on it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from itertools import groupby
from typing import TYPE_CHECKING

from jinja2 import Environment
from markdown_it import MarkdownIt
from markupsafe import Markup

from assay.language.catalogue import Paper
from assay.report.atlas import Entry
from assay.report.difficulty import AGAIN, LEARNERS, Difficulty, effort
from assay.report.parts import Part
from assay.report.worlds import WorldView

if TYPE_CHECKING:
    from assay.overview.coverage import Vouch

# Formulas in docstrings are full of stars, underscores and angle brackets, so only lists and code are markup; all else is text.
MARKUP = ("backticks", "code", "fence", "list")


@dataclass(frozen=True)
class MethodView:
    """A plug as its page shows it.

    doc: what its file says, details: what its function says. parameters: (name, declared type and range, default as written; ""
    if it must be given). metrics: a protocol's metrics with a line on each. papers: keys its file cites. studies: names of
    those whose evidence or figure is made with it.
    """

    kind: str
    name: str
    file: str
    doc: str
    details: str = ""
    parameters: tuple[tuple[str, str, str], ...] = ()
    metrics: Mapping[str, str] = field(default_factory=dict)
    papers: tuple[str, ...] = ()
    vouches: tuple["Vouch", ...] = ()
    studies: tuple[str, ...] = ()

    @property
    def plug(self) -> str:
        return f"{self.kind}/{self.name}"

    @property
    def summary(self) -> str:
        """The first paragraph of what its file says."""
        return " ".join(self.doc.partition("\n\n")[0].split())


@cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("zero").enable(list(MARKUP))


def prose(text: str) -> Markup:
    """A docstring's paragraphs, lists and code; everything else in it is shown as it stands."""
    return Markup(_markdown().render(text))


def address(plug: str) -> str:
    """The page of a plug, as "kind/name", by path in the report."""
    return f"methods/{plug.replace('/', '-')}.html"


def method_parts(
    templates: Environment,
    methods: Sequence[MethodView],
    entries: Sequence[Entry],
    papers: Mapping[str, Paper],
    worlds: Mapping[str, WorldView],
    difficulties: Mapping[str, Difficulty],
) -> Iterator[Part]:
    """A part for each plug, for the list of all plugs, and for the gallery of worlds."""
    states = {entry.study.name: entry.state for entry in entries}
    users = _users(entries)
    methods = [replace(method, papers=tuple(key for key in method.papers if key in papers)) for method in methods]
    for method in methods:
        inputs = {
            "method": method,
            "papers": [papers[key] for key in method.papers],
            "states": {name: states[name] for name in method.studies if name in states},
            "worlds": [world for world in worlds.values() if world.plug == method.plug],
        }
        yield Part(f"methods/{method.kind}-{method.name}", inputs, partial(method_files, templates))
    yield Part("methods", {"methods": methods}, partial(list_files, templates))
    shown = [method for method in methods if method.kind == "worlds"]
    gallery = {"methods": shown, "worlds": worlds, "users": users, "difficulties": difficulties}
    yield Part("worlds", gallery, partial(gallery_files, templates))


def _users(entries: Sequence[Entry]) -> dict[str, list[str]]:
    """The studies that draw from each world, by the name of its card."""
    users: dict[str, list[str]] = {}
    for entry in sorted(entries, key=lambda entry: entry.study.name):
        for world in entry.study.worlds:
            users.setdefault(world, []).append(entry.study.name)
    return users


def method_files(templates: Environment, method: MethodView, **context) -> dict[str, str]:
    """The page of one plug."""
    return {address(method.plug): templates.get_template("method.html").render(method=method, **context)}


def list_files(templates: Environment, methods: Sequence[MethodView]) -> dict[str, str]:
    """The list of all plugs, by kind."""
    kinds = {kind: list(members) for kind, members in groupby(methods, key=lambda method: method.kind)}
    return {"methods.html": templates.get_template("methods.html").render(kinds=kinds)}


def gallery_files(
    templates: Environment,
    methods: Sequence[MethodView],
    worlds: Mapping[str, WorldView],
    users: Mapping[str, list[str]],
    difficulties: Mapping[str, Difficulty],
) -> dict[str, str]:
    """The gallery: how hard worlds are, then every world with its samples as studies draw from it, then those not drawn from."""
    shown = [(method, [world for world in worlds.values() if world.plug == method.plug]) for method in methods]
    measured = [(method, row) for method in methods for name, row in difficulties.items() if name.split(",")[0] == method.name]
    context = {
        "shown": shown,
        "users": users,
        "measured": measured,
        "unmeasured": [method for method in methods if method.name not in difficulties],
        "learners": LEARNERS,
        "effort": effort(difficulties.values()),
        "again": AGAIN,
    }
    return {"worlds.html": templates.get_template("worlds.html").render(context)}
