"""Plant mutants in the plugs that compute and in what they share, and see whether the tests that vouch for them notice.

    python bench/mutants.py                           three mutants a module, at places drawn by the seed
    python bench/mutants.py metrics attacks/pgd       of these folders and modules
    python bench/mutants.py --each 10 --seed 2 scores

The operators are fixed: a sign turned, a constant changed, a comparison negated, a statement left out, a detach left out,
training mode for evaluation. Left alone are parameters' defaults, which recipes spell out, numbers below 1e-5, which guard
against rounding, and what raises errors. A module is mutated in memory; no file changes. It fails where 5% or more survive.
"""

import argparse
import ast
import faulthandler
import importlib.abc
import importlib.util
import os
import random
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # as the suite has it; and processes are forked

ROOT = Path(__file__).resolve().parent.parent
KINDS_LEFT_OUT = ("figures",)  # they compute no numbers
# Imported once, before processes are forked; the first makes the second importable.
LIBRARIES = (
    *("assay.training.shim", "torchvision", "timm", "captum.attr", "scipy.stats", "skimage.transform", "sklearn.svm"),
    *("pytest", "dvc.api"),
)
SECONDS = 240  # of processor time for the tests of one mutant, and ten times as many on the clock; one that hangs is noticed
GUARD = 1e-5
PASSED, FAILED = 0, 1
NOTICED, SURVIVED = "noticed", "SURVIVED"
LIMIT = 0.05  # share that may survive
# Mutants that compute the same, by module and change, and why.
EQUAL: dict[tuple[str, str], str] = {}


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


def mutants(module: str, source: str) -> Iterator[Mutant]:
    """All mutants of a module, in the order of their places."""
    tree = ast.parse(source)
    for statement in statements(tree):
        for path, node in places(statement):
            for operator, apply in OPERATORS.items():
                changed = apply(node)
                if changed is None:
                    continue
                other = deepcopy(statement)
                if path:
                    put(other, path, changed)
                else:
                    other = changed
                text = ast.unparse(ast.fix_missing_locations(replaced(tree, statement, other)))
                yield Mutant(module, operator, node.lineno, headline(statement), headline(other), text)


def statements(tree: ast.AST) -> Iterator[ast.stmt]:
    """Statements in which numbers are computed: no imports, docstrings or errors."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.stmt) and not isinstance(child, ast.Import | ast.ImportFrom | ast.Raise):
            if not (isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)):
                yield child
            yield from statements(child)
        elif isinstance(child, ast.excepthandler | ast.match_case):
            yield from statements(child)


def places(statement: ast.stmt) -> Iterator[tuple[tuple, ast.AST]]:
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


def outcome(tests: tuple[str, ...], plant: Planted | None) -> int:
    """pytest's exit code of these tests in a process of their own, with a module planted; FAILED where they take too long."""
    child = os.fork()
    if not child:
        os.setsid()
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        faulthandler.disable()
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        signal.alarm(10 * SECONDS)
        os.chdir(ROOT)
        if plant:
            sys.meta_path.insert(0, plant)
        import pytest

        os._exit(pytest.main(["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", *tests]))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return PASSED if status == PASSED else FAILED


def vouching() -> dict[str, tuple[str, ...]]:
    """The tests that vouch for each module: for a plug's own and, of what plugs share, for the plugs that reach it."""
    from assay.language.plugs import everything
    from assay.overview.coverage import vouches
    from assay.provenance.fingerprints import computing_closure

    by_plug: dict[str, list[str]] = {}
    for vouch in vouches(ROOT / "tests"):
        by_plug.setdefault(vouch.plug, []).append(vouch.test)
    found: dict[str, set[str]] = {}
    for plug in everything():
        tests = by_plug.get(f"{plug.kind}/{plug.name}", [])
        shared = {name for name in computing_closure(plug.module) if name.rpartition(".")[2].startswith("_")}
        for module in {plug.module, *shared}:
            found.setdefault(module, set()).update(tests)
    return {module: tuple(sorted(tests)) for module, tests in found.items()}


def wanted(vouched: dict[str, tuple[str, ...]], names: list[str]) -> list[str]:
    """The modules asked for, those of all kinds that compute if none is."""
    from assay.language.plugs import kinds

    computing = [kind for kind in kinds() if kind not in KINDS_LEFT_OUT]
    inside = [name.replace("/", ".") for name in names or computing]
    return sorted(m for m in vouched if any(m == f"assay.{name}" or m.startswith(f"assay.{name}.") for name in inside))


def drawn(module: str, each: int, seed: int) -> list[Mutant]:
    from assay.provenance.fingerprints import module_path

    found = list(mutants(module, module_path(module).read_text(encoding="utf-8")))
    return random.Random(f"{seed} {module}").sample(found, min(each, len(found)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="folders of plugs, or plugs such as attacks/pgd")
    parser.add_argument("--each", type=int, default=3, help="mutants a module")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    vouched = vouching()
    chosen = [(module, drawn(module, given.each, given.seed)) for module in wanted(vouched, given.names)]
    for library in LIBRARIES:
        importlib.import_module(library)
    for name in [name for name in sys.modules if name.split(".")[0] == "assay"]:
        del sys.modules[name]  # each process imports the project's code anew
    fates = [fate for module, changes in chosen for fate in tried(module, changes, vouched[module])]
    survived = fates.count(SURVIVED)
    print(f"{survived} of {len(fates)} survived")
    return int(survived >= LIMIT * max(len(fates), 1))


def tried(module: str, changes: list[Mutant], tests: tuple[str, ...]) -> Iterator[str]:
    """What became of each mutant that is not equal, said on the way."""
    if not tests or outcome(tests, None) != PASSED:
        print(f"{module}: {'its tests fail without a mutant' if tests else 'no test vouches for it'}", flush=True)
        return
    path = Path(ROOT, "src", *module.split(".")).with_suffix(".py")
    for mutant in changes:
        fate = SURVIVED if outcome(tests, Planted(module, path, mutant.source)) == PASSED else NOTICED
        reason = EQUAL.get((module, mutant.change)) if fate == SURVIVED else None
        print(f"{f'equal ({reason})' if reason else fate} {module}:{mutant.line} {mutant.operator}: {mutant.change}", flush=True)
        if not reason:
            yield fate


if __name__ == "__main__":
    sys.exit(main())
