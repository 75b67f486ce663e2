"""Fingerprints: the code and the files that a result was computed with.

Snakemake does not see code behind an import. So every job carries a hash over the source of the plugs it uses and of the project
modules these import, directly or not. A fingerprint of numbers holds only modules that compute numbers: what reads, checks,
writes, schedules and words can change without a result changing. Comments, docstrings, annotations and texts of errors do not
count either. Files that a module reads from data/, named in its INPUTS, count with the checksums they were committed with; files
of weights that a study names count with the bytes they have.
"""

import ast
import hashlib
from collections.abc import Callable, Iterable, Set
from functools import cache, partial
from pathlib import Path
from typing import Any

from assay.errors import StudyError
from assay.language.kept import Notes, digest_of, modules
from assay.language.plugs import PACKAGE, describe, kinds, parsed, weights_file
from assay.language.recipes import Recipe
from assay.language.together import together
from assay.provenance.syntax import Statement, all_code, computing_code, computing_statements, imports_in
from assay.storage.files import sha256
from assay.storage.manifest import checksums
from assay.storage.places import PACKAGE as PLACE

# Rooms in which numbers are computed, beside the folders of plugs: what networks see, how they are trained, what is asked of
# them. All others serve: numbers pass through them as they are.
COMPUTING = ("data", "training", "measuring")
# Where training and measuring begin. What computes and is loaded by name, as plugs are, is not found from here.
TRAINING = ("assay.training.trainer",)
MEASURING = ("assay.measuring.arm", "assay.measuring.observing")
PACKED = ("assay.training.together",)  # where several repetitions are trained together
TOGETHER = "training/together"  # how many: no module, but part of what a network is computed with


@cache
def module_path(module: str) -> Path | None:
    """The source file of a project module, None if there is none of that name."""
    base = PACKAGE.parent.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.exists():
            return path
    return None


@cache
def imports(module: str) -> frozenset[str]:
    """The project modules a project module imports, at its top or inside functions; those for type checkers do not run."""
    return frozenset(_noted(module, "imports", lambda: sorted(_imported(module))))


def _imported(module: str) -> set[str]:
    nodes = imports_in(parsed(module_path(module)))
    targets = {_target(module, node, alias.name) for node in nodes for alias in node.names}
    return {name for name in targets if name.split(".")[0] == "assay" and module_path(name)}


def _noted(module: str, what: str, made: Callable[[], Any]) -> Any:
    """What is read off a module, as it was noted while its file, and where other modules lie, were the same."""
    notes = _notes()
    return notes.of(module_path(module), what, made) if notes else made()


@cache
def _notes() -> Notes | None:
    """Notes that hold while the folders and packages are the same and this code reads them; none of another package."""
    if PACKAGE != PLACE:
        return None
    found = modules()
    telling = [name for name in found if name.endswith("__init__.py") or name.startswith("provenance/")]
    return Notes("code", digest_of(PACKAGE, telling) + " ".join(found))


def keep_notes() -> None:
    """Leave what was read off modules to other processes, which would read it off them again."""
    if notes := _notes():
        notes.save()


def _target(module: str, node: ast.Import | ast.ImportFrom, name: str) -> str:
    """The module that a name in a module's import statement leads to."""
    if isinstance(node, ast.Import):
        return name
    base = node.module or ""
    if node.level:
        package = module if module_path(module).name == "__init__.py" else module.rpartition(".")[0]
        parents = package.split(".")[: len(package.split(".")) - node.level + 1]
        base = ".".join([*parents, base]).rstrip(".")
    # `from assay.augment import mixup` imports a module, `from assay.errors import unknown` a name.
    inner = f"{base}.{name}"
    return inner if inner.split(".")[0] == "assay" and module_path(inner) else base


@cache
def computes(module: str) -> bool:
    """Whether a project module is of those that compute numbers; a package is if its own file holds more than a docstring."""
    path = module_path(module)
    if path is None or module.split(".")[1:2] == [] or module.split(".")[1] not in (*COMPUTING, *kinds()):
        return False
    return path.name != "__init__.py" or all_code(parsed(path)) != all_code(ast.Module([], []))


@cache
def code_hash(module: str) -> str:
    """A hash of what a module computes with; the same on every Python version.

    Left out is what no number depends on: comments and docstrings, annotations (a plug's ranges), texts of raised errors,
    descriptions of metrics, optional parameters that nothing reads, imports of modules that compute nothing.
    """
    return _noted(module, "computes", lambda: _hash(computing_code(parsed(module_path(module)), partial(_is_plumbing, module))))


def computing_statements_of(module: str, path: Path) -> list[Statement]:
    """What a module computes with, statement by statement, as it stands in a file: here or in another version of the code."""
    return computing_statements(parsed(path), partial(_is_plumbing, module))


def _is_plumbing(module: str, node: ast.Import | ast.ImportFrom, name: str) -> bool:
    """Whether a name in a module's import statement leads to a module of the project that computes nothing."""
    target = _target(module, node, name)
    return target.split(".")[0] == "assay" and module_path(target) is not None and not computes(target)


@cache
def source_hash(module: str) -> str:
    """A hash of all code of a module, without comments, docstrings and blank lines; the same on every Python version."""
    return _noted(module, "says", lambda: _hash(all_code(parsed(module_path(module)))))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def closure(module: str) -> frozenset[str]:
    """The module and all project modules it reaches by importing."""
    return _reached(module, imports)


@cache
def computing_closure(module: str) -> frozenset[str]:
    """The module and those it reaches by importing that compute numbers, without passing through others; their packages, which
    run first, are among them."""
    return _reached(module, lambda name: {each for found in (name, *imports(name)) for each in _lineage(found) if computes(each)})


def _lineage(module: str) -> list[str]:
    """The packages around a module, and the module."""
    parts = module.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts) + 1)]


def _reached(module: str, following: Callable[[str], Set[str]]) -> frozenset[str]:
    found, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += following(name) - found
    return frozenset(found)


@cache
def inputs(module: str) -> tuple[str, ...]:
    """The files in data/ that a project module reads: its constant INPUTS."""
    return tuple(_noted(module, "inputs", lambda: _inputs(module)))


def _inputs(module: str) -> tuple[str, ...]:
    for node in parsed(module_path(module)).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "INPUTS":
            return ast.literal_eval(node.value)
    return ()


def data_behind(plugs: Iterable[str]) -> list[str]:
    """The files in data/ that these plugs read, or anything they import."""
    return sorted({name for module in _behind(plugs, computing_closure) for name in inputs(module)})


def _behind(plugs: Iterable[str], reached: Callable[[str], frozenset[str]]) -> set[str]:
    return set().union(*(reached(describe(*plug.split("/")).module) for plug in plugs))


def fingerprint_of_training(plugs: Iterable[str], weights: Iterable[str] = (), together: int = 1) -> dict[str, str]:
    """What networks made of these plugs (as "kind/name") are computed with: hashes by module, by path of data, by file of
    weights (as the recipes write it), and how many repetitions are trained together, if several are. StudyError for weights that
    are not there."""
    return _of_numbers(TRAINING, set(plugs), weights, together)


def fingerprint_of_networks(recipes: Iterable[Recipe], repetitions: int) -> dict[str, str]:
    """What these networks, trained in a block of so many repetitions, are computed with, and those they are made from."""
    ancestry = {ancestor for recipe in recipes for ancestor in recipe.ancestry()}
    plugs = set().union(*(recipe.plugs for recipe in ancestry))
    weights = set().union(*(recipe.reads for recipe in ancestry))
    return fingerprint_of_training(plugs, weights, together(ancestry, repetitions))


def fingerprint_of_measuring(plugs: Iterable[str], weights: Iterable[str] = (), together: int = 1) -> dict[str, str]:
    """What observations are computed with, networks included: as `fingerprint_of_training`."""
    return _of_numbers((*TRAINING, *MEASURING), set(plugs), weights, together)


def _of_numbers(entries: tuple[str, ...], plugs: set[str], weights: Iterable[str], together: int) -> dict[str, str]:
    packed = PACKED if together > 1 else ()
    code = _code((*entries, *packed), frozenset(plugs))
    files = _data(plugs) | {f"weights/{name}": _sum_of_weights(name) for name in sorted(weights)}
    return code | files | ({TOGETHER: str(together)} if packed else {})


def code_of(plugs: Iterable[str]) -> dict[str, str]:
    """What these plugs alone compute with: hashes by module."""
    return _code((), frozenset(plugs))


@cache
def _code(entries: tuple[str, ...], plugs: frozenset[str]) -> dict[str, str]:
    """Computed once for what several studies and networks use; nobody changes it."""
    modules = _behind(plugs, computing_closure).union(*map(computing_closure, entries))
    return {module: code_hash(module) for module in sorted(modules)}


def fingerprint(entry: str, plugs: Iterable[str] = ()) -> dict[str, str]:
    """Hashes of all code behind an entry module and plugs, whether it computes or not: what pages and judgements are made with,
    which are made anew when any of it changes."""
    plugs = set(plugs)
    modules = closure(entry) | _behind(plugs, closure)
    return {module: source_hash(module) for module in sorted(modules)} | _data(plugs)


def _data(plugs: Iterable[str]) -> dict[str, str]:
    return {path: checksum[:16] for path, checksum in checksums(data_behind(plugs)).items()}


def _sum_of_weights(name: str) -> str:
    path = weights_file(name)
    try:
        return _sum_of(path, path.stat().st_mtime_ns, path.stat().st_size)
    except OSError as error:
        raise StudyError(f"weights: {name}: cannot be read ({error.strerror}); bring the file back") from None


@cache
def _sum_of(path: Path, changed: int, size: int) -> str:
    """The file's checksum, computed once as long as it stays as it is: weights are large."""
    return sha256(path)[:16]


def digest(hashes: dict[str, str]) -> str:
    """One hash for a fingerprint."""
    return _hash("\n".join(f"{module} {value}" for module, value in sorted(hashes.items())))
