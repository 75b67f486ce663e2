"""Places that changed and that nothing came by are named; what computes nothing, or only moved, is none."""

import pytest

from assay.provenance.changes import Version, untried

BEFORE = '''"""Doc."""

def f(x: int):
    if x:
        y = x + 1
        return y
    for i in range(x):
        x -= 1
    return x
'''
ALL = range(1, 100)


@pytest.fixture
def version(tmp_path):
    """A version of the code: source by module, and the lines that were run in each."""

    def write(name: str, ran: dict, **sources: str) -> Version:
        folder = tmp_path / name
        (folder / "assay" / "training").mkdir(parents=True)
        for module, source in sources.items():
            (folder / "assay" / "training" / f"{module}.py").write_text(source)
        return Version(folder, {f"assay.training.{module}": set(lines) for module, lines in ran.items()})

    return write


def found(version, after: str, ran_before=ALL, ran_after=ALL, before: str = BEFORE) -> list[str]:
    old, new = version("old", {"a": ran_before}, a=before), version("new", {"a": ran_after}, a=after)
    return untried(["assay.training.a"], old, new).get("assay.training.a", [])


@pytest.mark.parametrize(
    ("after", "line"),
    [
        (BEFORE.replace("x + 1", "x + 2"), 5),
        (BEFORE.replace("if x:", "if x > 1:"), 4),
        (BEFORE.replace("return y", "return y * 1"), 6),
        (BEFORE.replace("range(x)", "range(x + 1)"), 7),
    ],
)
def test_a_change_counts_as_tried_where_something_came_by_on_both_sides(version, after, line):
    assert found(version, after) == []


@pytest.mark.parametrize(
    ("after", "line"),
    [
        (BEFORE.replace("x + 1", "x + 2"), 5),
        (BEFORE.replace("if x:", "if x > 1:"), 4),
        (BEFORE.replace("range(x)", "range(x + 1)"), 7),
    ],
)
def test_where_nothing_came_by_it_does_not(version, after, line):
    others = set(ALL) - {line}
    assert found(version, after, ran_after=others) == [f"training/a.py:{line}"]


def test_what_went_must_have_been_tried_too(version):
    after = BEFORE.replace("        x -= 1\n", "        pass\n")
    assert found(version, after, ran_before=set(ALL) - {8}) == ["training/a.py:8"]


def test_a_statement_elsewhere_in_its_function_is_another(version):
    after = BEFORE.replace("        return y\n", "").replace("    return x\n", "    return x\n    return y\n")
    assert found(version, after, ran_after=()) != []


def test_statements_in_another_branch_are_others(version):
    before = "def f(x):\n    if x:\n        a()\n    else:\n        b()\n"
    after = "def f(x):\n    if x:\n        b()\n    else:\n        a()\n"
    assert len(found(version, after, ran_before=(), ran_after=(), before=before)) >= 2


def test_a_statement_at_another_depth_is_another(version):
    before = "def f(x):\n    if x:\n        a()\n        b()\n"
    assert found(version, before.replace("        b", "    b"), ran_before=(), ran_after=(), before=before) == ["training/a.py:4"]


@pytest.mark.parametrize(
    "after",
    [
        BEFORE.replace("Doc", "Other words"),
        BEFORE.replace(": int", ""),
        BEFORE.replace("    return x\n", "    # why\n    return x\n"),
        BEFORE.replace("    if x:\n", "    if x:\n        raise ValueError(x)\n"),
        BEFORE.replace("def f(x: int)", "def f(x: int, *, more=None)"),
        BEFORE,
    ],
)
def test_what_computes_nothing_needs_no_trial(version, after):
    assert found(version, after, (), ()) == []


CASE = "def f(x):\n    match x:\n        case 1:\n            a()\n"
HANDLER = "def f():\n    try:\n        a()\n    except OSError:\n        b()\n"


@pytest.mark.parametrize(("before", "after"), [(CASE, CASE.replace("1", "2")), (HANDLER, HANDLER.replace("OSError", "KeyError"))])
def test_conditions_of_cases_and_handlers_are_seen(version, before, after):
    assert found(version, after, (), (), before) != []


def test_what_moved_to_another_module_is_the_same(version):
    moved = "def g(x):\n    return 2 * x\n"
    old = version("old", {}, a=BEFORE + moved, b="c = 1\n")
    new = version("new", {}, a=BEFORE, b="c = 1\n" + moved)
    modules = ["assay.training.a", "assay.training.b"]
    assert untried(modules, old, new) == {}
    again = version("again", {}, a=BEFORE, b="c = 1\n" + moved.replace("2", "3"))
    assert untried(modules, old, again) == {
        "assay.training.a": ["training/a.py:11"],
        "assay.training.b": ["training/b.py:3"],
    }


def test_a_module_that_is_new_or_went(version):
    old, new = version("old", {}, a=BEFORE), version("new", {"b": {1, 2, 3}}, b="def g():\n    return 1\n")
    assert set(untried(["assay.training.a"], old, new)) == {"assay.training.a"}
    assert untried(["assay.training.b"], old, new) == {}
