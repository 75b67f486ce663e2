"""The runner of benchmarks: what it takes as bars, what it keeps, and what a script that fails costs."""

import importlib.util
import json
from pathlib import Path

import pytest

from assay.errors import StudyError
from assay.storage.places import PACKAGE

BENCH = Path(__file__).parents[2] / "bench"
RUNNER = BENCH / "run_bars.py"
BAR = {
    "name": "a job beyond its work",
    "value": 0.2,
    "limit": 0.25,
    "sense": "at most",
    "measured": {"import torch": 2.0, "job": 0.4},
    "unit": "core-s",
    "how": "both in one run",
}


@pytest.fixture
def bench(tmp_path):
    """The runner's module, with a folder for scripts at tmp_path."""
    spec = importlib.util.spec_from_file_location("run_bars", RUNNER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def script(folder: Path, topic: str, *bars: dict, then: str = "") -> None:
    (folder / f"{topic}.py").write_text(f"import sys\nprint({json.dumps(json.dumps(bars))})\n{then}\n")


def run(bench, folder: Path, *asked: str) -> tuple[int, dict]:
    status = bench.run(asked, folder, folder / "bars.json")
    return status, json.loads((folder / "bars.json").read_text())


def test_bars_are_collected_with_where_they_are_from(bench, tmp_path, capsys):
    script(tmp_path, "startup", BAR)
    script(tmp_path, "compile", BAR | {"value": 5, "limit": 4, "name": "word " * 12}, BAR)
    script(tmp_path, "_common", then="sys.exit(1)")
    status, found = run(bench, tmp_path)
    assert status == 0
    assert [bar["topic"] for bar in found["bars"]] == ["compile", "compile", "startup"]
    assert {key: found["bars"][2][key] for key in BAR} == BAR
    assert set(found) == {"commit", "date", "machine", "bars"}
    assert found["bars"][0]["commit"] == found["commit"]
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].endswith("5 at most 4 not met")
    assert " ".join(lines[-1].split()) == "startup a job beyond its work 0.2 at most 0.25 met"


def test_scripts_keep_bytecode_as_an_ordinary_python_does(bench, tmp_path, monkeypatch):
    """The libraries of every peer have theirs; a project compiled anew in each process would be measured beside them."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    script(tmp_path, "startup", BAR, then="sys.exit(int(sys.dont_write_bytecode))")
    assert run(bench, tmp_path)[0] == 0


def test_topics_that_do_not_run_keep_their_entries(bench, tmp_path):
    script(tmp_path, "startup", BAR)
    script(tmp_path, "compile", BAR)
    script(tmp_path, "gone", BAR)
    run(bench, tmp_path)
    script(tmp_path, "startup", BAR | {"value": 0.1})
    script(tmp_path, "compile", BAR | {"value": 0.1})
    (tmp_path / "gone.py").unlink()
    _, found = run(bench, tmp_path, "startup")
    assert [(bar["topic"], bar["value"]) for bar in found["bars"]] == [("compile", 0.2), ("startup", 0.1)]


@pytest.mark.parametrize(
    ("bars", "then", "why"),
    [
        ([BAR], "sys.exit(3)", "exit status 3"),
        ([], "", "no list of bars"),
        ([BAR], "print('done')", "no JSON"),
        ([{"name": "a"}], "", "a bar has the keys"),
        ([BAR | {"sense": "below"}], "", "'sense': 'below'"),
        ([BAR | {"value": None}], "", "'value': None"),
        ([BAR], "import time; time.sleep(60)", "not done after"),
    ],
)
def test_a_script_that_fails_is_a_line_and_not_the_end(bench, tmp_path, capsys, monkeypatch, bars, then, why):
    script(tmp_path, "a", BAR)
    script(tmp_path, "b", BAR)
    run(bench, tmp_path)
    script(tmp_path, "a", *bars, then=then)
    monkeypatch.setattr(bench, "MINUTES", 0.1 if "sleep" in then else 1)
    status, found = run(bench, tmp_path)
    assert status == 1
    assert [bar["topic"] for bar in found["bars"]] == ["b"]
    printed = " ".join(capsys.readouterr().out.split())
    assert "a: failed: " in printed
    assert why in printed


def test_slow_topics_run_only_by_name_and_unknown_ones_are_named(bench):
    assert bench.chosen([], ["compile", "ten_studies"]) == ["compile"]
    assert bench.chosen(["ten_studies"], ["compile", "ten_studies"]) == ["ten_studies"]
    with pytest.raises(StudyError, match="did you mean 'compile'"):
        bench.chosen(["compil"], ["compile"])


@pytest.mark.parametrize(
    ("sense", "value", "met"), [("at most", 1, True), ("at most", 1.1, False), ("at least", 1, True), ("at least", 0.9, False)]
)
def test_a_bar_is_met_on_its_side_of_the_limit(bench, sense, value, met):
    assert bench.met({"sense": sense, "value": value, "limit": 1}) is met


def test_every_change_that_is_planted_fits_the_code_it_is_planted_in(tmp_path, monkeypatch):
    """Or `python bench/planted.py` would find out when somebody needs it."""
    monkeypatch.syspath_prepend(BENCH)
    import planted

    for plant in (*planted.WRONG, *planted.HARMLESS, *planted.PLUGS.values()):
        path = tmp_path / "assay" / plant.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((PACKAGE / plant.file).read_bytes())
        assert planted.planted(plant, tmp_path) == {path: (PACKAGE / plant.file).read_text()}
        compile(path.read_text(), plant.file, "exec")
