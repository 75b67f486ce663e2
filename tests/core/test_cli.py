"""The command line on a project of one study: what it prints, its JSON, its one-line errors and exit codes."""

import json
import pkgutil
import subprocess
import sys
from functools import partial
from importlib import import_module
from shutil import rmtree

import pytest
import yaml
from project_tree import STUDY
from rich.console import Console
from typer.main import get_command
from typer.testing import CliRunner

from assay import cli
from assay.cli import authoring, common, finding, looking, overview, showing
from assay.cli import studies as listing
from assay.language import reading, studies
from assay.language.plugs import PlugInfo
from assay.overview import coverage


@pytest.fixture
def tree(tree, tmp_path, monkeypatch):
    config = tmp_path / "config"
    monkeypatch.setattr(reading, "WORK", tmp_path)
    for module in (listing, showing, authoring):
        for place in ("PROJECT", "WORK"):
            monkeypatch.setattr(module, place, tmp_path, raising=False)
    for module in (listing, showing, finding):
        monkeypatch.setattr(module, "load_studies", partial(studies.load_studies, config=config))
    monkeypatch.setattr(authoring, "CONFIG", config)
    for module in (authoring, listing):
        monkeypatch.setattr(module, "study_paths", partial(studies.study_paths, config))
    monkeypatch.setattr(showing, "row_at", partial(coverage.row_at, root=tmp_path))
    monkeypatch.setattr(overview, "compute_coverage", partial(coverage.coverage, root=tmp_path))
    return tree


def run(*arguments: str, code: int = 0):
    result = CliRunner().invoke(cli.app, arguments, env={"COLUMNS": "200"})
    assert result.exit_code == code, result.output
    return result


def data(*arguments: str, code: int = 0):
    return json.loads(run(*arguments, "--json", code=code).stdout)


def error(*arguments: str) -> str:
    """What goes to stderr when a command refuses: one line, no traceback, nothing on stdout."""
    result = run(*arguments, code=1)
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


def test_list_has_each_study_with_its_verdict(tree):
    (row,) = data("list")
    assert row == {
        "study": "mixup",
        "family": "training-recipes",
        "paper": "P166",
        "word": "supported",
        "claims": "1 of 1 holds",
        "title": "mixup: Beyond Empirical Risk Minimization",
        "question": "Does it help?",
    }
    (line,) = run("list").stdout.splitlines()
    assert " ".join(line.split()) == "mixup supported 1 of 1 P166 mixup: Beyond Empirical Risk Minimization"


def test_a_list_is_one_line_a_study_in_a_terminal_and_whole_in_a_pipe(tree, monkeypatch):
    tree.study("another_study_with_a_long_name", paper="P127")
    whole = run("list").stdout.splitlines()
    assert [line.split()[0] for line in whole] == ["another_study_with_a_long_name", "mixup"]
    assert "…" not in "".join(whole)
    assert {line.index("P1") for line in whole} == {whole[0].index("P127")}
    for module in (common, listing):
        monkeypatch.setattr(module, "out", Console(force_terminal=True, width=80, color_system=None))
    *lines, summary = run("list").stdout.splitlines()
    assert len(lines) == 2
    assert all(len(line) <= 80 for line in lines)
    assert lines[0].endswith("…")
    assert "2 studies at scale laptop" in summary


def test_list_before_the_first_run(tree):
    (tree.results / "verdicts.json").unlink()
    assert data("list")[0]["word"] is None
    assert "not run" in run("list").stdout


def test_show_says_what_the_study_is_and_what_came_out(tree):
    facts = data("show", "mixup")
    assert facts["working"] is True
    assert facts["missing"] == []
    assert facts["introduces"] == ["augment/mixup", "protocols/classify"]
    assert facts["file"] == "config/studies/training-recipes/mixup.yaml"
    assert facts["paper"]["id"] == "P166"
    assert facts["verdict"]["word"] == "supported"
    assert facts["vouched_by"] == ["tests/test_mixup.py::test_counted", "tests/test_mixup.py::test_mixed"]
    assert len(facts["networks"]) == 2
    text = run("show", "mixup").stdout
    assert facts["answer"] in text
    assert facts["answer"].startswith("mixup is above erm in test accuracy")
    for part in (
        "Beyond Empirical Risk Minimization",
        "mixup.top1 > erm.top1",
        "tested: 2 networks x 5 seeds, protocol classify, arms erm, mixup",
        "verdict: supported: 1 of 1 holds",
        "not in the release",
    ):
        assert part in text, part


def test_show_names_what_is_missing(tree):
    tree.test("")
    assert "no oracle test vouches for augment/mixup" in run("show", "mixup").stdout


def test_a_study_that_no_run_judged_is_judged_on_the_evidence_there_is(tree, monkeypatch):
    before = data("show", "mixup")["verdict"]
    (tree.results / "verdicts.json").unlink()
    asked = data("show", "mixup")["verdict"]
    assert {key: asked[key] for key in ("word", "count", "seeds")} == {key: before[key] for key in ("word", "count", "seeds")}
    assert asked["expectations"][0]["effect"] == pytest.approx(before["expectations"][0]["effect"])
    rmtree(tree.results / "observations")
    assert data("show", "mixup")["verdict"] is None
    assert "not run at scale laptop: snakemake results/laptop/figures/mixup.svg" in run("show", "mixup").stdout


def test_the_text_of_a_study_is_shown_whole_when_asked_for(tree):
    assert run("show", "mixup", "--yaml").stdout == (tree.root / "config/studies/training-recipes/mixup.yaml").read_text()
    assert "--yaml, --json: give one of them" in error("show", "mixup", "--yaml", "--json")


def test_find_finds_whole_words_in_studies_papers_and_plugs(tree):
    hits = data("find", "mixup")
    kinds = [hit["kind"] for hit in hits]
    assert kinds == sorted(kinds, key=["study", "paper", "plug"].index)
    assert {"kind": "study", "name": "mixup", "text": "mixup: Beyond Empirical Risk Minimization"} in hits
    assert {"augment/mixup"} < {hit["name"] for hit in hits}
    assert all(hit["name"] != "P166" for hit in hits)  # its study stands for it
    found = {hit["name"] for hit in data("find", "ViT")}
    assert "models/vit" in found
    words = {hit["name"]: hit["text"].lower() for hit in data("find", "vit", "pruning")}
    assert set(words) < found
    assert [hit["name"] for hit in data("find", "LABEL_NOISE")] == [hit["name"] for hit in data("find", "label", "noise")]
    assert "models/vit" in {hit["name"] for hit in data("find", "transf")}
    assert "nothing has 'vitt' in what is said of it" in error("find", "vitt")


def test_unknown_names_get_the_nearest(tree):
    assert "unknown study 'mixpu'; did you mean 'mixup'?" in error("show", "mixpu")
    assert "unknown scale 'lptop'; did you mean 'laptop'?" in error("list", "--scale", "lptop")
    assert "unknown paper 'P1666'" in error("new", "P1666")


def test_check_passes_where_nothing_is_wrong(tree):
    found = data("check")
    assert found["problems"] == []
    assert (found["studies"], found["scales"]) == (1, 1)
    assert "all good" in run("check").stdout


def test_check_names_every_study_that_is_wrong(tree):
    tree.study("first", protocol="clasify")
    tree.study("second", paper="P999")
    problems = data("check", code=1)["problems"]
    assert len(problems) == 2
    assert "did you mean 'classify'?" in problems[0]
    assert "unknown paper 'P999'" in problems[1]
    result = run("check", code=1)
    assert result.stderr.count("error: ") == 2
    assert "2 problems" in result.stdout


def test_check_wants_docstrings_and_annotations(tree, tmp_path, monkeypatch):
    (tmp_path / "bare.py").write_text("def bare(images, *, eps=0.1): ...\n")
    monkeypatch.setattr(looking, "everything", lambda: [PlugInfo("attacks", "bare", tmp_path / "bare.py")])
    assert "parameter 'eps' has no annotation" in data("check", code=1)["problems"][0]
    (tmp_path / "bare.py").write_text("def bare(images, *, eps: float = 0.1): ...\n")
    assert "has no module docstring" in data("check", code=1)["problems"][0]


def test_new_writes_a_skeleton_that_only_lacks_the_study_and_blocks_nothing(tree):
    written = data("new", "P194")
    path = tree.root / written["file"]
    assert written["study"] == path.stem
    skeleton = yaml.safe_load(path.read_text())
    assert skeleton["paper"] == "P194"
    assert skeleton["draft"] is True
    assert set(STUDY) <= set(skeleton)
    found = data("check")
    assert found["problems"] == []
    (warning,) = (warning for warning in found["warnings"] if warning.startswith(f"{path.stem}: "))
    assert f"a draft, skipped by runs of all studies: {written['file']}: key '" in warning
    path.write_text(path.read_text().replace("draft: true", "draft: false"))
    (problem,) = data("check", code=1)["problems"]
    assert f"{path.name}: key '" in problem


def test_a_draft_is_listed_as_one(tree):
    written = data("new", "P194")["study"]
    assert {row["study"]: row["word"] for row in data("list")} == {written: "draft", "mixup": "supported"}
    (tree.root / "config/studies/own").mkdir()
    (tree.root / "config/studies/own/half.yaml").write_text("draft: true\nquestion: [\n")
    assert [row["title"] for row in data("list") if row["study"] == "half"] == [""]


def test_new_finds_the_paper_by_words_and_says_what_there_is(tree):
    tree.study("begun", draft=True)
    result = run("new", "mixup", "empirical", "--name", "again")
    assert "P166 has studies already: begun, mixup" in result.stdout
    assert yaml.safe_load((tree.root / "config/studies/training-recipes/again.yaml").read_text())["paper"] == "P166"
    assert "P166 has studies already: again, begun, mixup; for another one give it a name: --name" in error("new", "P166")
    result = run("new", "mixup", code=1)
    assert "P166  mixup: Beyond Empirical Risk Minimization  studied by again, begun, mixup" in result.stdout.splitlines()
    assert result.stderr.startswith(f"error: {len(result.stdout.splitlines())} papers have 'mixup'; name one, as: assay new P")
    assert "no paper has 'zzz' in what is said of it" in error("new", "zzz")


def test_a_question_of_ones_own_has_no_paper_and_does_not_count(tree):
    assert "--name: is missing" in error("new", "none")
    assert data("new", "none", "--name", "mine")["file"] == "config/studies/own/mine.yaml"
    tree.study("mine", family="own", paper="none", question="Does mine help?")
    tree.measure("mine")
    tree.judge("mixup", "mine")
    assert data("coverage")["total"] == 764
    row = next(row for row in data("list") if row["study"] == "mine")
    assert (row["paper"], row["title"], row["word"]) == ("none", "Does mine help?", "supported")
    facts = data("show", "mine")
    assert (facts["introduces"], facts["missing"]) == ([], [])
    text = run("show", "mine").stdout
    assert "judged by itself, beside the release" in text
    assert "The paper:" not in text
    assert "not in the release" not in text
    assert "mine" in {hit["name"] for hit in data("find", "mine", "help")}


def test_new_takes_a_name(tree):
    assert "wrote config/studies/" in run("new", "P194", "--name", "my-study").stdout
    assert list((tree.root / "config/studies").glob("*/my-study.yaml"))


@pytest.mark.parametrize("paper", ["P166", "P194"])
def test_new_refuses_to_overwrite_whatever_the_family(tree, paper):
    path = tree.root / "config/studies/training-recipes/mixup.yaml"
    before = path.read_bytes()
    message = error("new", paper, "--name", "mixup")
    assert "'mixup' is taken by config/studies/training-recipes/mixup.yaml; choose another" in message
    assert path.read_bytes() == before
    assert len(list((tree.root / "config/studies").rglob("*.yaml"))) == 1


@pytest.mark.parametrize("name", ["../evil", "A", "a/b", "x" * 65])
def test_new_refuses_names_that_are_no_file_names(tree, name):
    assert "is not allowed; use lower-case letters" in error("new", "P194", "--name", name)
    assert len(list(tree.root.rglob("*.yaml"))) == 2


def test_coverage_counts_and_says_what_is_missing(tree):
    found = data("coverage")
    assert (found["total"], found["working"]) == (764, 1)
    assert "1 of 764 papers work" in run("coverage").stdout
    tree.test("")
    text = run("coverage").stdout
    assert "0 of 764 papers work" in text
    assert "P166 mixup: no oracle test vouches for augment/mixup" in text


def test_the_program_has_the_commands_of_every_module():
    modules = [import_module(f"assay.cli.{each.name}") for each in pkgutil.iter_modules(cli.__path__) if each.name != "__main__"]
    registered = [each for module in modules if hasattr(module, "commands") for each in module.commands.registered_commands]
    written = {each.name or each.callback.__name__ for each in registered}
    assert {"list", "check", "coverage", "pull", "retrieve", "doctor"} <= written
    assert set(get_command(cli.app).commands) == written | {"networks"}
    text = run("--help").stdout
    assert all(f" {command} " in text for command in written)


def test_the_module_runs_like_the_program():
    found = subprocess.run([sys.executable, "-m", "assay.cli", "show", "mixpu"], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr.startswith("error: unknown study 'mixpu'; did you mean 'mixup'?")


def test_nothing_imports_what_is_heavy():
    heavy = {"torch", "timm", "pandas", "scipy"}
    code = f"import sys, assay.cli; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
