"""Plugs are found by folder and described from their source alone, and what is described is what runs."""

import inspect
from types import SimpleNamespace

import pytest

from assay.cli import looking
from assay.errors import StudyError
from assay.language import plugs
from assay.language.metrics import check_metrics, read_metric
from assay.language.plugs import PlugInfo, describe, everything, find, kinds, load, misnamed

ALL = [pytest.param(info, id=f"{info.kind}/{info.name}") for info in everything()]


@pytest.mark.parametrize("info", ALL)
def test_the_description_read_from_the_source_is_the_signature_that_runs(info):
    plug = load(info.kind, info.name)
    signature = inspect.signature(plug.__init__ if inspect.isclass(plug) else plug)
    keyword_only = [p for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY]
    assert [p.name for p in keyword_only] == list(info.parameters)
    for parameter in keyword_only:
        described = info.parameters[parameter.name]
        assert described.required == (parameter.default is parameter.empty)
        if not described.required:
            given = list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
            assert described.default == given


@pytest.mark.parametrize("info", ALL)
def test_defaults_are_values_that_a_study_could_give(info):
    for parameter in info.parameters.values():
        if not parameter.required and parameter.plug is None and not parameter.parent:
            assert parameter.normalise(parameter.default) == parameter.default


NUMBERED = [
    pytest.param(parameter, id=f"{info.name}.{parameter.name}")
    for info in everything()
    for parameter in info.parameters.values()
    if "Literal[1" in parameter.text
]


@pytest.mark.parametrize("parameter", NUMBERED)
def test_a_choice_of_numbers_takes_these_and_nothing_that_python_holds_for_equal(parameter):
    assert parameter.normalise(1) == 1
    for value in (True, 1.0, "1", 3.0, False, 2.5):
        with pytest.raises(ValueError, match=r"input should be 1 or .* \(declared .*Literal\[1, "):
            parameter.normalise(value)


def test_a_choice_of_words_is_refused_by_name():
    parameter = describe("attacks", "pgd").parameters["norm"]
    assert parameter.normalise("l2") == "l2"
    with pytest.raises(ValueError, match=r"input should be 'linf' or 'l2' \(declared Literal\['linf', 'l2'\]\)"):
        parameter.normalise("l1")


@pytest.mark.parametrize("info", ALL)
def test_every_plug_says_what_it_computes(info):
    first = info.doc.splitlines()[0] if info.doc else ""
    assert len(first) > 15, f"{info.path}: the module docstring's first line says what the plug computes"


def test_every_kind_has_plugs():
    assert [kind for kind in kinds() if not find(kind)] == []


@pytest.mark.parametrize("info", find("protocols").values(), ids=lambda info: info.name)
def test_protocols_say_label_unit_and_direction_of_their_metrics(info):
    metrics = info.constants["METRICS"]
    check_metrics(info.name, metrics)
    labels = [read_metric(name, line).label for name, line in metrics.items()]
    assert len(set(labels)) == len(labels)


def test_a_metric_with_one_name_and_one_text_has_one_line():
    """What is measured in the same way compares across studies by its whole line."""
    lines: dict[tuple[str, str], set[str]] = {}
    for info in find("protocols").values():
        for name, line in info.constants["METRICS"].items():
            lines.setdefault((name, read_metric(name, line).text), set()).add(line)
    assert [key for key, said in lines.items() if len(said) > 1] == []


def test_a_metrics_line_is_read_into_its_parts():
    line = "Explained [R2, at most 1, higher is better]: variance explained [in %]: mean"
    assert read_metric("r2", line) == ("Explained", "R2, at most 1", "higher is better", "variance explained [in %]: mean")


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        (None, "probe.py: defines no METRICS"),
        ({}, "probe.py: defines no METRICS"),
        ({"a": "share of images"}, "metric 'a': 'share of images' has no label, unit and direction; write \"Label ["),
        ({"a": 3}, "metric 'a': 3 has no label"),
        ({"a": "Share [0 to 1]: of images"}, "metric 'a': 'Share [0 to 1]: of images' has no label, unit and direction"),
        ({"a": " [0 to 1, lower is better]: of images"}, "has no label"),
        ({"a": "Share [0 to 1, lower is better]:"}, "has no label"),
        (
            {"a": "Share [0 to 1, up]: of images"},
            "direction 'up' is unknown; write",
        ),
        ({"a": "Share" * 10 + " [0 to 1, lower is better]: of images"}, "label of 50 letters (allowed: at most 48)"),
    ],
)
def test_metrics_without_label_unit_and_direction_are_refused_in_one_line(metrics, said):
    with pytest.raises(StudyError) as error:
        check_metrics("probe.py", metrics)
    assert said in str(error.value)
    assert str(error.value).startswith("probe.py: ")
    assert "\n" not in str(error.value)


def test_the_check_of_a_project_sees_a_metric_without_direction(tmp_path, monkeypatch):
    path = tmp_path / "probe.py"
    path.write_text('"""Measures a probe for this test."""\nMETRICS = {"a": "share"}\ndef probe(arm):\n    pass\n')
    monkeypatch.setattr(looking, "everything", lambda: [PlugInfo("protocols", "probe", path)])
    problems = list(looking._plug_problems(list(looking.everything()), SimpleNamespace(plugs={}, kept=False)))
    assert len(problems) == 1
    assert "probe.py: METRICS: metric 'a': 'share' has no label" in problems[0]


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(StudyError, match="unknown models plug 'resent'; did you mean 'resnet'"):
        describe("models", "resent")
    with pytest.raises(StudyError, match="unknown kind of plug 'model'; did you mean 'models'"):
        find("model")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def other():\n    pass\n", "defines no function 'probe' and no class of that name"),
        ("def probe(x:\n    pass\n", "probe.py:1: "),
        ("<<<<<<< HEAD\n", "the file is not Python"),
        ("def probe(x, *, a=1):\n    pass\n", "parameter 'a' has no annotation"),
        ("def probe(x, *, a: Unknown = 1):\n    pass\n", "annotation or default cannot be read"),
        ("def probe(x, *, a: int = compute()):\n    pass\n", "annotation or default cannot be read"),
        ("def probe(x, *, a: __import__('os') = 1):\n    pass\n", "annotation or default cannot be read"),
    ],
)
def test_a_plug_that_cannot_be_described_says_why(tmp_path, monkeypatch, source, said):
    path = tmp_path / "probe.py"
    path.write_text(source)
    monkeypatch.setattr(plugs, "PACKAGE", tmp_path)
    with pytest.raises(StudyError, match=r"probe\.py") as caught:
        _ = PlugInfo("models", "probe", path).parameters
    assert said in str(caught.value)


SHARED = """from typing import Literal

from assay.models._shared import COLOURS, MADE, SHADES as KINDS

def probe(x, *, a: list[Literal[COLOURS]] = COLOURS, b: Literal[KINDS] = "dark"{more}):
    pass
"""


def shared_probe(tmp_path, monkeypatch, more=""):
    folder = tmp_path / "assay" / "models"
    folder.mkdir(parents=True)
    (folder / "_shared.py").write_text('COLOURS = ("red", "blue")\nSHADES = ("dark", "light")\nMADE = tuple("ab")\n')
    (folder / "probe.py").write_text(SHARED.format(more=more))
    monkeypatch.setattr(plugs, "PACKAGE", tmp_path / "assay")
    return PlugInfo("models", "probe", folder / "probe.py")


def test_a_constant_of_another_module_counts_as_written_out(tmp_path, monkeypatch):
    a, b = shared_probe(tmp_path, monkeypatch).parameters.values()
    assert a.default == ["red", "blue"]
    assert (a.text, b.text) == ("list[Literal['red', 'blue']]", "Literal['dark', 'light']")
    assert a.normalise(["blue"]) == ["blue"]
    with pytest.raises(ValueError, match="'red' or 'blue'"):
        a.normalise(["dark"])


@pytest.mark.parametrize("more", [", c: Literal[MADE] = 'a'", ", c: list[str] = MADE", ", c: list[str] = UNKNOWN"])
def test_a_constant_that_is_no_literal_is_refused(tmp_path, monkeypatch, more):
    with pytest.raises(StudyError, match=r"probe\.py:5: parameter 'c': annotation or default cannot be read"):
        _ = shared_probe(tmp_path, monkeypatch, more).parameters


SIDE_FILES = (
    "._probe.py",
    ".#probe.py",
    "probe 2.py",
    "probe.sync-conflict-20261101.py",
    ".ipynb_checkpoints/probe.py",
    "#probe#.py",
)


def test_what_systems_and_editors_leave_beside_plugs_is_no_plug(tmp_path, monkeypatch):
    monkeypatch.setattr(plugs, "PACKAGE", tmp_path)
    for name in ("__init__.py", "probe.py", *SIDE_FILES):
        path = tmp_path / "augment" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\0\5\26\7\xb0")
    (tmp_path / "augment" / "folder.py").mkdir()
    (tmp_path / "augment" / ".#lock.py").symlink_to("nobody@nowhere.1234")
    (tmp_path / "augment" / "rand-augment.py").write_text("")
    found = find.__wrapped__
    monkeypatch.setattr(plugs, "kinds", lambda: ("augment",))
    assert list(found("augment")) == ["probe"]
    assert [path.name for path in misnamed()] == ["rand-augment.py"]


@pytest.mark.parametrize(
    "source",
    [
        b"\xef\xbb\xbf" + "def probe(x, *, é: int = 1): ...".encode(),
        "# -*- coding: latin-1 -*-\ndef probe(x, *, é: int = 1): ...".encode("latin-1"),
        b"def probe(x, *, e: int = 1):\r\n    pass\r\n",
    ],
)
def test_what_python_accepts_is_accepted(tmp_path, source):
    path = tmp_path / "probe.py"
    path.write_bytes(source)
    compile(source, "probe.py", "exec")
    assert len(PlugInfo("models", "probe", path).parameters) == 1


@pytest.mark.parametrize("source", [b"def x(\n", b"\0\5\26\7\xb0", b"x = '\xe9'\n", b"# coding: nonesuch\n"])
def test_a_file_that_is_not_python_is_named_in_one_line(tmp_path, source):
    path = tmp_path / "probe.py"
    path.write_bytes(source)
    with pytest.raises(StudyError, match=r"probe\.py.*; the file is not Python, mend it$") as caught:
        _ = PlugInfo("models", "probe", path).parameters
    assert "\n" not in str(caught.value)
