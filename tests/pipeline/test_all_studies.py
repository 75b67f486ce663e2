"""End to end: every committed study from YAML to its page, at ci scale."""

import json
import re
import shutil
import subprocess
from dataclasses import replace

import pytest
import torch
from cluster_fixtures import SITE, cluster, on_cluster  # noqa: F401
from pipeline_project import ROOT, SNAKEMAKE, Project

from assay.evidence.tables import TRAINING_LOSS, as_csv, pack_arrays, read_evidence
from assay.language.scales import load_scale
from assay.language.studies import load_studies, study_paths
from assay.measuring.observing import observe
from assay.networks.jobs import pin_threads
from assay.networks.store import NetworkStore
from assay.pipeline.cells import arrays_of, rows_of


def with_all_studies(folder):
    project = Project(folder)
    shutil.rmtree(project.root / "config")
    shutil.copytree(ROOT / "config", project.root / "config")
    return project


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    project = with_all_studies(tmp_path_factory.mktemp("everything"))
    project.run(timeout=3600)
    return project


def test_every_study_is_measured_judged_and_drawn(everything):
    results = everything.root / "results/ci"
    verdicts = json.loads((results / "verdicts.json").read_text())
    assert verdicts["failed"] == {}
    assert set(verdicts["studies"]) == set(study_paths())
    for name in study_paths():
        assert (results / f"figures/{name}.svg").stat().st_size > 1000
        assert f"figures/{name}.svg" in (results / f"report/studies/{name}.html").read_text()


@pytest.mark.parametrize("name", sorted(study_paths()))
def test_no_cell_depends_on_which_were_measured_before_it(everything, name):
    """Cells that were measured before are taken over, so what a protocol leaves behind must change no other cell's numbers."""
    results = everything.root / "results/ci"
    study, scale = load_studies("ci", only=[name])[name], load_scale("ci")
    pin_threads(scale.job.threads)
    store = NetworkStore(results / "networks", torch.device("cpu"), scale.precision)
    together = read_evidence(results / "observations" / name / study.blocks[0].name)
    for part in (study.cells[::-1], study.cells[1::2]):
        rows, session = observe(replace(study, cells=part), study.blocks[0], store, lambda line: None)
        for cell in part:
            assert as_csv(rows_of(cell, rows)) == as_csv(rows_of(cell, together.observations))
            kept = {key: a for key, a in arrays_of(cell, together.arrays).items() if not key.endswith(f"/{TRAINING_LOSS}")}
            assert pack_arrays(arrays_of(cell, session.arrays)) == pack_arrays(kept)


def test_one_seed_concludes_nothing(everything):
    verdicts = json.loads((everything.root / "results/ci/verdicts.json").read_text())
    assert {study["verdict"] for study in verdicts["studies"].values()} <= {"inconclusive", "invalid"}


def test_every_job_has_a_log_and_a_benchmark(everything):
    results = everything.root / "results/ci"
    logs = {path.relative_to(results / "logs").with_suffix("") for path in (results / "logs").rglob("*.log")}
    benchmarks = {path.relative_to(results / "benchmarks").with_suffix("") for path in (results / "benchmarks").rglob("*.tsv")}
    assert logs == benchmarks
    assert len(logs) > 3 * len(study_paths())


def test_output_names_can_be_read(everything):
    names = [path.name for path in (everything.root / "results/ci/networks").iterdir() if path.is_dir()]
    assert all(re.fullmatch(r"[a-z0-9-]+-[0-9a-f]{8}", name) for name in names)


def test_results_hold_no_path_of_this_machine(everything):
    for path in (everything.root / "results/ci").rglob("provenance.json"):
        assert str(everything.root) not in path.read_text()


def one_of_each_family() -> list[str]:
    by_family = {path.parent.name: name for name, path in sorted(study_paths().items(), reverse=True)}
    return sorted(by_family.values())


def test_a_cluster_gives_the_same_bytes(everything, on_cluster, tmp_path):  # noqa: F811
    project = with_all_studies(tmp_path)
    project.write("slurm/site.yaml", SITE)
    studies = one_of_each_family()
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
