"""Plant mutants in the plugs that compute and in what they share, and see whether the tests about them notice.

    python bench/mutants.py                           three mutants a module, at places drawn by the seed
    python bench/mutants.py metrics attacks/pgd       of these folders and modules
    python bench/mutants.py --each 10 --seed 2 scores
    python bench/mutants.py --again OUTPUT            those alone that survived in an earlier run

The operators are fixed: a sign turned, a constant changed, a comparison negated, a statement left out, a detach left out,
training mode for evaluation. Left alone are parameters' defaults, which recipes spell out, numbers below 1e-5, which guard
against rounding, what raises errors, and how many pictures are kept or rows computed at once. A module is mutated in memory; no
file changes. It fails where 5% or more survive.
"""

import argparse
import ast
import faulthandler
import gc
import importlib.abc
import importlib.util
import os
import random
import re
import resource
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import yaml

if TYPE_CHECKING:
    from assay.language.plugs import PlugInfo

os.environ["OMP_NUM_THREADS"] = "1"  # as the suite has it; and processes are forked
os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # what is installed beside costs seconds a mutant

ROOT = Path(__file__).resolve().parent.parent
KINDS_LEFT_OUT = ("figures",)  # they compute no numbers
NAMES_LEFT_OUT = ("PICTURES", "SHOWN", "VALUES_AT_ONCE", "CHUNK")  # how many are shown, or computed at once
# Imported once, before processes are forked; the first makes the second importable.
LIBRARIES = (
    *("assay.training.shim", "torchvision", "timm", "captum.attr", "scipy.stats", "skimage.transform", "sklearn.svm"),
    *("pytest", "hypothesis", "dvc.api"),
)
FOLDERS = ("plugs", "worlds", "contracts", "cluster")  # whose tests are about plugs
SECONDS = 240  # of processor time for the tests of one mutant, and ten times as many on the clock; one that hangs is noticed
GUARD = 1e-5
PASSED = "passed"
NOTICED, SURVIVED = "noticed", "SURVIVED"
LIMIT = 0.05  # share that may survive
EQUAL = Path(__file__).with_suffix(".yaml")


@dataclass(frozen=True)
class Mutant:
    """A change of one statement of a module: the module's text with it, and the statement before and after."""

    module: str
    operator: str
    line: int
    before: str
    after: str
    source: str

    @property
    def change(self) -> str:
        return f"{self.before} -> {self.after}"


def turned_sign(node: ast.AST) -> ast.AST | None:
    match node:
        case ast.BinOp(left, ast.Add(), right):
            return ast.BinOp(left, ast.Sub(), right)
        case ast.BinOp(left, ast.Sub(), right):
            return ast.BinOp(left, ast.Add(), right)
        case ast.UnaryOp(ast.USub(), operand) if not isinstance(operand, ast.Constant):
            return operand
    return None


def changed_constant(node: ast.AST) -> ast.AST | None:
    match node:
        case ast.Constant(bool()):
            return None
        case ast.Constant(int() as value):
            return ast.Constant(value + 1)
        case ast.Constant(float() as value) if abs(value) >= GUARD or value == 0:
            return ast.Constant(2 * value if value else 1.0)
    return None


NEGATED = {ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}


def negated_comparison(node: ast.AST) -> ast.AST | None:
    match node:
        case ast.Compare(left, [operator], comparators) if type(operator) in NEGATED:
            return ast.Compare(left, [NEGATED[type(operator)]()], comparators)
    return None


def left_out(node: ast.AST) -> ast.AST | None:
    """What can go without a name being missed: calls, changes in place, and names given again from what they held."""
    match node:
        case ast.Expr(ast.Call()) | ast.AugAssign() | ast.Assign([ast.Subscript() | ast.Attribute()]):
            return ast.Pass()
        case ast.Assign([ast.Name(name)], value) if any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(value)):
            return ast.Pass()
    return None


def without_detach(node: ast.AST) -> ast.AST | None:
    match node:
        case ast.Call(ast.Attribute(value, "detach")):
            return value
    return None


def in_training(node: ast.AST) -> ast.AST | None:
    match node:
        case ast.Call(ast.Attribute(value, "eval"), []):
            return ast.Call(ast.Attribute(value, "train"), [], [])
    return None


OPERATORS: dict[str, Callable[[ast.AST], ast.AST | None]] = {
    "sign": turned_sign,
    "constant": changed_constant,
    "comparison": negated_comparison,
    "statement": left_out,
    "detach": without_detach,
    "eval": in_training,
}


class Place(NamedTuple):
    """Where an operator applies: the statement, the fields that lead from it to the node, and what takes the node's place."""

    statement: ast.stmt
    fields: tuple
    node: ast.AST
    operator: str
    changed: ast.AST


def places(tree: ast.AST) -> Iterator[Place]:
    """All places of a module, in their order."""
    for statement in statements(tree):
        for fields, node in expressions(statement):
            for operator, apply in OPERATORS.items():
                if (changed := apply(node)) is not None:
                    yield Place(statement, fields, node, operator, changed)


def mutant(module: str, tree: ast.AST, place: Place) -> Mutant:
    other = deepcopy(place.statement)
    if place.fields:
        put(other, place.fields, place.changed)
    else:
        other = place.changed
    text = ast.unparse(ast.fix_missing_locations(replaced(tree, place.statement, other)))
    return Mutant(module, place.operator, place.node.lineno, headline(place.statement), headline(other), text)


def statements(tree: ast.AST) -> Iterator[ast.stmt]:
    """Statements in which numbers are computed: no imports, docstrings or errors."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.stmt) and not isinstance(child, ast.Import | ast.ImportFrom | ast.Raise):
            if not computes_nothing(child):
                yield child
            yield from statements(child)
        elif isinstance(child, ast.excepthandler | ast.match_case):
            yield from statements(child)


def computes_nothing(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(ast.Constant()):
            return True
        case ast.Assign([ast.Name(name)]):
            return name in NAMES_LEFT_OUT
    return False


def expressions(statement: ast.stmt) -> Iterator[tuple[tuple, ast.AST]]:
    """The statement and the expressions in it, by the fields that lead there; statements inside it have their own turn."""
    waiting: list[tuple[tuple, ast.AST]] = [((), statement)]
    while waiting:
        path, node = waiting.pop(0)
        yield path, node
        for field, value in ast.iter_fields(node):
            for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if isinstance(child, ast.expr | ast.keyword | ast.comprehension | ast.withitem) and field not in (
                    "annotation",
                    "returns",
                    "decorator_list",
                ):
                    waiting.append(((*path, (field, index)), child))


def put(root: ast.AST, path: tuple, node: ast.AST) -> None:
    for field, index in path[:-1]:
        root = getattr(root, field) if index is None else getattr(root, field)[index]
    field, index = path[-1]
    if index is None:
        setattr(root, field, node)
    else:
        getattr(root, field)[index] = node


def replaced(tree: ast.AST, old: ast.stmt, new: ast.stmt) -> ast.AST:
    """A copy of the tree with another statement in the place of one."""

    class Replace(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return new if node is old else self.generic_visit(node)

    memo = {id(old): old}
    return Replace().visit(deepcopy(tree, memo))


def headline(statement: ast.AST) -> str:
    return ast.unparse(ast.fix_missing_locations(statement)).splitlines()[0]


class Planted(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from a text instead of its file."""

    def __init__(self, module: str, path: Path, source: str):
        self.module, self.path, self.source = module, path, source

    def find_spec(self, name: str, path: object, target: object = None) -> object:
        return importlib.util.spec_from_file_location(name, self.path, loader=self) if name == self.module else None

    def exec_module(self, module: object) -> None:
        exec(compile(self.source, str(self.path), "exec"), module.__dict__)


def passing(tests: tuple[str, ...], plant: Planted | None = None, seconds: int = SECONDS) -> list[str]:
    """Those of the tests that pass, the quickest first; up to the first that does not where a module is planted."""
    passed, failed, took = set(), set(), Counter()
    for line in pytest_says([*tests, *(["-x"] if plant else [])], plant, seconds):
        outcome, duration, name = line.split(" ", 2)
        for each in {name, name.partition("[")[0]}:
            (passed if outcome == PASSED else failed).add(each)
            took[each] += float(duration)
    return sorted((test for test in tests if test in passed - failed), key=lambda test: took[test])


def collected() -> list[str]:
    """All tests in the folders that are about plugs, with their cases."""
    return pytest_says(["--collect-only", *(f"tests/{folder}" for folder in FOLDERS)], None, SECONDS)


def pytest_says(arguments: list[str], plant: Planted | None, seconds: int) -> list[str]:
    """What `Told` tells of a run of pytest in a process of its own, which ends after so many seconds."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        os.setsid()
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        faulthandler.disable()
        gc.freeze()
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        signal.alarm(10 * seconds)
        os.chdir(ROOT)
        if plant:
            sys.meta_path.insert(0, plant)
        import pytest

        options = ("-q", "--assert=plain", "-p", "no:cacheprovider")
        os._exit(pytest.main([*options, *arguments], plugins=[Told(writing)]))
    os.close(writing)
    with os.fdopen(reading) as told:
        lines = told.read().splitlines()
    os.waitpid(child, 0)
    return lines


class Told:
    """Tells through a pipe which tests there are, or how each came out."""

    def __init__(self, pipe: int):
        self.pipe = pipe

    def pytest_runtest_logreport(self, report: object) -> None:
        if report.failed or (report.when == "call" and report.passed):
            self._tell(f"{report.outcome} {report.duration:.3f} {report.nodeid}")

    def pytest_collection_finish(self, session: object) -> None:
        if session.config.option.collectonly:
            self._tell(*(item.nodeid for item in session.items))

    def _tell(self, *lines: str) -> None:
        with os.fdopen(os.dup(self.pipe), "w") as pipe:
            pipe.writelines(f"{line}\n" for line in lines)


def about() -> dict[str, tuple[str, ...]]:
    """The tests about each module: those that vouch for a plug, use or name it, or have a case of its name; of what plugs share,
    those that use it, and those about the plugs that reach it.
    """
    from assay.language.plugs import everything
    from assay.overview.coverage import vouches
    from assay.provenance.fingerprints import computing_closure

    by_plug: dict[str, list[str]] = {}
    for vouch in vouches(ROOT / "tests"):
        by_plug.setdefault(vouch.plug, []).append(vouch.test)
    cases: dict[str, list[str]] = {}
    for test in collected():
        for part in test.partition("[")[2].rstrip("]").split("-"):
            cases.setdefault(part, []).append(test)
    written = list(test_functions())
    found: dict[str, set[str]] = {}
    for plug in everything():
        tests = [*by_plug.get(f"{plug.kind}/{plug.name}", ()), *(each.name for each in written if each.is_about(plug))]
        tests += [test for test in cases.get(plug.name, ()) if test.partition("[")[0] not in tests]
        shared = {name for name in computing_closure(plug.module) if name.rpartition(".")[2].startswith("_")}
        for module in {plug.module, *shared}:
            found.setdefault(module, set()).update(tests)
    for test in written:
        for module in test.modules & found.keys():
            found[module].add(test.name)
    return {module: tuple(sorted(tests)) for module, tests in found.items()}


@dataclass(frozen=True)
class Written:
    """A test function as its file has it: its name for pytest, its text with what it uses of its file, and the modules of the
    project that the text uses.
    """

    name: str
    text: str
    modules: frozenset[str]

    def is_about(self, plug: "PlugInfo") -> bool:
        return plug.module in self.modules or f"'{plug.name}'" in self.text


def test_functions() -> Iterator[Written]:
    for path in sorted(path for folder in FOLDERS for path in Path(ROOT, "tests", folder).glob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported, shared = modules_by_name(tree), dict(named_texts(tree))
        for owner in (tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))):
            inside = f"::{owner.name}" if isinstance(owner, ast.ClassDef) else ""
            for node in owner.body:
                if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                    text = with_used(ast.unparse(node), shared)
                    used = frozenset().union(*(imported[word] for word in words(text) & imported.keys()))
                    yield Written(f"{path.relative_to(ROOT)}{inside}::{node.name}", text, used)


def modules_by_name(tree: ast.Module) -> dict[str, set[str]]:
    """The modules that each imported name may be, or be of."""
    return {
        alias.asname or alias.name: {node.module, f"{node.module}.{alias.name}"}
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


def named_texts(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """What a test file defines for its tests: functions, fixtures, classes and constants."""
    for node in tree.body:
        match node:
            case ast.FunctionDef(name) | ast.ClassDef(name) | ast.Assign([ast.Name(name)]):
                yield name, ast.unparse(node)


def with_used(text: str, shared: dict[str, str]) -> str:
    """The text, the shared ones whose names it has, those whose names they have, and so on."""
    used, waiting = {}, [text]
    while waiting:
        new = {name: shared[name] for name in words(waiting.pop()) & shared.keys() - used.keys()}
        used.update(new)
        waiting.extend(new.values())
    return "\n".join([text, *used.values()])


def wanted(tests: dict[str, tuple[str, ...]], names: list[str]) -> list[str]:
    """The modules asked for, those of all kinds that compute if none is."""
    from assay.language.plugs import kinds

    computing = [kind for kind in kinds() if kind not in KINDS_LEFT_OUT]
    inside = [name.replace("/", ".") for name in names or computing]
    return sorted(m for m in tests if any(m == f"assay.{name}" or m.startswith(f"assay.{name}.") for name in inside))


def drawn(module: str, each: int, seed: int) -> list[Mutant]:
    tree = parsed(module)
    found = list(places(tree))
    return [mutant(module, tree, place) for place in random.Random(f"{seed} {module}").sample(found, min(each, len(found)))]


def parsed(module: str) -> ast.Module:
    from assay.provenance.fingerprints import module_path

    return ast.parse(module_path(module).read_text(encoding="utf-8"))


def survivors(output: str) -> list[tuple[str, list[Mutant]]]:
    """The mutants that this output of an earlier run calls survivors, by module, as far as their statements are still there."""
    changes: dict[str, set[str]] = {}
    for module, change in re.findall(rf"{SURVIVED} ([\w.]+):\d+ \w+: (.+)", output):
        changes.setdefault(module, set()).add(change)
    trees = {module: parsed(module) for module in changes}
    planted = {module: [mutant(module, tree, place) for place in places(tree)] for module, tree in trees.items()}
    return [(module, [each for each in planted[module] if each.change in changes[module]]) for module in sorted(changes)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="folders of plugs, or plugs such as attacks/pgd")
    parser.add_argument("--each", type=int, default=3, help="mutants a module")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", type=Path, metavar="OUTPUT", help="plant what survived in an earlier run, by its output")
    given = parser.parse_args()
    tests = about()
    if given.again:
        chosen = survivors(given.again.read_text(encoding="utf-8"))
    else:
        chosen = [(module, drawn(module, given.each, given.seed)) for module in wanted(tests, given.names)]
    for library in LIBRARIES:
        importlib.import_module(library)
    for name in [name for name in sys.modules if name.split(".")[0] == "assay"]:
        del sys.modules[name]  # each process imports the project's code anew
    every = tuple(sorted({test for module, _ in chosen for test in tests[module]}))
    sound = passing(every, seconds=SECONDS * len(chosen))
    print(
        f"without a mutant {len(every) - len(sound)} of {len(every)} tests fail: {' '.join(sorted(set(every) - set(sound)))}",
        flush=True,
    )
    about_each = {module: tuple(test for test in sound if test in tests[module]) for module, _ in chosen}
    fates = [fate for module, changes in chosen for fate in tried(module, changes, about_each[module])]
    survived = fates.count(SURVIVED)
    print(f"{survived} of {len(fates)} survived")
    return int(survived >= LIMIT * max(len(fates), 1))


@cache
def equal() -> dict[tuple[str, str], str]:
    """Why mutants compute the same, by module and change."""
    listed = yaml.safe_load(EQUAL.read_text(encoding="utf-8"))
    return {(f"assay.{module}", each["change"]): each["reason"] for module, found in listed.items() for each in found}


def tried(module: str, changes: list[Mutant], tests: tuple[str, ...]) -> Iterator[str]:
    """What became of each mutant that is not equal, said on the way."""
    if not tests:
        print(f"{module}: no test that passes is about it", flush=True)
        return
    path, reasons = Path(ROOT, "src", *module.split(".")).with_suffix(".py"), equal()
    for each in changes:
        fate = SURVIVED if len(passing(tests, Planted(module, path, each.source))) == len(tests) else NOTICED
        reason = reasons.get((module, each.change)) if fate == SURVIVED else None
        print(f"{f'equal ({reason})' if reason else fate} {module}:{each.line} {each.operator}: {each.change}", flush=True)
        if not reason:
            yield fate


if __name__ == "__main__":
    sys.exit(main())
