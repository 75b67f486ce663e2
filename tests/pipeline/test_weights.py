"""Weights that a study names are inputs of it: other bytes in the file train and measure it again, a missing file stops all."""

import shutil
import sys

import pytest
from pipeline_project import Project
from safetensors.torch import save_file

STUDY = """
paper: P166
question: Does it start from the file?
base: {world: shapes, model: {timm: {name: test_resnet, weights: weights/start.safetensors}}, budget: {epochs: 1}}
arms:
  plain: {}
protocol: probe
controls: [plain.accuracy > -1]
expect: [plain.accuracy > 0.5]
"""
EVIDENCE = "results/ci/observations/started/0-0/provenance.json"


def write_weights(project: Project, seed: int) -> None:
    """The weights of a fresh network."""
    import torch

    import assay.models.timm  # noqa: F401  (before timm)
    from timm import create_model  # isort: skip

    torch.manual_seed(seed)
    (project.root / "weights").mkdir(exist_ok=True)
    save_file(create_model("test_resnet", num_classes=1000).state_dict(), project.root / "weights/start.safetensors")


@pytest.fixture(scope="module")
def started(tmp_path_factory) -> Project:
    project = Project(tmp_path_factory.mktemp("started"))
    shutil.rmtree(project.root / "config/studies")
    project.study("started", STUDY)
    write_weights(project, 0)
    project.run(EVIDENCE)
    return project


def test_a_file_that_is_the_same_is_nothing_new(started):
    write_weights(started, 0)
    assert started.computed() == set()


def test_a_file_with_other_weights_trains_and_measures_again(started):
    write_weights(started, 1)
    trained, measured = started.planned("train"), started.planned("measure")
    write_weights(started, 0)
    assert len(trained) == 1
    assert measured == {"started"}


def test_a_file_that_is_gone_stops_check_and_run_in_a_line(started):
    path = started.root / "weights/start.safetensors"
    away = path.rename(path.with_name("away"))
    checked = started.command_in_full([sys.executable, "-m", "assay.cli", "check"])
    run = started.snakemake("-n")
    away.rename(path)
    for done in (checked, run):
        assert done.returncode != 0
        assert "'weights/start.safetensors' is no file; bring the .safetensors file there" in done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
    assert started.command_in_full([sys.executable, "-m", "assay.cli", "check"]).returncode == 0
