"""End to end: studies from YAML to their pages at ci scale, every step a job, here and on a cluster. Which studies it is rotates
with the commit (choosing.py); what all others compute is asked in test_studies_compute.py."""

import json
import re
import shutil
import subprocess

import pytest
from choosing import asked_for_all, choice
from cluster_fixtures import SITE, cluster, on_cluster  # noqa: F401
from computing import Computed
from pipeline_project import ROOT, SNAKEMAKE, Project

from assay.language.studies import load_studies, study_paths


def with_studies(folder, names):
    """The project as it is, with these of its studies: each process that reads the Snakefile compiles all there are."""
    project = Project(folder)
    shutil.rmtree(project.root / "config")
    shutil.copytree(ROOT / "config", project.root / "config")
    for name, path in study_paths().items():
        if name not in names:
            (project.root / path.relative_to(ROOT)).unlink()
    return project


@pytest.fixture(scope="module")
def chosen(request) -> tuple[str, ...]:
    return choice(asked_for_all(request.config)).run


@pytest.fixture(scope="module")
def everything(chosen, tmp_path_factory):
    project = with_studies(tmp_path_factory.mktemp("everything"), chosen)
    project.run(timeout=3600)
    return project


def test_every_study_is_measured_judged_and_drawn(everything, chosen):
    results = everything.root / "results/ci"
    verdicts = json.loads((results / "verdicts.json").read_text())
    assert verdicts["failed"] == {}
    assert set(verdicts["studies"]) == set(chosen)
    for name in chosen:
        assert (results / f"figures/{name}.svg").stat().st_size > 1000
        assert f"figures/{name}.svg" in (results / f"report/studies/{name}.html").read_text()


def test_every_job_has_a_log_and_a_benchmark(everything, chosen):
    results = everything.root / "results/ci"
    logs = {path.relative_to(results / "logs").with_suffix("") for path in (results / "logs").rglob("*.log")}
    benchmarks = {path.relative_to(results / "benchmarks").with_suffix("") for path in (results / "benchmarks").rglob("*.tsv")}
    assert logs == benchmarks
    assert len(logs) > 3 * len(chosen)


def test_output_names_can_be_read(everything):
    names = [path.name for path in (everything.root / "results/ci/networks").iterdir() if path.is_dir()]
    assert all(re.fullmatch(r"[a-z0-9-]+-[0-9a-f]{8}", name) for name in names)


def test_results_hold_no_path_of_this_machine(everything):
    for path in (everything.root / "results/ci").rglob("provenance.json"):
        assert str(everything.root) not in path.read_text()


def test_jobs_compute_the_bytes_that_one_process_computes(everything, chosen, tmp_path):
    """So what is computed in one process, in test_studies_compute.py, stands for what jobs compute."""
    here = Computed(load_studies("ci", only=chosen), tmp_path / "results/ci")
    assert here.failed == {}
    measured = everything.measured()
    assert {path: (here.results / path).read_bytes() for path in measured} == measured
    assert here.verdicts["studies"].keys() == set(chosen)


def one_of_each_family(names) -> list[str]:
    by_family = {path.parent.name: name for name, path in sorted(study_paths().items(), reverse=True) if name in names}
    return sorted(by_family.values())


def test_a_cluster_gives_the_same_bytes(everything, chosen, on_cluster, tmp_path):  # noqa: F811
    studies = one_of_each_family(chosen)
    project = with_studies(tmp_path, chosen)
    project.write("slurm/site.yaml", SITE)
    # The profile as it is, but for the pause before Slurm is first asked how jobs are.
    command = [SNAKEMAKE, "--profile", "slurm", "--slurm-init-seconds-before-status-checks", "2"]
    command += ["--config", "scale=ci", f"studies=[{','.join(studies)}]"]
    done = subprocess.run(command, cwd=project.root, env=project.environment, capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = len(list((project.root / "results/ci/networks").glob("*.json"))) + len(studies)
    states = on_cluster.run("sacct", "-a", "-X", "-n", "-P", "--format", "State").split()
    assert states.count("COMPLETED") >= jobs
    measured, local = project.measured(), everything.measured()
    assert {f"observations/{name}/0-0/observations.csv" for name in studies} <= set(measured)
    assert measured == {path: local[path] for path in measured}
