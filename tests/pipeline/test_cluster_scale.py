"""A scale like the cluster's in miniature: stand-ins on real files, one network and seed a job, the numbers of one job."""

import hashlib
import json

import pytest
import tiny_datasets
import yaml
from pipeline_project import Project

from assay.evidence.tables import read_blocks

SETTING = {
    "worlds": {"digits": {"idx": {"name": "mnist", "train": 100, "test": 50}}},
    "models": {"resnet": {"timm": {"name": "test_resnet"}}},
    "world": {"size": 28, "train": 100, "test": 50},
    "budget": {"epochs": 1, "batch": 20},
    "optimizers": {"sgd": {"lr": 0.05}},
}
SCALE = {
    "description": "for tests",
    "first_look": 2,
    "block": 1,
    "conclusive": False,
    "world": {"size": 16, "train": 60, "test": 20},
    "budget": {"epochs": 1, "batch": 20},
    "job": {"gpus": 1, "train_mb": 900, "measure_mb": 800, "minutes": 7},
    "gpus": {"test_resnet": 2},
    "settings": {"mnist": SETTING},
}
STUDY = """
paper: P166
question: Does it run on what stands in?
base: {{world: {{{world}: {parameters}}}, model: resnet}}
networks:
  first: {{}}
arms:
  plain: {{}}
  tuned: {{start: first, optimizer: adam}}
protocol: probe
controls: [plain.accuracy > -1]
expect: [tuned.accuracy > plain.accuracy]
"""
EVIDENCE = "results/{}/observations/real/{}/provenance.json"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    made = Project(tmp_path_factory.mktemp("project"))
    for path in ("plain", "tuned"):
        (made.root / f"config/studies/tests/{path}.yaml").unlink()
    made.study("real", STUDY.format(world="digits", parameters="{train: 500, test: 100}"))
    made.study("kept", STUDY.format(world="shapes", parameters="{classes: 5}"))
    table = yaml.safe_load((made.root / "config/datasets.yaml").read_text())
    for file in table["datasets"]["mnist"]["files"]:
        content = tiny_datasets.mnist()[file["name"]]
        made.write(f"datasets/mnist/{file['name']}", "").write_bytes(content)
        file |= {"bytes": len(content)} | {kind: hashlib.new(kind, content).hexdigest() for kind in ("md5", "sha256")}
    made.write("config/datasets.yaml", yaml.safe_dump(table))
    made.write("config/scales/small_cluster.yaml", yaml.safe_dump(SCALE))
    made.write("config/scales/one_job.yaml", yaml.safe_dump(SCALE | {"block": 2}))
    return made


def goals(scale: str, *blocks: str) -> list[str]:
    return [EVIDENCE.format(scale, block) for block in blocks]


def at(scale: str) -> tuple[str, ...]:
    return ("--config", f"scale={scale}", "device=cpu")


def test_a_dry_run_ends_with_the_plan(project):
    said = project.run("-n", *at("small_cluster"))
    lines = said[said.index("scale small_cluster") :].splitlines()
    assert [line.split()[:2] for line in lines[1:4]] == [["kept", "4"], ["real", "4"], ["all,", "each"]]
    assert "keeps shapes: no data set stands in for it" in lines[1]
    assert "unknown  mnist: digits -> mnist (test 50, train 100), resnet -> test_resnet" in lines[2]
    assert lines[4].startswith("Estimates, from ")
    assert "scale" not in project.run("-n", *at("ci")).split("This was a dry-run")[1]


def test_one_job_a_network_and_seed(project):
    both = goals("small_cluster", "0-0", "1-1")
    project.run(*both, *at("small_cluster"))
    results = project.root / "results/small_cluster"
    manifests = [json.loads(path.read_text())["networks"] for path in (results / "networks").glob("*.json")]
    assert len(manifests) == 4  # two networks at two seeds
    assert all(len(networks) == 1 and len(next(iter(networks.values()))) == 1 for networks in manifests)
    provenance = read_blocks([(project.root / path).parent for path in both]).provenance
    assert provenance["tested"].startswith("28 px mnist (100 training images), ")
    assert provenance["tested"].endswith("-parameter test_resnet, 2 seeds")
    assert provenance["seeds"] == [0, 1]
    assert not [job for job in project.computed(*at("small_cluster")) if "real" in job or "mnist" in job]


def test_networks_are_those_of_a_job_that_trains_all_seeds(project):
    project.run(*goals("one_job", "0-1"), *at("one_job"))
    folders = [project.root / "results" / scale for scale in ("small_cluster", "one_job")]
    found = [{p.relative_to(f).as_posix(): p.read_bytes() for p in f.glob("networks/*/*.safetensors")} for f in folders]
    assert len(found[0]) == 4
    assert found[0] == found[1]
    observed = [read_blocks(sorted(folder.glob("observations/real/*-*"))).observations for folder in folders]
    assert set(observed[0]) == set(observed[1])
    assert len(observed[0]) == len(observed[1]) == 4
