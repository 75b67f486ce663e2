"""`assay plan`: the run that it asks Snakemake about, what it prints, and errors in one line."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from assay.cli import app, planning
from assay.pipeline.prediction import PLAN_FILE, RunForecast
from assay.pipeline.progress import Job

JOBS = {1: Job("train", 600.0), 2: Job("measure", 90.0, after=frozenset({1})), 0: Job("all", 0.0, after=frozenset({2}))}


@pytest.fixture
def asked(monkeypatch):
    """The commands that would have been run; each leaves a forecast."""
    commands = []

    def run(command, env, **_):
        commands.append(command)
        names = {1: "resnet", 2: "mixup/0-4", 0: "all"}
        cores = int(command[command.index("--cores") + 1])
        Path(env[PLAN_FILE]).write_text(json.dumps(RunForecast(JOBS, names, cores, "from records here").as_json()))
        return SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(planning.subprocess, "run", run)
    return commands


def test_a_plan_is_that_of_a_dry_run_with_the_same_words(asked):
    result = CliRunner().invoke(app, ["plan", "mixup", "zoom", "--scale", "ci", "--cores", "3"])
    assert result.exit_code == 0, result.output
    (command,) = asked
    assert "--dry-run" in command
    assert command[command.index("--config") + 1 :] == ["scale=ci", "evidence=auto", "studies=[mixup,zoom]"]
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split() for line in lines[1:3]] == [["train", "1", "10.0"], ["measure", "1", "1.5"]]
    assert lines[-1] == "plan: 2 jobs, about 12 core-minutes, 12 minutes on 3 cores (from records here)"


def test_without_names_all_studies_are_asked_about_on_all_cores(asked):
    assert CliRunner().invoke(app, ["plan", "--evidence", "recomputed", "--json"]).exit_code == 0
    (command,) = asked
    assert command[command.index("--cores") + 1] == str(os.cpu_count())
    assert command[command.index("--config") + 1 :] == ["scale=laptop", "evidence=recomputed"]


def test_an_unknown_study_is_a_line_and_nothing_is_run(asked):
    result = CliRunner().invoke(app, ["plan", "mixpu"])
    assert (result.exit_code, asked) == (1, [])
    assert "did you mean 'mixup'" in result.stderr


def test_what_snakemake_refuses_is_said_in_a_line(monkeypatch):
    said = 'WorkflowError in file "rules/a.smk":\nit cannot be\n  File "rules/a.smk", line 1\n'
    monkeypatch.setattr(planning.subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=1, stderr=said))
    result = CliRunner().invoke(app, ["plan", "mixup"])
    assert (result.exit_code, result.stderr) == (1, "error: it cannot be\n")
