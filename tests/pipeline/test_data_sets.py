"""Studies on real data sets: a run retrieves what it needs by itself, or says before its first job what a person has to do."""

import hashlib
import json
import shutil

import pytest
import tiny_datasets
import yaml
from file_server import Shelf, serving
from pipeline_project import Project

REAL = """
paper: P166
question: Does it run on {world}?
base: {{world: {world}, model: linear, budget: {{epochs: 1}}}}
arms:
  plain: {{}}
  smooth: {{objective: {{cross_entropy: {{label_smoothing: 0.1}}}}}}
protocol: probe
controls: [plain.accuracy > -1]
expect: [smooth.accuracy > plain.accuracy]
"""
GOAL = "results/ci/observations/{}/0-0/provenance.json"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with a study on CIFAR-10, which a local server has, and one on ImageNet, which nobody may download."""
    archive = tiny_datasets.tar(tiny_datasets.cifar10())
    with serving(Shelf(files={"/cifar.tar.gz": archive})) as shelf, pytest.MonkeyPatch.context() as patch:
        patch.delenv("ASSAY_DATASETS", raising=False)
        made = Project(tmp_path_factory.mktemp("project"))
        shutil.rmtree(made.root / "config/studies")
        for world in ("cifar10", "imagenet"):
            made.study(world, REAL.format(world=world))
        path = made.root / "config/datasets.yaml"
        table = yaml.safe_load(path.read_text())
        file = table["datasets"]["cifar10"]["files"][0]
        file |= {"addresses": [f"{shelf.address}/cifar.tar.gz"], "bytes": len(archive)}
        file |= {kind: hashlib.new(kind, archive).hexdigest() for kind in ("md5", "sha256")}
        path.write_text(yaml.safe_dump(table, sort_keys=False))
        made.shelf = shelf
        yield made


def test_a_data_set_that_nobody_may_download_is_asked_for_before_the_first_job(project):
    done = project.snakemake()
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "data set imagenet is not in" in said
    assert "place ILSVRC2012_devkit_t12.tar.gz" in said
    assert "then: assay retrieve imagenet" in said
    assert "Traceback" not in said
    assert not list(project.root.glob("results/ci/logs/*"))
    assert "retrieve cifar10" in project.run("-n")  # a plan can still be made


def test_a_public_one_is_retrieved_once_and_the_study_runs(project):
    said = project.run(GOAL.format("cifar10"))
    assert "retrieve cifar10" in said
    marker = json.loads((project.root / "datasets/cifar10.json").read_text())
    assert marker["files"] == 7
    evidence = json.loads((project.root / GOAL.format("cifar10")).read_text())
    assert "cifar10" in evidence["tested"]
    assert project.computed("--config", "scale=ci", "studies=[cifar10]") == set()
    assert [status for _, _, status in project.shelf.requests] == [200]


def test_a_copy_placed_by_hand_is_taken_and_streamed(project):
    for path, content in tiny_datasets.imagenet().items():
        project.write(f"datasets/imagenet/{path}", "").write_bytes(content)
    project.run(GOAL.format("imagenet"), "results/ci/worlds/" + card(project) + "/card.json")
    evidence = json.loads((project.root / GOAL.format("imagenet")).read_text())
    assert "imagenet" in evidence["tested"]
    assert len(next(iter(evidence["data"].values()))) == 16


def card(project: Project) -> str:
    """The card of the streamed world, by its name in the plan."""
    code = "from assay.evidence.cards import card_name; from assay.language.studies import load_studies\n"
    code += "print(card_name(load_studies('ci')['imagenet'].cells[0].recipe.data['world']))"
    return project.python(code).stdout.strip()
