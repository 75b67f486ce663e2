"""Plugs: methods found by listing folders, described without importing them, imported only when used.

`src/assay/<kind>/**/<name>.py` holds the plug `name`: a function of that name, or a class whose lower-cased name equals the file
name without underscores. Its parameters are its keyword-only arguments. Everything `assay check` needs (names, parameters,
types, ranges, docstrings, the metrics of a protocol) is read from the source by `ast`, so no plug, and no torch, is imported.
An annotation or a default may name a constant that the file imports from another module of the package, if that is a literal.
"""

import ast
import contextlib
import hashlib
import importlib
import json
import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Interval, Le, Lt, MaxLen, MinLen
from pydantic import BeforeValidator, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from assay.errors import StudyError, unknown
from assay.language.inputs import shown
from assay.language.timm_names import TimmName
from assay.storage.places import place

PACKAGE = Path(__file__).parents[1]
# Folders of the package that hold no plugs. Each imports only from those before it.
ROOMS = (
    *("storage", "language", "provenance", "data", "datasets", "training", "evidence", "artifacts", "networks", "measuring"),
    *("judging", "cluster", "forks", "pipeline", "overview", "report", "scorecard", "cli"),
)


def parsed(path: Path) -> ast.Module:
    """The syntax tree of a source file in any encoding that Python accepts; StudyError if it is not Python."""
    try:
        source = path.read_bytes()
    except OSError as error:
        raise StudyError(f"{shown(path)}: cannot be read ({error.strerror})") from None
    return _tree(source, path)


def _tree(source: bytes, path: Path) -> ast.Module:
    try:
        return ast.parse(source, filename=str(path))
    except SyntaxError as error:
        line = f":{error.lineno}" if error.lineno else ""
        raise StudyError(f"{shown(path)}{line}: {error.msg}; the file is not Python, mend it") from None
    except ValueError as error:  # bytes of zero
        raise StudyError(f"{shown(path)}: {error}; the file is not Python, mend it") from None


@dataclass(frozen=True)
class Plug:
    """Marks a parameter whose value is a plug of this kind: `attack: Annotated[Callable, Plug("attacks")]`."""

    kind: str


@dataclass(frozen=True)
class Parent:
    """Marks a parameter whose value is another recipe's trained network: `teacher: Annotated[Trained, Parent()]`."""


@dataclass(frozen=True)
class Weights:
    """Marks a parameter that names trained weights, a local file or a repository: `weights: Annotated[str, Weights()]`."""


def weights_file(named: str) -> Path | None:
    """The local file that a parameter marked with `Weights` names; None if it names a repository of the hub. As everywhere,
    ~ and variables are what they are in a shell."""
    if not named.endswith(".safetensors"):
        return None
    for seen in _watching:
        seen.weights = True
    return place(named)


class _Trained:
    """Stands for `assay.training.network.Trained` when annotations are read without importing torch."""


class _Exactly:
    """`Literal` without Python's view that True and 1.0 equal 1, which pydantic shares and the schemas for editors do not."""

    def __getitem__(self, allowed: Any) -> Any:
        values = allowed if isinstance(allowed, tuple) else (allowed,)

        def same_kind(value: Any) -> Any:
            if not any(type(value) is type(one) and value == one for one in values):
                raise PydanticCustomError("literal_error", f"input should be {' or '.join(map(repr, values))}")
            return value

        return Annotated[Literal[allowed], BeforeValidator(same_kind)]


ANNOTATION_NAMES = {
    **{kind.__name__: kind for kind in (int, float, str, bool, list, tuple, dict)},
    **{mark.__name__: mark for mark in (Ge, Gt, Interval, Le, Lt, MaxLen, MinLen, Plug, Parent, Weights)},
    "Annotated": Annotated,
    "Any": Any,
    "Callable": Callable,
    "Literal": _Exactly(),
    "TimmName": TimmName,
    "Trained": _Trained,
}


@dataclass(frozen=True)
class Parameter:
    """A keyword-only argument of a plug. `plug` is the kind its value names, `parent` says that it names a network, `weights`
    that it names weights."""

    name: str
    annotation: Any
    text: str
    required: bool
    default: Any
    plug: str | None
    parent: bool
    weights: bool
    many: bool
    marks: tuple[Any, ...] = ()

    @cached_property
    def adapter(self) -> TypeAdapter:
        """What checks values; building one takes longer than all of a value's checks."""
        return TypeAdapter(self.annotation)

    def normalise(self, value: Any) -> Any:
        """The value as canonical JSON data (`1` given for a float becomes `1.0`); ValueError says what is allowed."""
        try:
            # JSON mode is strict about types yet takes a list for a tuple, which is how YAML writes one.
            return self.adapter.dump_python(self.adapter.validate_json(json.dumps(value), strict=True), mode="json")
        except ValidationError as error:
            first = error.errors()[0]
            if first["type"] == "value_error":  # a check of the project's own, which says all there is to say
                raise ValueError(str(first["ctx"]["error"])) from None
            raise ValueError(f"{first['msg'].lower()} (declared {self.text})") from None
        except TypeError:
            raise ValueError(f"not plain data (declared {self.text})") from None


@dataclass(frozen=True)
class PlugInfo:
    """What is known of a plug from its source alone."""

    kind: str
    name: str
    path: Path

    @cached_property
    def module(self) -> str:
        return ".".join(("assay", *self.path.relative_to(PACKAGE).with_suffix("").parts))

    @cached_property
    def source(self) -> bytes:
        return self.path.read_bytes()

    @cached_property
    def tree(self) -> ast.Module:
        return _tree(self.source, self.path)

    @cached_property
    def rests_on(self) -> dict[str, str]:
        """The SHA-256 of the files that all this is read from, by path below the package; empty for one that is not there."""
        files = {self.path: self.source, **self._read_of_others[1]}
        return {str(path.relative_to(PACKAGE)): hashlib.sha256(text).hexdigest() if text else "" for path, text in files.items()}

    @property
    def doc(self) -> str:
        return ast.get_docstring(self.tree) or ""

    @cached_property
    def definition(self) -> ast.FunctionDef | ast.ClassDef:
        """The function or class that is the plug; StudyError if the file defines neither."""
        for node in self.tree.body:
            if isinstance(node, ast.FunctionDef) and node.name == self.name:
                return node
            if isinstance(node, ast.ClassDef) and node.name.lower() == self.name.replace("_", ""):
                return node
        raise StudyError(
            f"{shown(self.path)}: defines no function '{self.name}' and no class of that name; the file's name is the plug's name"
        )

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """Keyword-only arguments by name, in the order written."""
        function = self.definition
        if isinstance(function, ast.ClassDef):
            function = next((n for n in function.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
        if function is None:
            return {}
        pairs = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
        return {arg.arg: self._parameter(arg, default) for arg, default in pairs}

    @cached_property
    def constants(self) -> dict[str, Any]:
        """Module constants in capitals whose value is a literal, e.g. a protocol's METRICS."""
        return _literals(self.tree)

    @cached_property
    def imported(self) -> dict[str, Any]:
        """The same of other modules of the package, where the file imports them by name, e.g. the corruptions of ImageNet-C."""
        return self._read_of_others[0]

    @cached_property
    def _read_of_others(self) -> tuple[dict[str, Any], dict[Path, bytes]]:
        """Constants of other modules by the name they have here, and the texts of these modules, none for one that is no file."""
        found: dict[str, Any] = {}
        texts: dict[Path, bytes] = {}
        for node in self.tree.body:
            module = (getattr(node, "module", None) or "").split(".")
            if isinstance(node, ast.ImportFrom) and module[0] == "assay" and any(alias.name.isupper() for alias in node.names):
                path = PACKAGE.joinpath(*module[1:]).with_suffix(".py")
                texts[path] = path.read_bytes() if path.exists() else b""
                known = _literals(_tree(texts[path], path))
                found |= {alias.asname or alias.name: known[alias.name] for alias in node.names if alias.name in known}
        return found, texts

    def _spelt_out(self, node: ast.expr | None) -> ast.expr | None:
        """An annotation or a default with values in the place of imported constants."""
        return _SpeltOut(self.imported).visit(deepcopy(node)) if node and self.imported else node

    def _parameter(self, arg: ast.arg, default: ast.expr | None) -> Parameter:
        where = f"{shown(self.path)}:{arg.lineno}: parameter '{arg.arg}'"
        if arg.annotation is None:
            raise StudyError(f"{where} has no annotation; annotate it so that studies can be checked")
        written, said = self._spelt_out(arg.annotation), self._spelt_out(default)
        text = ast.unparse(written)
        try:
            # The annotation is this package's own source; it is evaluated with these names and no builtins.
            annotation = eval(text, {"__builtins__": {}}, ANNOTATION_NAMES)
            value = None if said is None else ast.literal_eval(said)
            value = json.loads(json.dumps(value))
        except (NameError, SyntaxError, TypeError, ValueError) as error:
            raise StudyError(f"{where}: annotation or default cannot be read from the source: {error}") from None
        marks, many = _marks(annotation)
        plug = next((mark.kind for mark in marks if isinstance(mark, Plug)), None)
        parent = any(isinstance(mark, Parent) or mark is Parent for mark in marks)
        weights = any(isinstance(mark, Weights) for mark in marks)
        return Parameter(arg.arg, annotation, text, default is None, value, plug, parent, weights, many, tuple(marks))


def constants_of(path: Path) -> dict[str, Any]:
    """The constants in capitals of a module that is not imported, where their value is a literal."""
    return _literals(parsed(path))


def _literals(tree: ast.Module) -> dict[str, Any]:
    """A module's constants in capitals whose value is a literal."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper():
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    return found


class _SpeltOut(ast.NodeTransformer):
    """Puts values in the place of the names of constants, so that what is read and shown is what is allowed."""

    def __init__(self, constants: dict[str, Any]):
        self.constants = constants

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.parse(repr(self.constants[node.id]), mode="eval").body if node.id in self.constants else node


def _marks(annotation: Any) -> tuple[list[Any], bool]:
    """All `Annotated` marks inside an annotation, and whether they sit inside a list."""
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        marks, many = _marks(annotation.__origin__)
        return [*annotation.__metadata__, *marks], many
    parts = typing.get_args(annotation) if origin in (list, tuple, typing.Union, types.UnionType) else ()
    inner = [_marks(part) for part in parts]
    marks = [mark for found, _ in inner for mark in found]
    return marks, bool(marks) and (origin in (list, tuple) or any(many for _, many in inner))


@cache
def kinds() -> tuple[str, ...]:
    """The kinds of plug: the package's folders."""
    return tuple(sorted(p.name for p in PACKAGE.iterdir() if (p / "__init__.py").exists() and p.name not in ROOMS))


@cache
def find(kind: str) -> dict[str, PlugInfo]:
    """All plugs of a kind by name, in sorted order; a name used twice is an error.

    A file whose name is none in Python is no plug: what editors, systems and file managers leave beside one.
    """
    if kind not in kinds():
        raise StudyError(unknown("kind of plug", kind, kinds()))
    found: dict[str, PlugInfo] = {}
    folder = PACKAGE / kind
    files = (path for path in folder.rglob("[!_]*.py") if _is_module(path.relative_to(folder)) and path.is_file())
    for path in sorted(files, key=lambda p: p.stem):
        if path.stem in found:
            raise StudyError(
                f"{shown(path)}: '{path.stem}' is taken by {shown(found[path.stem].path)}; names are unique within a kind"
            )
        found[path.stem] = PlugInfo(kind, path.stem, path)
    return found


def _is_module(path: Path) -> bool:
    """Whether all parts of a path can be imported by name."""
    return all(part.isidentifier() for part in path.with_suffix("").parts)


def misnamed() -> Iterator[Path]:
    """Files beside plugs that are none for a hyphen in their name, which somebody wrote and expects to be found."""
    for kind in kinds():
        for path in sorted((PACKAGE / kind).rglob("*.py")):
            hidden = any(part.startswith(".") for part in path.relative_to(PACKAGE).parts)
            if not hidden and re.fullmatch(r"[A-Za-z]\w*(-\w+)+", path.stem):
                yield path


def describe(kind: str, name: str) -> PlugInfo:
    """One plug; StudyError with the nearest name if there is none."""
    plugs = find(kind)
    if name not in plugs:
        raise StudyError(unknown(f"{kind} plug", name, plugs))
    for seen in _watching:
        seen.plugs[f"{kind}/{name}"] = plugs[name]
    return plugs[name]


@dataclass
class Seen:
    """What was asked for while somebody watched: plugs by "kind/name", and whether a local file of weights was named."""

    plugs: dict[str, PlugInfo] = field(default_factory=dict)
    weights: bool = False


_watching: list[Seen] = []


def rests_on(plugs: Iterable[str]) -> dict[str, dict[str, str]]:
    """The files that these plugs, and those that are defaults of their parameters, are read from, by "kind/name"."""
    waiting, found = list(plugs), {}
    while waiting:
        plug = waiting.pop()
        if plug not in found:
            info = describe(*plug.split("/"))
            found[plug] = info.rests_on
            waiting += [f"{each.plug}/{name}" for each in info.parameters.values() if each.plug for name in _named(each.default)]
    return found


def _named(default: Any) -> list[str]:
    """The plugs in a parameter's default."""
    specs = default if isinstance(default, list) else [default]
    return [next(iter(spec)) if isinstance(spec, dict) else spec for spec in specs if spec]


@contextlib.contextmanager
def watched() -> Iterator[Seen]:
    """Note what is asked for meanwhile: all that compiling depends on beside the study, its scale and the catalogue."""
    seen = Seen()
    _watching.append(seen)
    try:
        yield seen
    finally:
        _watching.pop()


def load(kind: str, name: str) -> Callable:
    """Import the plug and return its function or class."""
    info = describe(kind, name)
    return getattr(importlib.import_module(info.module), info.definition.name)


def everything() -> Iterator[PlugInfo]:
    """Every plug of every kind."""
    for kind in kinds():
        yield from find(kind).values()


def load_all(plugs: Iterable[str]) -> None:
    """Import plugs given as "kind/name", so that what is timed afterwards holds no import of timm, which takes seconds."""
    for plug in sorted(plugs):
        load(*plug.split("/"))
