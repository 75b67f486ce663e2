"""What a run is predicted to take: whose records count, in which order, scaled by what, and how that is said."""

import json

import pytest

from assay.artifacts.entries import MANIFEST, read_entries
from assay.language.blocks import Block
from assay.language.scales import load_scale
from assay.language.studies import load_studies
from assay.networks.plan import Plan
from assay.pipeline import prediction
from assay.pipeline.prediction import STARTS, Predictor, RunForecast, networks_there, probe
from assay.pipeline.progress import Job
from assay.pipeline.records import shape, worked_on
from assay.provenance.fingerprints import fingerprint_of_networks

OTHER = "another processor"


@pytest.fixture
def tree(tree):
    """Two archived studies of two networks, 2 core seconds each and 0.5 of measuring, without anything trained here."""
    tree.archive("mixup")
    return tree


def predictor(tree, processor=OTHER, scale="laptop") -> Predictor:
    return Predictor(scale, load_studies(scale, tree.root / "config"), processor, tree.root)


def bundles(tree):
    studies = load_studies("laptop", tree.root / "config")
    return Plan.at(load_scale("laptop", tree.root / "config"), [studies["mixup"]]).bundles.values()


def sidecar(tree, recipe, seed=0, scale="laptop", **about):
    path = recipe.weights(tree.root / "results" / scale / "networks", seed).with_suffix(".json")
    path.parent.mkdir(parents=True, exist_ok=True)
    code = fingerprint_of_networks([recipe], 5)
    path.write_text(json.dumps({"recipe": recipe.data, "core_seconds": 6.0, "device": "cpu", "code": code} | about))


def remove_evidence(tree):
    """As in a fresh clone: what was measured lies in the archive alone."""
    import shutil

    shutil.rmtree(tree.root / "results")


def archived_processor(tree) -> str:
    entries = map(json.loads, (tree.root / MANIFEST).read_text().splitlines())
    return next(entry["platform"]["cpu"] for entry in entries if "platform" in entry)


def test_the_archive_of_the_same_processor_counts_as_it_is(tree):
    remove_evidence(tree)
    found = predictor(tree, archived_processor(tree))
    study = found.studies["mixup"]
    seeds = len(study.blocks[0].repetitions)
    assert found.factor == 1
    assert found.measuring("measure", study, study.blocks[0]) == pytest.approx(STARTS["measure"] + 0.5)
    work = sum(found.training(bundle, tree.root / "none") - STARTS["train"] for bundle in bundles(tree))
    assert work == pytest.approx(4.0)
    assert seeds > 1
    assert found.basis == "from the archive's records of the same processor"


def test_without_the_files_of_a_block_its_training_is_shared_out(tree):
    remove_evidence(tree)
    import shutil

    shutil.rmtree(tree.root / "archive")
    found = predictor(tree, archived_processor(tree))
    work = sum(found.training(bundle, tree.root / "none") - STARTS["train"] for bundle in bundles(tree))
    assert work == pytest.approx(4.0)


def test_another_processor_is_scaled_by_a_probe(tree, monkeypatch):
    remove_evidence(tree)
    monkeypatch.setattr(prediction, "probe", lambda: 0.3)
    monkeypatch.setattr(prediction, "PROBED", {archived_processor(tree): 0.1})
    found = predictor(tree)
    study = found.studies["mixup"]
    assert found.measuring("measure", study, study.blocks[0]) == pytest.approx(STARTS["measure"] + 3 * 0.5)
    assert found.basis == "from the archive's records of another processor, scaled by a probe"


def test_of_an_unknown_processor_seconds_count_as_they_are_and_that_is_said(tree, monkeypatch):
    remove_evidence(tree)
    monkeypatch.setattr(prediction, "PROBED", {})
    found = predictor(tree)
    found.measuring("measure", found.studies["mixup"], Block(0, 0))
    assert found.basis == "from the archive's records of another processor, as they are"


def test_what_ran_here_scales_the_archive(tree):
    remove_evidence(tree)
    found = predictor(tree)
    for recipe in found.studies["mixup"].recipes:
        for seed in range(5):
            sidecar(tree, recipe, seed)
    # 6 seconds a network here, 2 seconds for all repetitions in the archive, less than is asked for: five archived seconds.
    assert found._factor[1] != "scaled by what ran here"
    again = predictor(tree)
    again.archive.blocks[("laptop", "mixup")].networks.update({r.name: 3.0 for r in found.studies["mixup"].recipes})
    assert again._factor == (2.0, "scaled by what ran here")


def test_records_here_go_before_the_archive(tree):
    remove_evidence(tree)
    found = predictor(tree)
    erm, *_ = found.studies["mixup"].recipes
    sidecar(tree, erm, 0, core_seconds=5.0)
    sidecar(tree, erm, 1, core_seconds=7.0)
    sidecar(tree, erm, 2, core_seconds=90.0)
    sidecar(tree, erm, 3, device="a GPU", core_seconds=0.1)
    assert found._network(erm) == 7.0
    assert found.basis == "from records here"


def test_the_same_network_at_another_size_counts_by_the_pixels_it_works_on(tree):
    remove_evidence(tree)
    (tree.root / MANIFEST).unlink()
    found = predictor(tree)
    erm, *_ = found.studies["mixup"].recipes
    small = json.loads(json.dumps(erm.data))
    small["budget"]["epochs"] += 3
    recipe = type(erm)(small)
    assert recipe != erm
    assert shape(small) == shape(erm.data)
    sidecar(tree, recipe, scale="ci", core_seconds=0.5)
    assert found._network(erm) == pytest.approx(0.5 * worked_on(erm) / worked_on(recipe))


def test_networks_that_are_there_are_not_trained_again_unless_their_code_changed(tree):
    remove_evidence(tree)
    found = predictor(tree, archived_processor(tree))
    bundle = next(iter(bundles(tree)))
    folder = tree.root / "results" / "laptop" / "networks"
    for recipe in bundle.recipes:
        for seed in bundle.seeds:
            sidecar(tree, recipe, seed)
    assert found.training(bundle, folder) == STARTS["train"]
    sidecar(tree, bundle.recipes[0], 0, code={"assay.models.resnet": "0" * 16})
    assert len(networks_there(bundle, folder)) == len(bundle.recipes) * len(bundle.seeds) - 1


def test_damaged_records_are_passed_over(tree):
    remove_evidence(tree)
    found = predictor(tree, archived_processor(tree))
    erm, *_ = found.studies["mixup"].recipes
    path = erm.weights(tree.root / "results" / "laptop" / "networks", 0).with_suffix(".json")
    path.parent.mkdir(parents=True)
    path.write_text("{")
    evidence = tree.root / "results" / "laptop" / "observations" / "mixup" / "0-4" / "provenance.json"
    evidence.parent.mkdir(parents=True)
    evidence.write_text('{"scale": "laptop"}')
    assert found._network(erm) == pytest.approx(found.archive.networks[erm.name])
    assert found._measuring(found.studies["mixup"]) == pytest.approx(found.archive.blocks["laptop", "mixup"].measuring)


def test_a_forecast_is_one_sentence_of_eighty_columns():
    jobs = {0: Job("all", 0.0, after=frozenset({1, 2})), 1: Job("train", 1200.0), 2: Job("measure", 780.0)}
    found = RunForecast(jobs, {0: "all", 1: "a", 2: "b"}, 2, "from the archive's records of another processor, scaled by a probe")
    assert max(map(len, found.line.splitlines())) <= 80
    assert " ".join(found.line.split()) == (
        "plan: 2 jobs, about 33 core-minutes, 20 minutes on 2 cores"
        " (from the archive's records of another processor, scaled by a probe)"
    )
    said = found.as_json()
    assert (said["jobs"], said["core_minutes"], said["wall_minutes"]) == (2, 33.0, 20.0)
    assert said["rules"] == {"train": {"jobs": 1, "core_minutes": 20.0}, "measure": {"jobs": 1, "core_minutes": 13.0}}


def test_a_probe_takes_milliseconds():
    assert 0 < probe() < 1


def test_other_jobs_cost_by_their_outputs_and_the_studies_shown(tree, monkeypatch):
    monkeypatch.setattr(prediction, "OTHERS", {"figure": (1.0, 0.5, 0.0), "report": (2.0, 0.0, 0.1)})
    found = predictor(tree)
    assert found.other("figure", 4, 40) == 3.0
    assert found.other("report", 1, 40) == 6.0
    assert found.other("new", 1, 40) == prediction.UNKNOWN[0]


def test_every_processor_that_the_archive_has_records_of_was_probed():
    """Or its seconds would count here as they are."""
    blocks = [entry for entry in read_entries().values() if entry.study]
    assert blocks
    assert {entry.platform["cpu"] for entry in blocks} <= prediction.PROBED.keys()
