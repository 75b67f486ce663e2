"""Trial draws: the judged ones are what they always were, a trial moves all of them, and nothing mixes the two."""

import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from project_tree import Tree

from assay.data import seeds
from assay.data.seeds import Draw, seed_of
from assay.errors import StudyError
from assay.evidence.agreement import compare
from assay.evidence.tables import Evidence
from assay.language.configuration import load_config, results_folder
from assay.language.draws import VARIABLE, current, drawing
from assay.language.recipes import Recipe
from assay.networks.jobs import train_bundle
from assay.networks.store import NetworkStore
from assay.overview.coverage import row_at
from assay.pipeline.running import job
from assay.storage.places import WORK as ROOT
from assay.training.trainer import make_world, train


def plug(name, **parameters):
    return {"plug": name, "parameters": parameters}


def recipe(**changes):
    data = {
        "world": plug("worlds/shapes", size=16, train=48, test=16),
        "model": plug("models/linear"),
        "augment": [],
        "objective": plug("objectives/cross_entropy"),
        "optimizer": plug("optimizers/sgd"),
        "schedule": plug("schedules/cosine"),
        "budget": {"epochs": 1, "batch": 16},
        "start": None,
        "surgery": [],
        "record": [],
        "draws": {"world": 0, "init": 0, "order": 0, "augment": 0},
    }
    return Recipe({**data, **changes})


# Printed by the project before there were trial draws, under the root name of that time.
ROOT_BEFORE = "assay 2026-11, claims and what stands beside them"
BEFORE = {
    ("world", 0, 0): 6352588966983460293,
    ("init", 0, 3): 4037073687580529026,
    ("epoch", 1, 2, 5): 7926738881409475269,
    ("measure", "mixup", 4, "attack"): 7365561821708241874,
    ("rise",): 2330756953202233180,
    (): 7397940000867225753,
}


@pytest.fixture
def root_before(monkeypatch):
    monkeypatch.setattr(seeds, "ROOT_NAME", ROOT_BEFORE)


@pytest.mark.parametrize(("names", "seed"), BEFORE.items())
def test_judged_seeds_are_what_they_were_before_there_were_trials(root_before, names, seed):
    assert seed_of(*names) == seed
    with drawing("judged"):
        assert seed_of(*names) == seed


def test_judged_streams_are_what_they_were_before_there_were_trials(root_before):
    expected = [1557591150, 1024015726, 331776934, 115640449]
    assert Draw("world", 0, 1)("texture").integers(0, 2**31, 4).tolist() == expected


def test_another_root_name_is_another_draw_and_the_present_one_stays():
    assert seeds.ROOT_NAME == "assay 2026-11, trained to the plateau"  # every judged number hangs on it
    assert not {seed_of(*names) for names in BEFORE} & set(BEFORE.values())


@pytest.mark.parametrize("names", BEFORE)
def test_each_name_has_seeds_of_its_own(names):
    found = {seed_of(*names), seed_of("trial", *names), seed_of("judged", *names)}
    for name in ("trial", "trial-2", "judged2", "t"):
        with drawing(name):
            found |= {seed_of(*names), seed_of("trial", *names)}
    assert len(found) == 3 + 2 * 4


def test_a_trial_moves_images_initial_weights_and_order():
    judged, images = train(recipe(budget={"epochs": 0, "batch": 16}), 0), make_world(recipe(), 0).train.images
    order = train(recipe(), 0)
    with drawing("trial"):
        assert not np.array_equal(make_world(recipe(), 0).train.images, images)
        moved = train(recipe(budget={"epochs": 0, "batch": 16}), 0)
        assert not torch.equal(moved.network.model.fc.weight, judged.network.model.fc.weight)
        assert not torch.equal(train(recipe(), 0).records["loss"], order.records["loss"])
    assert np.array_equal(make_world(recipe(), 0).train.images, images)
    assert torch.equal(train(recipe(), 0).records["loss"], order.records["loss"])


def test_drawing_puts_back_what_was_there(monkeypatch):
    monkeypatch.setenv(VARIABLE, "mine")
    with drawing("trial"):
        assert current() == "trial"
    assert current() == "mine"
    with pytest.raises(ZeroDivisionError), drawing("trial"):
        _ = 1 / 0
    assert current() == "mine"
    monkeypatch.delenv(VARIABLE)
    with drawing("trial"):
        pass
    assert VARIABLE not in os.environ
    assert current() == "judged"


def test_processes_that_are_started_draw_under_the_same_name():
    code = "from assay.data.seeds import seed_of; print(seed_of('world', 0, 0))"
    with drawing("trial"):
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert int(told) == seed_of("world", 0, 0) != BEFORE["world", 0, 0]


@pytest.mark.parametrize("name", ["Trial", "../x", "a b", "-a", "a" * 33, "trial\n"])
def test_a_name_that_is_not_allowed_draws_nothing(monkeypatch, name):
    monkeypatch.setenv(VARIABLE, name)
    with pytest.raises(StudyError, match=r"ASSAY_DRAWS: .* is not allowed; use at most 32 lower-case letters"):
        seed_of("world", 0, 0)


@pytest.mark.parametrize(("asked", "found"), [("judged", "stray"), ("trial", None), ("trial", "trial-2")])
def test_a_job_whose_process_draws_under_another_name_is_refused(tmp_path, monkeypatch, asked, found):
    if found:
        monkeypatch.setenv(VARIABLE, found)
    snakemake = SimpleNamespace(log=[tmp_path / "train" / "log"], rule="train", params={"draws": asked}, output=[])
    (tmp_path / "train").mkdir()
    with pytest.raises(SystemExit) as caught, job(snakemake):
        pytest.fail("the job ran")
    drawn = found or "judged"
    assert caught.value.code == (
        f"train: ASSAY_DRAWS: this job is to draw under '{asked}' and its process draws under '{drawn}'; unset it"
    )


@pytest.mark.parametrize("params", [{"draws": "trial"}, {}])
def test_a_job_runs_where_its_process_draws_under_its_name_or_it_draws_nothing(tmp_path, params):
    ran = []
    (tmp_path / "logs" / "train").mkdir(parents=True)
    snakemake = SimpleNamespace(log=[tmp_path / "logs/train/x.log"], rule="train", params=params, output=[])
    with drawing("trial"), job(snakemake):
        ran.append(True)
    assert ran


def test_every_rule_that_draws_passes_the_name_on():
    """The scripts of these rules reach the trainer, a measurement or a world; the others read what those left."""
    for rule in ("recipe", "protocol", "world"):
        assert "draws=CONFIG.draws," in (ROOT / "rules" / f"{rule}.smk").read_text()


def test_results_of_a_trial_lie_apart():
    assert results_folder("laptop") == results_folder("laptop", "judged") == "results/laptop"
    assert results_folder("laptop", "trial") == "results/laptop-trial"
    assert load_config({"draws": "trial"}).results == "results/laptop-trial"
    assert load_config({"scale": "ci", "draws": 2}).results == "results/ci-2"
    assert load_config({"evidence": "archive"}).results == "results/archive/laptop"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"draws": "Trial"}, "key 'draws': string should match pattern"),
        ({"draws": "trial\n"}, "key 'draws': string should match pattern"),
        ({"draws": "../laptop"}, "key 'draws': string should match pattern"),
        ({"draws": True}, "key 'draws': "),
        ({"draws": "trial", "evidence": "archive"}, "config: draws: 'trial': trial draws are not archived"),
    ],
)
def test_a_configuration_of_draws_that_cannot_be_is_said_in_one_line(given, said):
    with pytest.raises(StudyError) as caught:
        load_config(given)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("draws", "free"), [("two", False), ("two-a", False), ("twofold", True), ("a-two", True), ("trial", True)]
)
def test_a_folder_that_may_be_another_scales_is_refused(tmp_path, draws, free):
    tree = Tree(tmp_path)
    for name in ("laptop", "laptop-two"):
        tree.scale(name)
    given = {"scale": "laptop", "draws": draws}
    if free:
        assert load_config(given, tmp_path).results == f"results/laptop-{draws}"
    else:
        with pytest.raises(StudyError, match=f"results/laptop-{draws} belongs to scale 'laptop-two'; choose another name"):
            load_config(given, tmp_path)


def test_a_network_of_other_draws_is_not_there(tmp_path):
    store = NetworkStore(tmp_path, torch.device("cpu"))
    with drawing("trial"):
        train_bundle([recipe()], range(1), store, tmp_path / "manifest.json", lambda line: None)
        assert store.about(recipe(), 0)["draws"] == "trial"
    assert store.about(recipe(), 0) is None
    train_bundle([recipe()], range(1), store, tmp_path / "manifest.json", lambda line: None)
    assert store.about(recipe(), 0)["draws"] == "judged"


def test_a_row_does_not_work_by_trial_draws(tmp_path):
    tree = Tree(tmp_path).complete()
    assert row_at(tree.compiled(), tree.root).working
    tree.measure(draws="trial")
    tree.judge()
    row = row_at(tree.compiled(), tree.root)
    assert (row.working, row.missing) == (
        False,
        ["no evidence at scale laptop: run snakemake --config scale=laptop 'studies=[mixup]'"],
    )
    with drawing("trial"):  # as in the report of the trial itself
        row = row_at(tree.compiled(), tree.root, tree.sources)
    assert (row.working, row.missing) == (False, ["made on trial draws ('trial'), on which no verdict rests"])


def test_trial_draws_are_not_compared_with_judged_ones():
    judged, trial = ({"study_sha256": "a", "sha256": "b"} | more for more in ({}, {"draws": "trial"}))
    found = compare(Evidence([], {}, trial), Evidence([], {}, judged))
    assert (found.word, found.reason) == ("not compared", "they are of other draws")
