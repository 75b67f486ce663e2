"""Fingerprints follow imports through what computes, see what can change a number, and are blind to all else."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from assay.errors import StudyError
from assay.language import plugs
from assay.language.plugs import PACKAGE, ROOMS, describe, kinds
from assay.provenance import fingerprints, syntax
from assay.provenance.fingerprints import (
    COMPUTING,
    closure,
    code_hash,
    computing_closure,
    fingerprint,
    fingerprint_of_measuring,
    fingerprint_of_training,
    imports,
    source_hash,
)
from assay.provenance.syntax import all_code, computing_code
from assay.storage import places


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An empty `assay` package to write modules into."""
    folder = tmp_path / "assay"
    (folder / "augment").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "augment" / "__init__.py").write_text('"""Augmentations."""\n')
    monkeypatch.setattr(fingerprints, "PACKAGE", folder)
    caches = [value for value in vars(fingerprints).values() if hasattr(value, "cache_clear") and value is not kinds]

    def clear():
        for cached in caches:
            cached.cache_clear()

    def write(name, source):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(source)
        clear()

    clear()
    yield write
    clear()


def numbers(source: str) -> str:
    return computing_code(ast.parse(source), lambda statement, name: False)


PAIRS = {
    "comments and docstrings": ("def f(x):\n return x\n", '"""M."""\n\n# why\ndef f(x):  # here\n """D."""\n\n return x\n'),
    "`pass` beside a docstring": ("class A:\n    pass\n", 'class A:\n    """D."""\n'),
    "a plug's range": ("def f(*, a: Annotated[int, Gt(0)] = 1): return a", "def f(*, a: Annotated[int, Gt(1)] = 1): return a"),
    "a return annotation": ("def f(): return 1", "def f() -> int: return 1"),
    "the annotation of a name in a function": ("def f():\n    x = 1\n    return x", "def f():\n    x: int = 1\n    return x"),
    "the annotation of an attribute": ("class A:\n def f(self):\n  self.x = 1", "class A:\n def f(self):\n  self.x: int = 1"),
    "a declaration in a function": ("def f():\n    return 1", "def f():\n    x: int\n    return 1"),
    "the annotation of a constant": ("X = 1", "X: int = 1"),
    "the type of a field": ("class A:\n    x: int = 1", "class A:\n    x: float | None = 1"),
    "the text of an error": ("raise E('a') from b", "raise E('other') from b"),
    "the text of an error with values": ("raise E(f'a {x}' 'b')", "raise E(f'{y!r:>3}')"),
    "the text of an error, put together": ("raise E(unknown('a', x, f'{z}') + 'c')", "raise E(unknown('b', x, 'z') + 'd')"),
    "the text of an error by keyword": ("raise E(text='a')", "raise E(text='b')"),
    "the text of an error that is handed on": ("def f(x): return StudyError('a', x)", "def f(x): return StudyError('b', x)"),
    "the text of an assertion": ("assert x, 'a'", "assert x, f'b {x}'"),
    "the description of a metric": ("METRICS = {'top1': 'share'}", "METRICS = {'top1': 'share of ' 'all'}"),
    "an optional parameter nobody reads": ("def f(*, a=1): return a", "def f(*, a=1, b=2): return a"),
    "what is imported for type checkers": ("x = 1", "if TYPE_CHECKING:\n    from a import B\nx = 1"),
    "how a string is written": ("x = 'é' 'b'", 'x = u"\\xe9b"'),
}  # fmt: skip


@pytest.mark.parametrize(("one", "other"), PAIRS.values(), ids=PAIRS)
def test_what_changes_no_number_does_not_count(one, other):
    assert numbers(one) == numbers(other)


DIFFERENT = {
    "a number": ("def f(x): return x + 1", "def f(x): return x + 2"),
    "a number's type": ("x = 1", "x = 1.0"),
    "true for one": ("x = 1", "x = True"),
    "a string that looks like a comment": ('x = "a # b"', 'x = "a # c"'),
    "indentation": ("for i in x:\n    f()\n    g()\n", "for i in x:\n    f()\ng()\n"),
    "a default": ("def f(*, a=1): return a", "def f(*, a=2): return a"),
    "a required parameter": ("def f(*, a): return 1", "def f(*, a, b): return 1"),
    "a parameter that is read": ("def f(*, a=1): return a", "def f(*, a=1, b=2): return a * b"),
    "a parameter that keywords would take up": ("def f(*, a=1, **k): return a, k", "def f(*, a=1, b=2, **k): return a, k"),
    "the order of parameters": ("def f(a, b): return a", "def f(b, a): return a"),
    "a field's name": ("class A:\n    x: int = 1", "class A:\n    y: int = 1"),
    "a field's default": ("class A:\n    x: int = 1", "class A:\n    x: int = 2"),
    "the order of fields": ("class A:\n    x: int\n    y: int", "class A:\n    y: int\n    x: int"),
    "a field that is none": ("class A:\n    x: int = 1", "class A:\n    x = 1"),
    "a field of the class": ("class A:\n    x: int = 1", "class A:\n    x: ClassVar[int] = 1"),
    "a field of the class, quoted": ("class A:\n    x: 'int' = 1", "class A:\n    x: 'typing.ClassVar[int]' = 1"),
    "a field for initialisation": ("class A:\n    x: int = 1", "class A:\n    x: dataclasses.InitVar[int] = 1"),
    "fields by keyword": ("class A:\n    _: int\n    x: int", "class A:\n    _: KW_ONLY\n    x: int"),
    "an error's class": ("raise E('a')", "raise F('a')"),
    "the cause of an error": ("raise E('a') from b", "raise E('a') from None"),
    "a number in an error": ("raise E(1)", "raise E(2)"),
    "a text that is no error's": ("f('a')", "f('b')"),
    "what is asserted": ("assert x, 'a'", "assert y, 'a'"),
    "a metric's name": ("METRICS = {'top1': 'share'}", "METRICS = {'top2': 'share'}"),
    "descriptions elsewhere": ("NAMES = {'a': 'b'}", "NAMES = {'a': 'c'}"),
    "what an f-string shows": ("x = f'{a}b'", "x = f'{a!r}b'"),
    "a spread mapping": ("x = {**a, 'b': 1}", "x = {a: 1, 'b': 1}"),
    "an empty tuple": ("x = ()", "x = []"),
    "a decorator": ("@a\ndef f(): return 1", "@b\ndef f(): return 1"),
    "an import": ("from torch import a as f", "from torch import b as f"),
    "an operator": ("x = a + b", "x = a - b"),
    "what stands under another test": ("if TYPE_CHECKED:\n    f()", "if TYPE_CHECKED:\n    g()"),
}  # fmt: skip


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT)
def test_what_may_change_a_number_counts(one, other):
    assert numbers(one) != numbers(other)


def test_pages_see_what_is_said_but_no_comments():
    for name in ("a plug's range", "the text of an error", "the description of a metric", "the annotation of a constant"):
        one, other = PAIRS[name]
        assert all_code(ast.parse(one)) != all_code(ast.parse(other)), name
    one, other = PAIRS["comments and docstrings"]
    assert all_code(ast.parse(one)) == all_code(ast.parse(other))


def test_the_text_of_a_tree_is_this_on_every_version_of_python():
    assert numbers("def f(a, *, b: int = 1):\n    return f'{a:{b}}é{{' 'c', a[0], None") == (
        "Module(body=[FunctionDef(args=arguments(args=[arg(arg='a')],kw_defaults=[Constant(1)],kwonlyargs=[arg(arg='b')]),"
        "body=[Return(value=Tuple(elts=[JoinedStr(FormattedValue(conversion=-1,"
        "format_spec=JoinedStr(FormattedValue(conversion=-1,value=Name(id='b'))),value=Name(id='a')),Constant('\\xe9{c')),"
        "Subscript(slice=Constant(0),value=Name(id='a')),Constant(None)]))],name='f')])"
    )


def test_f_strings_are_the_same_however_a_parser_cuts_their_texts():
    def shown(*texts: str) -> str:
        spec = ast.JoinedStr([ast.Constant(text) for text in texts])
        return all_code(ast.Module([ast.Return(ast.JoinedStr([ast.FormattedValue(ast.Name("x"), -1, spec)]))], []))

    assert shown("", "ab", "") == shown("a", "b") == shown("ab")
    assert shown("") == shown() == all_code(ast.parse("return f'{x}'"))


ACROSS = """
import ast, hashlib, pathlib, runpy, sys
syntax = runpy.run_path(sys.argv[1])
total = hashlib.sha256()
for path in sorted(pathlib.Path(sys.argv[2]).rglob("*.py")):
    source = path.read_text(encoding="utf-8")
    total.update(syntax["computing_code"](ast.parse(source), lambda statement, name: False).encode())
    total.update(syntax["all_code"](ast.parse(source)).encode())
print(total.hexdigest())
"""


@pytest.mark.parametrize("version", ["3.12", "3.13", "3.14"])
def test_another_python_gives_all_modules_the_same_hashes(version):
    program = shutil.which(f"python{version}")
    arguments = ["-c", ACROSS, syntax.__file__, str(PACKAGE)]
    if program is None or subprocess.run([program, "-c", ""], capture_output=True, check=False).returncode:
        pytest.skip(f"no Python {version} here")
    own, other = (
        subprocess.run([python, *arguments], capture_output=True, text=True, check=True).stdout
        for python in (sys.executable, program)
    )
    assert own == other


@pytest.mark.parametrize(
    "statement",
    [
        "import assay.b",
        "from assay import b",
        "from assay.b import f",
        "from . import b",
        "from .b import f",
        "def g():\n    from assay.b import f",
        "try:\n    x()\nexcept E:\n    import assay.b",
        "match x:\n    case 1:\n        import assay.b",
    ],
)
def test_every_form_of_import_is_followed(package, statement):
    package("b.py", "f = 1\n")
    package("a.py", statement + "\n")
    assert "assay.b" in closure("assay.a")


def test_imports_are_followed_through_modules_and_circles(package):
    package("a.py", "import assay.b\n")
    package("b.py", "import assay.augment.c\n")
    package("augment/c.py", "from .. import a\nimport torch\n")
    assert closure("assay.a") == {"assay.a", "assay.b", "assay.augment.c"}


def test_imports_for_type_checkers_do_not_count(package):
    package("b.py", "")
    package("a.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from assay import b\n")
    assert "assay.b" not in imports("assay.a")


def test_a_package_counts_if_its_own_file_holds_code(package):
    package("augment/c.py", "x = 1\n")
    package("augment/d.py", "import assay.augment.c\n")
    assert computing_closure("assay.augment.d") == {"assay.augment.c", "assay.augment.d"}
    package("augment/__init__.py", '"""Augmentations."""\nSEED = 1\n')
    assert computing_closure("assay.augment.d") == {"assay.augment", "assay.augment.c", "assay.augment.d"}
    assert computing_closure("assay.augment.c") == {"assay.augment", "assay.augment.c"}


def test_plumbing_is_neither_counted_nor_passed_through(package):
    package("storage/files.py", "from assay.augment import other\n")
    package("augment/other.py", "")
    package("augment/a.py", "x = 1\n")
    plain = code_hash("assay.augment.a"), computing_closure("assay.augment.a")
    package("augment/a.py", "from assay.storage.files import read\nfrom ..storage import files\nx = 1\n")
    assert (code_hash("assay.augment.a"), computing_closure("assay.augment.a")) == plain
    assert "assay.storage.files" in closure("assay.augment.a")
    package("augment/a.py", "from . import other\nx = 1\n")
    assert code_hash("assay.augment.a") != plain[0]
    assert computing_closure("assay.augment.a") == {"assay.augment.a", "assay.augment.other"}


def test_rooms_that_compute_are_rooms():
    assert set(COMPUTING) <= set(ROOMS)
    assert not set(kinds()) & set(ROOMS)


def test_numbers_rest_on_the_whole_of_what_computes_and_on_nothing_else():
    modules = set(fingerprint_of_measuring({"worlds/shapes", "models/resnet", "protocols/classify"}))
    assert {"assay.worlds.shapes", "assay.models.resnet", "assay.training.trainer"} <= modules
    assert {module.split(".")[1] for module in modules} <= {*COMPUTING, *kinds()}
    loop = [path for path in (PACKAGE / "measuring").glob("*.py") if "\ndef observe(" in path.read_text()]
    assert [f"assay.measuring.{path.stem}" for path in loop if f"assay.measuring.{path.stem}" in modules] != []
    assert len(loop) == 1
    assert not any(module.startswith("assay.augment.") for module in modules)
    training = set(fingerprint_of_training({"worlds/shapes", "models/resnet"}))
    assert training < modules
    assert "assay.measuring.arm" not in training


def test_every_plug_can_be_fingerprinted():
    for kind in kinds():
        for name in plugs.find(kind):
            assert describe(kind, name).module in fingerprint_of_measuring({f"{kind}/{name}"})


def test_pages_rest_on_all_that_makes_them():
    hashes = fingerprint("assay.report.reporting", {"figures/bars"})
    assert {"assay.report.reporting", "assay.figures.bars", "assay.storage.files", "assay.errors"} <= hashes.keys()
    assert hashes["assay.errors"] == source_hash("assay.errors")


def test_weights_count_with_their_bytes(tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"one")
    before = fingerprint_of_training({"models/timm"}, [str(path)])
    assert before.keys() - fingerprint_of_training({"models/timm"}).keys() == {f"weights/{path}"}
    path.write_bytes(b"other")
    after = fingerprint_of_training({"models/timm"}, [str(path)])
    assert [name for name in after if after[name] != before[name]] == [f"weights/{path}"]
    path.unlink()
    with pytest.raises(StudyError, match=r"w\.safetensors: cannot be read \(No such file or directory\); bring the file back$"):
        fingerprint_of_training({"models/timm"}, [str(path)])


def test_a_relative_path_of_weights_starts_at_the_project(monkeypatch, tmp_path):
    monkeypatch.setattr(places, "WORK", tmp_path)
    (tmp_path / "w.safetensors").write_bytes(b"one")
    monkeypatch.chdir(Path("/"))
    assert "weights/w.safetensors" in fingerprint_of_training((), ["w.safetensors"])
