"""Files that are cut, emptied, replaced, lost or misdated: the next run sets them aside, makes them again, and ends with the
same bytes as an undisturbed one."""

import os
import re
import time
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest
from damages import DAMAGES, MINE
from pipeline_project import Project

from assay.pipeline.preflight import JobFiles, Preflight

OUTPUTS = (
    "networks/linear-shapes-noisy-*.json",
    "networks/linear-shapes-[0-9a-f]*/seed-0.safetensors",
    "networks/linear-shapes-noisy-*/seed-0.json",
    "observations/plain/0-0/observations.csv",
    "observations/plain/0-0/arrays.npz",
    "observations/tuned/0-0/provenance.json",
    "figures/plain.svg",
    "figures/tuned.svg",
    "verdicts.json",
    "worlds/*/card.json",
    "worlds/*/samples.npz",
    "report/index.html",
    "report/studies/plain.html",
    "report/figures/plain.svg",
    "report/manifest.json",
)


def everything(project: Project) -> dict[str, bytes]:
    """All results but times and costs: what holds those is only named."""
    folder = project.root / "results/ci"
    kept = [path for name in ("figures", "worlds", "report", "networks") for path in (folder / name).rglob("*") if path.is_file()]
    timed = {path: path.suffix in (".json", ".html", ".lock") for path in kept}
    files = {str(path.relative_to(folder)): b"" if timed[path] else path.read_bytes() for path in kept}
    return project.results() | files


def damaged(project: Project, first: int) -> list[Path]:
    """Harm one file or more of every kind, each kind in another way; the harmed files."""
    elsewhere = project.root / "elsewhere"
    elsewhere.write_bytes(MINE)
    found = []
    for number, pattern in enumerate(OUTPUTS, first):
        paths = sorted((project.root / "results/ci").glob(pattern))
        assert paths, pattern
        for path in paths:
            DAMAGES[number % len(DAMAGES)](path, elsewhere)
        found += paths
    return found


@pytest.mark.parametrize("first", [0, 3])
def test_damaged_outputs_of_every_kind_are_made_again_in_one_run(tmp_path, finished, first):
    project = finished.copy(tmp_path)
    paths = damaged(project, first)
    output = project.run()
    assert everything(project) == everything(finished)
    assert (tmp_path / "elsewhere").read_bytes() == MINE
    assert f"results/ci/{paths[0].relative_to(tmp_path / 'results/ci')} is" in output
    aside = next((tmp_path / "results/ci/set-aside").iterdir())
    assert f"moved to {aside.relative_to(tmp_path)}" in output
    kept = [path for path in aside.rglob("*") if path.is_file() and path.read_bytes() == MINE]
    assert len(kept) >= 4
    assert "jobs to run" not in project.run()


def test_a_dry_run_says_what_is_damaged_and_changes_nothing(tmp_path, finished):
    project = finished.copy(tmp_path)
    figure = tmp_path / "results/ci/figures/plain.svg"
    figure.write_bytes(MINE)
    output = project.run("-n")
    assert "results/ci/figures/plain.svg is not as its job left it" in output
    assert "a run will set this and what goes with it aside" in output
    assert figure.read_bytes() == MINE


def test_files_that_were_there_before_the_first_run_are_moved_not_lost(tmp_path, finished):
    project = finished.copy(tmp_path)
    (tmp_path / "results").rename(tmp_path / "before")
    (tmp_path / ".snakemake").rename(tmp_path / "before" / ".snakemake")
    for pattern in (*OUTPUTS[:11], "report/manifest.json"):
        for path in (tmp_path / "before/ci").glob(pattern):
            target = tmp_path / "results/ci" / path.relative_to(tmp_path / "before/ci")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(MINE) if path.suffix == ".json" else target.mkdir()
    project.run()
    assert everything(project) == everything(finished)
    aside = next((tmp_path / "results/ci/set-aside").iterdir())
    assert (aside / "verdicts.json").read_bytes() == MINE
    assert (aside / "figures/plain.svg").is_dir()


@pytest.mark.parametrize("contents", [(b"", b"\x80\xff", b"{}"), None])
def test_damaged_records_of_snakemake_are_replaced_and_later_changes_still_noticed(tmp_path, finished, contents):
    project = finished.copy(tmp_path)
    records = [path for path in (tmp_path / ".snakemake/metadata").rglob("*") if path.is_file()]
    for number, path in enumerate(records):
        path.write_bytes(contents[number % len(contents)]) if contents else path.unlink()
    (tmp_path / ".snakemake/incomplete").mkdir(exist_ok=True)
    (tmp_path / ".snakemake/incomplete" / records[0].name).write_bytes(b"\x80\xff")
    project.run()
    assert everything(project) == everything(finished)
    assert not project.planned("train")
    project.edit("src/assay/augment/_amount.py", "0.05", "0.06")
    project.run()
    changed, before = project.measured(), finished.measured()
    others = {path.split("/")[1] for path in before if changed[path] != before[path]}
    assert {name.partition("-tuned")[0] for name in others} == {"linear-shapes-noisy", "tuned"}


def test_files_dated_in_the_future_as_after_a_clock_set_back(tmp_path, finished):
    project = finished.copy(tmp_path)
    tomorrow = time.time() + 86_400
    for path in tmp_path.rglob("*"):
        if path.is_file():
            os.utime(path, (tomorrow, tomorrow))
    (tmp_path / "results/ci/figures/plain.svg").unlink()
    (tmp_path / "results/ci/observations/tuned/0-0/observations.csv").unlink()
    output = project.run()
    assert "dated in the future (was the clock set back?)" in output
    assert not re.findall(r"^.*\btrain .*$", output, re.M)
    assert everything(project) == everything(finished)
    assert "jobs to run" not in project.run()


def test_what_is_dated_now_is_younger_than_the_scripts_it_was_made_with(tmp_path):
    """Where one is not, Snakemake trains again what it was made with."""
    results, state, tomorrow = tmp_path / "ci", tmp_path / ".snakemake", time.time() + 86_400
    script, outputs = tmp_path / "train.py", (results / "networks/a.json", results / "networks/b.json")
    for path in (script, *outputs, *(state / "incomplete" / urlsafe_b64encode(str(path).encode()).decode() for path in outputs)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
        os.utime(path, (tomorrow, tomorrow))
    job = JobFiles(outputs, (), results / "logs/train/a.log", results / "benchmarks/train/a.tsv")
    Preflight(results, state).check([job], [script])
    assert script.stat().st_mtime < min(path.stat().st_mtime for path in outputs) <= time.time()
