"""What a run computes is one thing, what it judges and shows another: runs of some studies, edits meanwhile, jobs that read the
Snakefile again, dry runs, and results of an earlier layout."""

import json
import re
import shutil
from pathlib import Path

import pytest
from pipeline_project import SNAKEMAKE, Project

from assay.pipeline.preflight import Preflight

PLAIN = ("--config", "scale=ci", "studies=[plain]")
SHIFTED = ("protocol: probe", "protocol: {probe: {shift: 0.5}}")


def everything(root: Path) -> dict[str, tuple[int, bytes]]:
    """All files with their times, but for what Snakemake itself notes of each start, and what is kept of compiled studies."""
    own = {root / ".snakemake/log", root / ".snakemake/iocache", root / ".snakemake/compiled"}
    files = [path for path in root.rglob("*") if path.is_file() and own.isdisjoint(path.parents)]
    return {str(path.relative_to(root)): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def verdicts(project: Project) -> dict:
    return json.loads((project.root / "results/ci/verdicts.json").read_text())["studies"]


def page(project: Project, study: str) -> str:
    return (project.root / f"results/ci/report/studies/{study}.html").read_text()


def jobs(said: str) -> set[str]:
    """The jobs that a dry run announces, each by the first words of its message."""
    return set(re.findall(r"^Job \d+: (\S+ \S+)", said, re.MULTILINE))


def test_after_a_whole_run_a_run_of_one_study_has_nothing_to_do(finished):
    assert "Nothing to be done" in finished.run("-n", *PLAIN)


def test_a_run_of_one_study_computes_it_alone_and_judges_and_shows_all(finished, tmp_path):
    project = finished.copy(tmp_path)
    before = verdicts(project)
    project.edit("config/studies/tests/plain.yaml", *SHIFTED)
    project.edit("src/assay/augment/noisy.py", "batch.images + scale", "batch.images - scale")  # which tuned is trained with
    said = project.run("-n", *PLAIN)
    assert {job for job in jobs(said) if job.split()[0] in ("train", "measure")} == {"measure plain/0-0"}
    project.run(*PLAIN)
    after = verdicts(project)
    assert after.keys() == before.keys() == {"plain", "tuned"}
    assert after["tuned"] == before["tuned"]
    assert after["plain"]["rests_on"] != before["plain"]["rests_on"]
    assert (project.root / "results/ci/report/manifest.json").exists()
    assert "<b>Unproven:</b> the code changed since (augment/noisy.py changed)" in page(project, "tuned")
    assert "Unproven" not in page(project, "plain")
    # The whole run computes what the selection left as it was.
    assert {"train linear", "measure tuned/0-0"} <= {job.partition("-shapes")[0] for job in jobs(project.run("-n"))}


def test_one_study_is_judged_with_the_others_whatever_is_computed(finished, tmp_path):
    project = finished.copy(tmp_path)
    whole = (tmp_path / "results/ci/verdicts.json").read_bytes()
    project.run("-R", "judge", *PLAIN)
    assert (tmp_path / "results/ci/verdicts.json").read_bytes() == whole


def test_a_page_stays_when_its_study_changed_and_another_is_run(finished, tmp_path):
    project = finished.copy(tmp_path)
    project.edit("config/studies/tests/tuned.yaml", "augment: noisy", "augment: {noisy: {scale: 0.5}}")
    project.run(*PLAIN)
    assert verdicts(project).keys() == {"plain"}
    assert "what the study measures changed" in page(project, "tuned").lower()


def test_studies_run_one_after_the_other_give_the_report_of_a_run_of_both(finished, project):
    project.run("--config", "scale=ci", "studies=[tuned]")
    assert verdicts(project).keys() == {"tuned"}
    assert "has not run at this scale yet" in page(project, "plain")
    project.run(*PLAIN)
    assert project.results() == finished.results()
    assert "Nothing to be done" in project.run("-n")


def test_a_dry_run_changes_nothing(finished, tmp_path):
    project = finished.copy(tmp_path)
    project.edit("config/studies/tests/plain.yaml", *SHIFTED)
    before = everything(tmp_path)
    assert "measure plain/0-0" in jobs(project.run("-n"))
    assert everything(tmp_path) == before


def job(part: str) -> list[str]:
    """A job's own process, which reads the Snakefile again, as executors of clusters start it."""
    words = f"--target-jobs measure:part={part} --allowed-rules measure --cores 1 --attempt 1 --force --no-hooks --nolock"
    return [str(SNAKEMAKE), *words.split(), "--ignore-incomplete", "--mode", "remote", "--config", "scale=ci"]


def test_a_job_that_reads_the_snakefile_again_goes_by_what_the_run_decided(finished, tmp_path):
    project = finished.copy(tmp_path)
    observed = tmp_path / "results/ci/observations/plain/0-0/observations.csv"
    before, first = observed.read_bytes(), observed.stat().st_mtime_ns
    # All evidence lies there by now; the run that is under way decided to measure it.
    done = project.command_in_full(job("plain/0-0"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert observed.stat().st_mtime_ns > first
    assert observed.read_bytes() == before
    plan = json.loads((tmp_path / "results/ci/plan.json").read_text())
    plan["places"]["plain"][0]["where"] = "here"
    (tmp_path / "results/ci/plan.json").write_text(json.dumps(plan))
    assert project.command_in_full(job("plain/0-0")).returncode != 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "plan.json: truncated or not JSON"),
        ('{"format": 1}', "plan.json: key 'format': 1 (allowed: 2); run snakemake again"),
    ],
)
def test_a_decision_that_cannot_be_read_is_named_by_the_job_and_made_anew_by_the_next_run(finished, tmp_path, content, said):
    project = finished.copy(tmp_path)
    (tmp_path / "results/ci/plan.json").write_text(content)
    done = project.command_in_full(job("plain/0-0"))
    assert done.returncode != 0
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    project.run()
    assert json.loads((tmp_path / "results/ci/plan.json").read_text())["format"] == 2


def laid_out_as_before(results: Path) -> None:
    """Results as they lay before there were blocks: one table a study."""
    for folder in (results / "observations").iterdir():
        for path in (folder / "0-0").iterdir():
            path.rename(folder / path.name)
        (folder / "0-0").rmdir()
    (results / "plan.json").unlink()


def test_results_of_an_earlier_layout_are_set_aside_with_one_line(finished, tmp_path):
    project = finished.copy(tmp_path)
    results = tmp_path / "results/ci"
    laid_out_as_before(results)
    (results / "set-aside/earlier").mkdir(parents=True)
    (results / "notes.txt").write_text("mine")
    before = everything(results)
    dry = project.run("-n")
    assert dry.count("results of an earlier layout") == 1
    assert "would be set aside by a run in results/ci/set-aside/" in dry
    assert everything(results) == before
    said = project.run()
    assert said.count("results of an earlier layout") == said.count("set-aside") == 1
    assert project.results() == finished.results()
    (aside,) = [path for path in (results / "set-aside").iterdir() if path.name != "earlier"]
    moved = everything(aside)
    assert moved == {name: content for name, content in before.items() if not name.startswith(".")}
    assert not (results / "notes.txt").exists()
    assert "Nothing to be done" in project.run("-n")


def test_only_a_folder_without_blocks_is_of_an_earlier_layout(tmp_path):
    results = tmp_path / "ci"

    def found() -> list[str]:
        preflight = Preflight(results, tmp_path / ".snakemake", act=False)
        preflight.check([], [])
        return preflight.lines

    (results / "observations/plain/0-0").mkdir(parents=True)
    (results / "observations/plain/observations.csv").write_text("old")
    assert found() == []
    shutil.rmtree(results / "observations/plain/0-0")
    assert len(found()) == 1
    (results / "observations/plain/observations.csv").unlink()
    assert found() == []


def test_a_file_of_a_block_that_is_there_is_nothing_to_be_done(tmp_path, finished):
    project = finished.copy(tmp_path)
    there = "results/ci/observations/plain/0-0/observations.csv"
    before = (tmp_path / there).stat().st_mtime_ns
    for arguments in ((there,), ("-n", f"./{there}")):
        said = project.run(*arguments)
        assert f"{there}: is there and fresh; nothing to be done" in said
        assert "jobs to run" not in said
    said = project.run("-n", there, "results/ci/figures/plain.svg", "results/ci/verdicts.json")
    assert "is there and fresh" in said
    assert (tmp_path / there).stat().st_mtime_ns == before
    (tmp_path / there).unlink()
    assert "measure plain/0-0" in project.run("-n", there)
