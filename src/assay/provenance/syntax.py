"""Syntax trees as text, without what no result depends on; the same text on every Python version that can read the source.

Two readings of one module: `all_code` leaves out comments, docstrings and blank lines; `computing_code` leaves out besides what
checks, documents and words: annotations, texts of errors, descriptions of metrics, parameters that nobody reads, and imports of
modules that compute nothing.
"""

import ast
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

UNSAID = {"ctx", "type_comment", "type_ignores", "kind"}  # how a node was written or is used; its place in the tree says the same
FIELD_MARKS = ("ClassVar", "InitVar", "KW_ONLY")  # what an annotation can tell a dataclass besides the field's name
WORDS = ast.Constant("words")
BODIES = ("body", "orelse", "handlers", "finalbody", "cases")  # fields of statements that hold statements


def all_code(tree: ast.Module) -> str:
    """The module as text, without comments and docstrings. The tree is changed."""
    return _text(_Statements().visit(tree))


def computing_code(tree: ast.Module, is_plumbing: Callable[[ast.stmt, str], bool]) -> str:
    """The part of a module that results can depend on, as text. The tree is changed.

    is_plumbing: whether an import statement's name leads to a module of the project that computes nothing.
    """
    return _text(_Computing(is_plumbing).visit(tree))


class Statement(NamedTuple):
    """A statement that results can depend on: its text, of a compound one the first line alone, and the lines it stands in."""

    text: str
    first: int
    last: int


def computing_statements(tree: ast.Module, is_plumbing: Callable[[ast.stmt, str], bool]) -> list[Statement]:
    """The statements that `computing_code` is made of, in their order, each with its depth. Those that raise errors are left out:
    no result has passed through them. The tree is changed."""
    return list(_flat(_Computing(is_plumbing).visit(tree), 0))


def _flat(node: ast.AST, depth: int) -> Iterator[Statement]:
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) and name in BODIES else ():
            if isinstance(child, ast.stmt) and not isinstance(child, ast.Raise):
                yield _statement(child, name, depth)
            yield from _flat(child, depth + 1)


def _statement(node: ast.stmt, place: str, depth: int) -> Statement:
    """place: in which of its parent's bodies the statement stands."""
    inside = [child.lineno for child in ast.walk(node) if isinstance(child, ast.stmt) and child is not node]
    last = min(inside) - 1 if inside else node.end_lineno
    return Statement(f"{depth} {place} {_text(_header(node))}", node.lineno, max(node.lineno, last))


def _header(node: ast.AST) -> ast.AST:
    """The node without the statements inside it; the conditions of its cases and handlers are its own."""
    fields = dict(ast.iter_fields(node))
    for name in BODIES:
        if isinstance(fields.get(name), list):
            fields[name] = [_header(child) for child in fields[name] if not isinstance(child, ast.stmt)]
    return type(node)(**fields)


def imports_in(tree: ast.Module) -> Iterator[ast.Import | ast.ImportFrom]:
    """All import statements, at the top or inside functions, without those under `if TYPE_CHECKING`."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif not isinstance(node, ast.expr) and not _is_for_type_checkers(node):
            waiting += ast.iter_child_nodes(node)


def _is_for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


class _Statements(ast.NodeTransformer):
    """Takes away statements that do nothing: docstrings, other bare constants, `pass`."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_Pass(self, node: ast.Pass) -> None:
        return None


class _Computing(_Statements):
    """Takes away all that checks, documents and words."""

    def __init__(self, is_plumbing: Callable[[ast.stmt, str], bool]):
        self.is_plumbing = is_plumbing
        self.in_class = False

    def visit_Module(self, node: ast.Module) -> ast.AST:
        node = self.generic_visit(node)
        for statement in node.body:
            match statement:
                case ast.Assign(targets=[ast.Name(id="METRICS")], value=ast.Dict() as metrics):
                    metrics.values = [_Wordless().visit(value) for value in metrics.values]
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._inside(node, in_class=True)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        _drop_unread(node)
        node.returns = None
        return self._inside(node, in_class=False)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self.visit_FunctionDef(node)

    def _inside(self, node: ast.AST, in_class: bool) -> ast.AST:
        outer, self.in_class = self.in_class, in_class
        node = self.generic_visit(node)
        self.in_class = outer
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        """In a class an annotation makes a field; elsewhere `x: int = 1` is `x = 1`, and `x: int` nothing."""
        if self.in_class:
            named = {part.strip("'\"[]().,") for part in _words_of(node.annotation)}
            node.annotation = ast.Constant([mark for mark in FIELD_MARKS if mark in named] or None)
            return self.generic_visit(node)
        assigned = ast.copy_location(ast.Assign([node.target], node.value), node)
        return self.generic_visit(assigned) if node.value else None

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if isinstance(node.exc, ast.Call):
            _silence(node.exc)
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if _last_name(node.func).endswith("Error"):
            _silence(node)
        return self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        node.msg = None
        return self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        node = self.generic_visit(node)
        return node.orelse if _is_for_type_checkers(node) else node

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> ast.AST | None:
        node.names = [alias for alias in node.names if not self.is_plumbing(node, alias.name)]
        return node if node.names else None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        return self.visit_Import(node)


class _Wordless(ast.NodeTransformer):
    """Makes all texts the same."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return WORDS if isinstance(node.value, str) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return WORDS


def _silence(call: ast.Call) -> None:
    """Make the texts of an error the same, those that helpers in its arguments put together too."""
    call.args = [_Wordless().visit(argument) for argument in call.args]
    for keyword in call.keywords:
        keyword.value = _Wordless().visit(keyword.value)


def _drop_unread(function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    """Take away keyword-only parameters that have a default and that nothing in the function reads."""
    given = function.args
    read = {node.id for statement in function.body for node in ast.walk(statement) if isinstance(node, ast.Name)}
    if given.kwarg or "locals" in read:
        return
    pairs = zip(given.kwonlyargs, given.kw_defaults, strict=True)
    kept = [(parameter, default) for parameter, default in pairs if default is None or parameter.arg in read]
    given.kwonlyargs, given.kw_defaults = [parameter for parameter, _ in kept], [default for _, default in kept]


def _last_name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _words_of(annotation: ast.expr) -> Iterator[str]:
    """The names in an annotation, whether it is written as code or as a string."""
    for node in ast.walk(annotation):
        if isinstance(node, ast.Name | ast.Attribute):
            yield _last_name(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from (part.rpartition(".")[2] for part in node.value.replace("[", " ").split())


def _text(node: object) -> str:
    """A node with its fields by name, in their order of the alphabet, those that are empty left out."""
    match node:
        case ast.Constant():
            return f"Constant({_value(node.value)})"
        case ast.JoinedStr():
            return f"JoinedStr({','.join(map(_text, _joined(node.values)))})"
        case ast.FormattedValue(format_spec=ast.JoinedStr() as spec) if not _joined(spec.values):
            return _text(ast.FormattedValue(node.value, node.conversion))
        case ast.AST():
            fields = ((name, getattr(node, name, None)) for name in sorted(node._fields) if name not in UNSAID)
            said = (f"{name}={_text(value)}" for name, value in fields if value is not None and value != [])
            return f"{type(node).__name__}({','.join(said)})"
        case list():
            return f"[{','.join(map(_text, node))}]"
        case _:
            return _value(node)


def _joined(parts: Iterable[ast.expr]) -> list[ast.expr]:
    """The parts of an f-string with neighbouring texts as one: Python versions cut them differently."""
    joined: list[ast.expr] = []
    for part in parts:
        if isinstance(part, ast.Constant) and joined and isinstance(joined[-1], ast.Constant):
            joined[-1] = ast.Constant(joined[-1].value + part.value)
        elif not isinstance(part, ast.Constant) or part.value:
            joined.append(part)
    return joined


def _value(value: object) -> str:
    """A constant's text; ascii, because which characters repr escapes differs between Python versions."""
    return ascii(value)
