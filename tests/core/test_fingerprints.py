"""Fingerprints follow imports, ignore comments, and are the same for the same code."""

from types import SimpleNamespace

import pytest

from assay.evidence.tables import study_code
from assay.provenance import fingerprints
from assay.provenance.fingerprints import closure, code_hash, imports


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An empty `assay` package to write modules into."""
    folder = tmp_path / "assay"
    (folder / "augment").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "augment" / "__init__.py").write_text("")
    monkeypatch.setattr(fingerprints, "PACKAGE", folder)

    def write(name, source):
        (folder / name).write_text(source)
        clear()

    def clear():
        for cached in ("module_path", "_source", "imports", "code_hash", "closure"):
            getattr(fingerprints, cached).cache_clear()

    clear()
    yield write
    clear()


def test_comments_docstrings_and_blank_lines_do_not_count(package):
    package("a.py", 'def f(x):\n    return "#1"\n')
    plain = code_hash("assay.a")
    package("a.py", '"""Module."""\n\n# why\ndef f(x):  # here\n    """Doc.\n\n    é more"""\n\n    return "#1"\n')
    commented = code_hash("assay.a")
    package("a.py", '"""Other words."""\ndef f(x):\n    """Doc."""\n    return "#1"  # there\n')
    other = code_hash("assay.a")
    assert commented == other
    package("a.py", 'def f(x):\n    return "#2"\n')
    assert code_hash("assay.a") != plain


def test_a_string_that_looks_like_a_comment_counts(package):
    package("a.py", 'x = "a # b"\n')
    one = code_hash("assay.a")
    package("a.py", 'x = "a # c"\n')
    assert code_hash("assay.a") != one


def test_indentation_counts(package):
    package("a.py", "for i in x:\n    f()\n    g()\n")
    inside = code_hash("assay.a")
    package("a.py", "for i in x:\n    f()\ng()\n")
    assert code_hash("assay.a") != inside


@pytest.mark.parametrize(
    "statement",
    [
        "import assay.b",
        "from assay import b",
        "from assay.b import f",
        "from . import b",
        "from .b import f",
        "def g():\n    from assay.b import f",
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
    assert {"assay.a", "assay.b", "assay.augment.c"} <= closure("assay.a")
    assert all(name.startswith("assay") for name in closure("assay.a"))


def test_imports_for_type_checkers_do_not_count(package):
    package("b.py", "")
    package("a.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from assay import b\n")
    assert "assay.b" not in imports("assay.a")


def test_evidence_depends_on_training_and_measuring_and_not_on_pages_verdicts_or_unrelated_plugs():
    modules = set(study_code(SimpleNamespace(plugs={"worlds/shapes", "models/resnet"})))
    assert {"assay.worlds.shapes", "assay.models.resnet", "assay.training.shim"} <= modules
    assert {"assay.training.trainer", "assay.training.run", "assay.measuring.arm"} <= modules
    unrelated = [
        m
        for m in modules
        if m.startswith(
            (
                "assay.report",
                "assay.judging",
                "assay.cli",
                "assay.augment.",
                "assay.language.studies",
                "assay.language.study",
                "assay.language.compiling",
            )
        )
    ]
    assert unrelated == []
