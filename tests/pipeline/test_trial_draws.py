"""A study's life in a run: refused, tried, frozen, judged; and what a shell has set changes nothing."""

import json
import subprocess
import sys
from pathlib import Path

from pipeline_project import Project

SCALE = """
description: for tests
first_look: 2
block: 2
world: {size: 16, train: 96, test: 48}
budget: {epochs: 1, batch: 32}
"""
SMALL = ("--config", "scale=small", "studies=[plain]")


def test_a_study_is_refused_tried_frozen_and_judged(tmp_path, monkeypatch):
    project = Project(tmp_path)
    project.write("config/scales/small.yaml", SCALE)
    monkeypatch.setenv("ASSAY_DRAWS", "stray")

    for dry in ((), ("-n",)):
        done = project.snakemake(*dry, *SMALL)
        assert done.returncode != 0
        assert "plain: was not tried on other draws first, so its judged draws are not made at scale small" in done.stderr
    assert not (tmp_path / "results/small").exists()

    project.run(*SMALL, "draws=trial")
    assert "to run" not in project.run(*SMALL, "draws=trial")
    command = [str(Path(sys.executable).with_name("assay")), "freeze", "plain", "--scale", "small"]
    frozen = subprocess.run(command, cwd=tmp_path, env=project.environment, capture_output=True, text=True)
    assert frozen.returncode == 0, frozen.stderr
    project.run(*SMALL)

    judged, trial = tmp_path / "results/small", tmp_path / "results/small-trial"
    for folder, name in ((judged, "judged"), (trial, "trial")):
        made = [*folder.glob("observations/plain/**/provenance.json"), *folder.glob("networks/*/seed-*.json")]
        assert {json.loads(path.read_text())["draws"] for path in made} == {name}
    weights = {path.relative_to(judged): path.read_bytes() for path in judged.rglob("*.safetensors")}
    assert len(weights) == 4
    for path, content in weights.items():
        assert (trial / path).read_bytes() != content
    for name in ("samples.npz", "card.json"):
        (one,), (other,) = (list(folder.glob(f"worlds/*/{name}")) for folder in (judged, trial))
        assert one.read_bytes() != other.read_bytes()

    project.edit("config/studies/tests/plain.yaml", "label_smoothing: 0.1", "label_smoothing: 0.2")
    assert "plain: what it measures or claims changed since it was frozen" in project.snakemake("-n", *SMALL).stderr
