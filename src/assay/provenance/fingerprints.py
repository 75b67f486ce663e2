"""Code fingerprints: what a result was computed with, down to the modules its plugs import.

Snakemake does not see code behind an import. So every job carries a hash over the source of the plugs it uses and all
project modules these import, directly or not. Comments, docstrings and blank lines do not count: they change no result. Files
that a module reads from data/, named in its INPUTS, count with the checksums they were committed with.
"""

import ast
import hashlib
import io
import tokenize
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from assay.language.plugs import PACKAGE, describe, parsed
from assay.storage.manifest import checksums

TRAINER = "assay.training.trainer"  # where the code behind a network begins


@cache
def module_path(module: str) -> Path | None:
    """The source file of a project module, None if there is none of that name."""
    base = PACKAGE.parent.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.exists():
            return path
    return None


@cache
def _source(module: str) -> str:
    return module_path(module).read_text(encoding="utf-8")


@cache
def imports(module: str) -> frozenset[str]:
    """The project modules a project module imports, at its top or inside functions; those for type checkers do not run."""
    package = module if module_path(module).name == "__init__.py" else module.rpartition(".")[0]
    found: set[str] = set()
    for node in _running(parsed(module_path(module))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, base]).rstrip(".")
            found.add(base)
            # `from assay.augment import mixup` imports a module, `from assay.errors import unknown` a name.
            found.update(f"{base}.{alias.name}" for alias in node.names)
    return frozenset(name for name in found if name.split(".")[0] == "assay" and module_path(name))


def _running(node: ast.AST) -> Iterable[ast.AST]:
    """All nodes below, without what stands under `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING"):
            yield child
            yield from _running(child)


@cache
def code_hash(module: str) -> str:
    """A hash of a module's code without comments, docstrings and blank lines; the same on every Python version."""
    return hashlib.sha256(_code_only(_source(module)).encode()).hexdigest()[:16]


def _code_only(source: str) -> str:
    """The source with comments and docstrings cut out of the text (not re-rendered, which differs between Python versions)."""
    lines = source.splitlines()
    for start, end in sorted(_docstrings(source), reverse=True):
        (first, column), (last, stop) = start, end
        rest = _bytes_from(lines[last - 1], stop)
        lines[first - 1] = lines[first - 1].encode()[:column].decode() + "..." + rest
        del lines[first:last]
    text = "\n".join(lines) + "\n"
    lines = text.splitlines()
    comments = [t.start for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.type == tokenize.COMMENT]
    for row, column in comments:
        lines[row - 1] = lines[row - 1][:column]
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _bytes_from(line: str, column: int) -> str:
    return line.encode()[column:].decode()


def _docstrings(source: str) -> Iterable[tuple[tuple[int, int], tuple[int, int]]]:
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or not node.body:
            continue
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            yield (first.lineno, first.col_offset), (first.end_lineno, first.end_col_offset)


@cache
def closure(module: str) -> frozenset[str]:
    """The module and all project modules it reaches by importing."""
    found, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += imports(name) - found
    return frozenset(found)


@cache
def inputs(module: str) -> tuple[str, ...]:
    """The files in data/ that a project module reads: its constant INPUTS."""
    for node in parsed(module_path(module)).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "INPUTS":
            return ast.literal_eval(node.value)
    return ()


def data_behind(plugs: Iterable[str]) -> list[str]:
    """The files in data/ that these plugs read, or anything they import."""
    modules = set().union(*(closure(describe(*plug.split("/")).module) for plug in plugs))
    return sorted({name for module in modules for name in inputs(module)})


def fingerprint(entry: str, plugs: Iterable[str]) -> dict[str, str]:
    """Hashes by module of all code behind an entry module and the plugs (as "kind/name") it loads by name, and by path of the
    data they read."""
    plugs = set(plugs)
    modules = set(closure(entry)).union(*(closure(describe(*plug.split("/")).module) for plug in plugs))
    data = {path: checksum[:16] for path, checksum in checksums(data_behind(plugs)).items()}
    return {module: code_hash(module) for module in sorted(modules)} | data


def digest(hashes: dict[str, str]) -> str:
    """One hash for a fingerprint."""
    return hashlib.sha256("\n".join(f"{module} {value}" for module, value in sorted(hashes.items())).encode()).hexdigest()[:16]
