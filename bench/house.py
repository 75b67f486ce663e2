"""Draw the plan of the house, docs/img/house.svg: the rooms of src/assay on their floors, and the folders of methods beside them.

    python bench/house.py

Rooms, what they are for, their modules and what they import are read from the code. A room stands above all that it imports.
"""

import ast
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from assay.language.plugs import PACKAGE, ROOMS, kinds
from assay.report.figure import as_svg
from assay.storage.files import write_atomic

PICTURE = Path(__file__).parents[1] / "docs" / "img" / "house.svg"
ORDER = ("errors", *ROOMS)

WIDTH, ANNEXE, GAP, PADDING = 675, 168, 9, 7  # points; 675 are 900 pixels
HEAD, TEXT, SMALL, LINE = 9.5, 8.2, 7.6, 10.6
GLYPH = 0.56  # mean width of a letter, in font sizes
INK, GREY, BLUE, ORANGE = "#1f2328", "#7f858d", "#2f7fc1", "#d55e00"


@dataclass(frozen=True)
class Room:
    """A folder (or single file) of the package. below: the rooms it imports that no other of them stands on."""

    name: str
    purpose: str
    modules: tuple[str, ...]
    below: tuple[str, ...]
    floor: int
    torch: bool


def sources(package: Path, place: str) -> list[Path]:
    """The files of a folder of the package, or of the single module of that name."""
    return sorted((package / place).rglob("*.py")) or [package / f"{place}.py"]


def purpose(package: Path, place: str) -> str:
    """The first sentence of a folder's or single module's docstring."""
    path = package / place / "__init__.py"
    text = ast.get_docstring(ast.parse((path if path.exists() else path.parent.with_suffix(".py")).read_text("utf-8"))) or ""
    return text.replace("\n", " ").replace("`", "").partition(". ")[0].rstrip(".")


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything a file imports, wherever it does, for type checkers too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{'.' * node.level}{node.module or ''}.{alias.name}") for alias in node.names)


def uses(package: Path, place: str) -> set[str]:
    """The other folders and single modules of the package that a place imports from."""
    names = {name for path in sources(package, place) for _, name in imported(path)}
    return {name.split(".")[1] for name in names if name.startswith(f"{package.name}.")} - {place}


def rooms(package: Path = PACKAGE) -> list[Room]:
    """All rooms, from the ground up."""
    arrows = {name: uses(package, name) & set(ORDER) for name in ORDER}
    reached: dict[str, set[str]] = {}
    floors: dict[str, int] = {}
    for name in ORDER:
        reached[name] = arrows[name].union(*(reached[other] for other in arrows[name]))
        floors[name] = 1 + max((floors[other] for other in arrows[name]), default=-1)
    return [_room(package, name, arrows[name], reached, floors[name]) for name in ORDER]


def _room(package: Path, name: str, arrows: set[str], reached: dict[str, set[str]], floor: int) -> Room:
    below = [other for other in ORDER if other in arrows and not any(other in reached[more] for more in arrows)]
    files = sources(package, name)
    modules = [path.stem for path in files if path.parent != package and not path.stem.startswith("__")]
    torch = any(imports.split(".")[0] == "torch" for path in files for _, imports in imported(path))
    return Room(name, purpose(package, name), tuple(modules), tuple(below), floor, torch)


@dataclass(frozen=True)
class Words:
    """Lines of text in one size and colour."""

    lines: list[str]
    size: float
    colour: str
    weight: str = "normal"


def words(text: str, width: float, size: float, colour: str) -> Words:
    return Words(textwrap.wrap(text, int((width - 2 * PADDING) / (size * GLYPH))), size, colour)


def content(room: Room, width: float) -> list[Words]:
    """What a room's box says."""
    return [
        Words([room.name], HEAD, INK, "bold"),
        words(room.purpose, width, TEXT, INK),
        words(", ".join(room.modules), width, SMALL, GREY),
        words(f"on {', '.join(room.below)}" if room.below else "", width, SMALL, BLUE),
    ]


def height(texts: Iterable[Words]) -> float:
    return 2 * PADDING + LINE * sum(len(text.lines) for text in texts)


def plan() -> Figure:
    """The house from the roof down, and the annexe of the methods on its right."""
    every = rooms()
    storeys = [[room for room in every if room.floor == floor] for floor in range(max(room.floor for room in every), -1, -1)]
    inside = WIDTH - ANNEXE - GAP
    boxes, top = [], 0.0
    for storey in storeys:
        width = (inside - GAP * (len(storey) - 1)) / len(storey)
        texts = [content(room, width) for room in storey]
        tall = max(map(height, texts))
        boxes += [
            (number * (width + GAP), top, width, tall, each, ORANGE if room.torch else GREY)
            for number, (room, each) in enumerate(zip(storey, texts, strict=True))
        ]
        top += tall + GAP
    annexe = list(methods())
    tall = max(top - GAP, height(annexe))
    boxes.append((inside + GAP, 0.0, ANNEXE, tall, annexe, BLUE))
    return _figure(boxes, tall)


def methods() -> Iterator[Words]:
    """What the annexe says: a folder for each kind of method, and the rooms that methods are made with."""
    yield Words(["methods"], HEAD, INK, "bold")
    yield words("One file is one plug. Rooms load plugs by name and import none.", ANNEXE, TEXT, INK)
    for kind in kinds():
        yield Words(["", kind], TEXT, INK, "bold")
        yield words(purpose(PACKAGE, kind), ANNEXE, SMALL, GREY)
    lent = set().union(*(uses(PACKAGE, kind) for kind in kinds()))
    yield Words([""], TEXT, INK)
    yield words(f"on {', '.join(name for name in ORDER if name in lent)}", ANNEXE, SMALL, BLUE)


def _figure(boxes: list[tuple], tall: float) -> Figure:
    margin, foot = 4, 2 * LINE
    size = (WIDTH + 2 * margin, tall + foot + 2 * margin)
    figure = Figure(figsize=(size[0] / 72, size[1] / 72), layout="none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-margin, WIDTH + margin), ylim=(tall + foot + margin, -margin))
    axes.set_axis_off()
    for x, y, width, height, texts, colour in boxes:
        corners = "round,pad=0,rounding_size=4"
        axes.add_patch(FancyBboxPatch((x, y), width, height, corners, facecolor=f"{colour}14", edgecolor=colour, linewidth=0.9))
        line = y + PADDING
        for text in texts:
            for each in text.lines:
                axes.text(x + PADDING, line + 0.8 * LINE, each, size=text.size, color=text.colour, weight=text.weight)
                line += LINE
    note = "on: the rooms it imports from, without those that they stand on. Imports go down, never up. Orange: imports torch."
    axes.text(0, tall + foot, note, size=SMALL, color=GREY)
    return figure


def drawn() -> bytes:
    """The plan as SVG; the same bytes for the same code."""
    return as_svg(plan, "house")


if __name__ == "__main__":
    write_atomic(PICTURE, drawn())
