"""The house: rooms import from those before them alone, methods from a few, nothing in a circle; the plan shows what there is."""

import ast
import importlib.util
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from assay.language.plugs import PACKAGE, ROOMS, kinds

ROOT = Path(__file__).parents[2]
LENT = ("errors", "storage", "language", "data", "datasets", "training", "measuring", "evidence.summary")  # to methods
LONGEST = 400
STRAIGHT = {
    "errors.py": "",
    "cli/__init__.py": "",
    "cli/site.py": "import assay.report.site",
    "storage/__init__.py": "",
    "storage/files.py": "from assay.errors import AssayError",
    "report/__init__.py": "",
    "report/site.py": "from assay import storage\nfrom assay.report.site import page\nfrom assay.figures._style import ink",
    "worlds/__init__.py": "",
    "worlds/shapes.py": "from assay.storage.files import sha256\nfrom assay.scores import _flagging",
    "figures/bars.py": "from assay.evidence.summary import plain",
}
CROOKED = {
    "up": ("storage/files.py", "from assay.language import plugs"),
    "up, by its full name": ("storage/files.py", "import assay.language.plugs as p"),
    "up, in a function": ("language/study.py", "def f():\n    from assay.report.site import page"),
    "up, for type checkers": ("language/study.py", "if TYPE_CHECKING:\n    from assay.evidence.tables import Evidence"),
    "up, relative": ("language/study.py", "from ..report import site"),
    "out of the ground": ("errors.py", "from assay.storage import files"),
    "up from the roof": ("report/site.py", "from assay.cli import app"),
    "a plug": ("measuring/arm.py", "from assay.worlds.shapes import shapes"),
    "a room that is not lent": ("worlds/shapes.py", "from assay.networks import store"),
    "a module that is not lent": ("figures/bars.py", "from assay.evidence.tables import Evidence"),
}


@pytest.fixture(scope="module")
def house():
    spec = importlib.util.spec_from_file_location("house", ROOT / "bench" / "house.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def crooked(house, package: Path) -> list[str]:
    """Every import against the order, as file:line and name."""
    found = []
    for path in sorted(package.rglob("*.py")):
        place = path.relative_to(package).parts[0].removesuffix(".py")
        found += [
            f"{path.relative_to(package)}:{line} {name}" for line, name in house.imported(path) if not straight(place, name)
        ]
    return found


def straight(place: str, name: str) -> bool:
    """Whether a folder or single module may import this."""
    if name.startswith("."):
        return False
    top, _, inner = name.partition(".")
    to = inner.split(".")[0]
    if top != "assay" or to == place:
        return True
    order = ("errors", *ROOMS, "__init__")  # what the package itself offers comes from any room
    if place not in order:
        return to not in order or any(f"{inner}.".startswith(f"{lent}.") for lent in LENT)
    return order.index(to) < order.index(place) if to in order else inner.split(".")[1].startswith("_")


def test_every_import_goes_down(house):
    assert crooked(house, PACKAGE) == []


def planted(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / "assay" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "assay" / name).write_text(text)
    return root / "assay"


def test_imports_that_go_down_are_straight(house, tmp_path):
    assert crooked(house, planted(tmp_path, STRAIGHT)) == []


@pytest.mark.parametrize("name", CROOKED)
def test_an_import_that_does_not_is_found(house, tmp_path, name):
    path, text = CROOKED[name]
    (found,) = crooked(house, planted(tmp_path, {**STRAIGHT, path: text}))
    assert found.startswith(f"{path}:{len(text.splitlines())} ")


def modules(house, package: Path) -> dict[str, set[str]]:
    """What each module imports, by names of modules."""
    paths = {".".join(("assay", *path.relative_to(package).with_suffix("").parts)): path for path in package.rglob("*.py")}
    paths = {name.removesuffix(".__init__"): path for name, path in paths.items()}
    return {
        module: {found for _, name in house.imported(path) if (found := nearest(name, paths)) and found != module}
        for module, path in paths.items()
    }


def nearest(name: str, known: dict[str, Path]) -> str | None:
    """The module that an imported name is, or comes from."""
    return next((each for each in (name, name.rpartition(".")[0]) if each in known), None)


def test_no_module_imports_itself_by_way_of_others(house):
    TopologicalSorter(modules(house, PACKAGE)).prepare()


def test_a_circle_inside_a_room_is_found(house, tmp_path):
    circle = {"report/a.py": "from assay.report.b import x", "report/b.py": "def f():\n    from assay.report import a"}
    with pytest.raises(CycleError):
        TopologicalSorter(modules(house, planted(tmp_path, circle))).prepare()


def test_every_room_is_there_and_every_other_folder_holds_plugs():
    assert len(set(ROOMS)) == len(ROOMS)
    folders = {path.parent.name: ast.get_docstring(ast.parse(path.read_text())) or "" for path in PACKAGE.glob("*/__init__.py")}
    assert set(ROOMS) == set(folders) - set(kinds())
    for name, text in folders.items():
        assert text, f"{name}: has no docstring; say in a sentence what the room is for"
        assert ("One file is one plug" in text) == (name in kinds()), f"{name}: a room (ROOMS in plugs.py) or a kind of plug?"


@pytest.mark.parametrize("room", ROOMS)
def test_no_file_of_a_room_is_too_long(house, room):
    long = {path.name: count for path in house.sources(PACKAGE, room) if (count := len(path.read_text().splitlines())) > LONGEST}
    assert long == {}


def test_a_room_stands_above_all_that_it_imports(house):
    floors = {room.name: room for room in house.rooms()}
    assert floors["errors"].floor == 0
    for name, room in floors.items():
        below = house.uses(PACKAGE, name) & set(floors)
        assert all(floors[other].floor < room.floor for other in below)
        assert set(room.below) <= below
        assert reach(floors, room) == below | set().union(*(reach(floors, floors[other]) for other in below))


def reach(floors: dict, room) -> set[str]:
    """All that a room stands on, by what the plan says is below each."""
    return set(room.below).union(*(reach(floors, floors[other]) for other in room.below))


def test_the_plan_in_the_documentation_is_that_of_the_code(house):
    drawn, kept = (re.findall(r"<text[^>]*>([^<]*)</text>", text) for text in (house.drawn().decode(), house.PICTURE.read_text()))
    assert kept == drawn, "draw it again: python bench/house.py"
    for room in house.rooms():
        assert set(room.modules) <= set(re.findall(r"\w+", " ".join(kept)))
    assert house.PICTURE.stat().st_size < 60_000


def test_the_plan_is_the_same_whenever_it_is_drawn(house):
    assert house.drawn() == house.drawn()


def test_test_files_and_their_helpers_have_names_of_their_own():
    """They are imported by name alone: of two that share one, one is not run when all are."""
    paths = [path for path in (PACKAGE.parents[1] / "tests").rglob("*.py") if path.name != "conftest.py"]
    names = [path.name for path in paths if "__pycache__" not in path.parts]
    assert sorted({name for name in names if names.count(name) > 1}) == []
