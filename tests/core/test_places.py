"""Where the project is and where work is done; and that code of one checkout says so when it runs in another."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from assay.errors import StudyError
from assay.storage import places
from assay.storage.places import (
    PACKAGE,
    PROJECT,
    WORK,
    other_checkout,
    place,
    project_folder,
    project_of,
    require_checkout,
    warning_of_other_checkout,
)

REPOSITORY = Path(__file__).resolve().parents[2]


def checkout(root: Path) -> Path:
    (root / "src" / "assay").mkdir(parents=True)
    (root / "Snakefile").write_text("")
    return root


def test_in_a_checkout_both_places_are_the_repository():
    assert PROJECT == WORK == REPOSITORY
    require_checkout("anything")


def test_an_installed_package_has_its_files_inside_and_works_in_the_current_folder(tmp_path):
    package = tmp_path / "site-packages" / "assay"
    shutil.copytree(PACKAGE / "storage", package / "storage")
    for name in ("__init__.py", "errors.py"):
        shutil.copy(PACKAGE / name, package)
    (package / "_project").mkdir()
    (tmp_path / "desk").mkdir()
    code = "from assay.storage import places as p; print(p.PROJECT, p.WORK, p.project_of(p.WORK), sep='\\n')"
    environment = {**os.environ, "PYTHONPATH": str(package.parent)}
    said = subprocess.run([sys.executable, "-c", code], cwd=tmp_path / "desk", env=environment, capture_output=True, text=True)
    assert said.stdout.splitlines() == [str(package / "_project"), str(tmp_path / "desk"), str(package / "_project")], said.stderr


def test_a_tree_of_its_own_brings_its_own_files(tmp_path):
    assert project_of(tmp_path) == tmp_path
    assert project_of(WORK) == PROJECT


def folder(root: Path) -> Path:
    """A project folder as `assay init` leaves it."""
    (root / "config" / "studies").mkdir(parents=True)
    (root / "config" / "config.yaml").write_text("scale: ci\n")
    return root


@pytest.mark.parametrize("below", [".", "config/studies", "notes/of/mine"])
def test_a_project_folder_is_found_from_anywhere_inside_it(tmp_path, below):
    mine = folder(tmp_path / "mine")
    (mine / below).mkdir(parents=True, exist_ok=True)
    assert project_folder(mine / below) == mine
    assert project_folder(tmp_path) is None


def test_a_checkout_is_no_project_folder_and_hides_one_around_it(tmp_path):
    inner = folder(checkout(folder(tmp_path) / "clone"))
    assert project_folder(inner / "config") is None


def test_half_a_project_folder_is_none(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.yaml").write_text("")
    assert project_folder(tmp_path) is None


def test_an_installed_package_works_in_the_project_folder_with_its_studies(tmp_path):
    package = tmp_path / "site-packages" / "assay"
    shutil.copytree(PACKAGE / "storage", package / "storage")
    for name in ("__init__.py", "errors.py"):
        shutil.copy(PACKAGE / name, package)
    (package / "_project").mkdir()
    mine = folder(tmp_path / "mine")
    code = "from assay.storage import places as p; p.require_project('x'); print(p.PROJECT, p.WORK, p.CONFIG, sep='\\n')"
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(package.parent)}
    said = subprocess.run(command, cwd=mine / "config", env=environment, capture_output=True, text=True)
    assert said.stdout.splitlines() == [str(package / "_project"), str(mine), str(mine / "config")], said.stderr
    said = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "x: only in a checkout or a project folder; make one: assay init FOLDER" in said.stderr


@pytest.mark.parametrize("below", ["", "config", "src/assay"])
def test_another_checkout_is_noticed_anywhere_inside_it(tmp_path, below):
    other = checkout(tmp_path / "other")
    (other / below).mkdir(exist_ok=True)
    assert other_checkout(other / below) == other
    warning = warning_of_other_checkout(other / below)
    assert str(other) in warning
    assert str(PROJECT) in warning
    assert "\n" not in warning


def test_no_warning_at_home_nor_in_other_folders(tmp_path):
    (tmp_path / "src" / "assay").mkdir(parents=True)  # no Snakefile
    for folder in (PROJECT, PROJECT / "docs", tmp_path, Path("/")):
        assert warning_of_other_checkout(folder) == ""


def test_the_nearest_checkout_is_the_one_that_counts(tmp_path, monkeypatch):
    outer = checkout(tmp_path / "outer")
    inner = checkout(outer / "inner")
    monkeypatch.setattr(places, "PROJECT", inner)
    assert other_checkout(inner / "src") is None
    assert other_checkout(outer / "src") == outer
    monkeypatch.setattr(places, "PROJECT", outer)
    assert other_checkout(inner / "src") == inner


def test_a_link_to_this_checkout_is_this_checkout(tmp_path):
    (tmp_path / "link").symlink_to(PROJECT)
    assert other_checkout(tmp_path / "link" / "docs") is None


@pytest.mark.parametrize("command", [["list"], ["networks", "pull", "--help"], ["where"]])
def test_every_command_warns_once_on_stderr(tmp_path, command):
    other = checkout(tmp_path)
    lines = assay(*command, cwd=other).stderr.splitlines()
    assert [line for line in lines if line.startswith("warning:")] == [warning_of_other_checkout(other)]


def test_where_prints_the_snakefile_alone():
    done = assay("where", cwd=PROJECT / "docs")
    assert (done.stdout, done.stderr) == (f"{PROJECT}/Snakefile\n", "")


def assay(*arguments: str, cwd: Path) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
    command = [sys.executable, "-m", "assay.cli", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=True)


def test_a_persons_path_is_what_it_is_in_a_shell(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("SCRATCH", "/scratch")
    for written in ("~/data", "$SCRATCH/data", "${SCRATCH}/x", "/data/a~b", "~root/x"):
        said = subprocess.run(["sh", "-c", f"echo {written}"], capture_output=True, text=True, check=True).stdout
        assert place(written) == Path(said.strip()), written
    assert place("data/a") == WORK / "data/a"


@pytest.mark.parametrize(
    ("path", "unknown"), [("~nobodyhere/data", "~nobodyhere"), ("$NOPE/x", "$NOPE"), ("x/${NOPE}", "${NOPE}")]
)
def test_a_home_or_a_variable_that_is_not_there_is_named(path, unknown, monkeypatch):
    monkeypatch.delenv("NOPE", raising=False)
    with pytest.raises(StudyError) as caught:
        place(path)
    assert str(caught.value) == f"'{path}': '{unknown}' is not known here; write the path in full"
