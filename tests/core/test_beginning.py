"""`assay init`: the folder it makes, its example at every scale, and where it refuses."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from assay import cli
from assay.cli import beginning
from assay.language.scales import scales
from assay.language.studies import load_studies
from assay.storage.places import PROJECT, project_folder


@pytest.fixture
def init(monkeypatch, tmp_path):
    monkeypatch.setattr(beginning, "CHECKOUT", None)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, code: int = 0):
        result = CliRunner().invoke(cli.app, ["init", *arguments])
        assert result.exit_code == code, result.output
        return result

    return run


def test_a_folder_is_made_that_is_found_and_whose_example_compiles_at_every_scale(init, tmp_path):
    text = init("mine").stdout
    assert f"made {tmp_path}/mine with the example {beginning.STUDY}" in text
    assert 'next: cd mine && assay check, then: snakemake -s "$(assay where)" --config scale=ci' in text
    assert project_folder(tmp_path / "mine") == tmp_path / "mine"
    config = tmp_path / "mine/config"
    assert scales(config) == scales()
    for scale in scales(config):
        (study,) = load_studies(scale, config).values()
        assert (study.name, study.family, study.file.paper) == ("example", "own", "none")
    assert (config / "config.yaml").read_bytes() == (PROJECT / "config/config.yaml").read_bytes()


def test_the_current_folder_will_do_and_what_is_there_stays(init, tmp_path):
    (tmp_path / ".gitignore").write_text("mine\n")
    found = json.loads(init("--json").stdout)
    assert found["folder"] == str(tmp_path)
    assert (tmp_path / ".gitignore").read_text() == "mine\n"
    assert all((tmp_path / name).is_file() for name in found["files"])


@pytest.mark.parametrize("inside", [".", "deep"])
def test_a_project_folder_is_not_made_twice(init, tmp_path, inside):
    init()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    result = init(inside, code=1)
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_checkout_needs_none():
    result = CliRunner().invoke(cli.app, ["init", str(Path("anywhere"))])
    assert result.exit_code == 1
    assert "is a checkout, which is a project already" in result.stderr
