"""A training job of which a network fails: the others are trained, the job says which failed, and the next one goes on there."""

import json
import os

import pytest
import torch
from test_resuming import plug, recipe

from assay import datasets
from assay.errors import TrainingError
from assay.networks import jobs
from assay.networks.jobs import train_bundle
from assay.networks.store import NetworkStore
from assay.pipeline.partial import forget_failed_trainings
from assay.storage.earlier import Freed, bound, clear
from assay.storage.receipts import networks_listed


def quiet(line):
    pass


def child(of, **fields):
    return recipe(start=of.reference, **fields)


@pytest.fixture
def networks():
    """One that works, one that is to fail, and one that starts from that."""
    bad = recipe(optimizer=plug("optimizers/sam"))
    return {"good": recipe(optimizer=plug("optimizers/adam")), "bad": bad, "child": child(bad)}


def failing(monkeypatch, bad, error):
    train, trained = jobs.train, []

    def trained_unless(asked, *rest):
        trained.append(asked)
        if asked == bad:
            raise error
        return train(asked, *rest)

    monkeypatch.setattr(jobs, "train", trained_unless)
    return trained


def bundle(networks, store, say=quiet):
    train_bundle(list(networks.values()), range(1), store, store.folder / "job-0-0.json", say)


def test_the_others_are_trained_and_the_manifest_says_which_failed_and_why(tmp_path, monkeypatch, networks):
    store, lines = NetworkStore(tmp_path / "networks", torch.device("cpu")), []
    with monkeypatch.context() as patched:
        trained = failing(patched, networks["bad"], ValueError("\n wrong \n shape"))
        with pytest.raises(ValueError, match="wrong"):
            bundle(networks, store, lines.append)
    assert set(trained) == {networks["good"], networks["bad"]}
    said = json.loads((store.folder / "job-0-0.json").read_text())
    good, bad, made_from = (networks[name].name for name in ("good", "bad", "child"))
    assert said["networks"] == {good: {"0": store.about(networks["good"], 0)["sha256"]}}
    why = f"{made_from}: {bad}, which it is made from, failed: ValueError: wrong"
    assert store.failures(range(3)) == {bad: "ValueError: wrong", made_from: why}
    assert store.failures([1]) == {}
    assert any("Traceback" in line for line in lines)
    assert {path.parent.name for path in networks_listed(store.folder / "job-0-0.json")} == {good}
    forget_failed_trainings(tmp_path)
    assert not (store.folder / "job-0-0.json").exists()
    trained = failing(monkeypatch, None, None)
    bundle(networks, store)
    assert set(trained) == {networks["bad"], networks["child"]}
    assert set(json.loads((store.folder / "job-0-0.json").read_text())) == {"networks"}
    forget_failed_trainings(tmp_path)
    assert (store.folder / "job-0-0.json").exists()


def test_a_network_is_not_made_from_what_an_earlier_code_left_of_one_that_fails_now(tmp_path, monkeypatch, networks):
    store = NetworkStore(tmp_path, torch.device("cpu"))
    bundle(networks, store)
    monkeypatch.setattr(jobs, "code_of", lambda asked, repetitions: "edited")
    failing(monkeypatch, networks["bad"], ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        train_bundle([networks["bad"]], range(1), store, tmp_path / "parents-0-0.json", quiet)
    with pytest.raises(TrainingError, match="which it is made from, failed: ValueError: no"):
        train_bundle([networks["child"]], range(1), store, tmp_path / "children-0-0.json", quiet)


def test_methods_that_do_not_load_fail_alone(tmp_path, monkeypatch, networks):
    def load_all(plugs):
        if "optimizers/sam" in plugs:
            raise ImportError("no module named sam")

    monkeypatch.setattr(jobs, "load_all", load_all)
    store = NetworkStore(tmp_path, torch.device("cpu"))
    with pytest.raises(ImportError, match="no module named sam"):
        bundle(networks, store)
    assert store.about(networks["good"], 0)
    assert store.failures([0])[networks["bad"].name] == "ImportError: no module named sam"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), MemoryError()])
def test_what_this_machine_lacks_fails_the_job_which_is_tried_again(tmp_path, monkeypatch, networks, error):
    failing(monkeypatch, networks["bad"], error)
    store = NetworkStore(tmp_path, torch.device("cpu"))
    with pytest.raises(type(error)):
        bundle(networks, store)
    assert store.about(networks["good"], 0)
    assert not (tmp_path / "job-0-0.json").exists()


def test_going_back_to_earlier_code_finds_its_networks_without_training(tmp_path, monkeypatch):
    store = NetworkStore(tmp_path, torch.device("cpu"))
    asked = [recipe(optimizer=plug("optimizers/adam")), recipe(optimizer=plug("optimizers/sam"))]  # together, one by one
    real, trained = jobs.fingerprint_of_networks, []
    for name in ("train", "train_together"):
        train = getattr(jobs, name)
        monkeypatch.setattr(jobs, name, lambda *given, train=train: trained.append(given[0].name) or train(*given))

    def run(code):
        """Train with a module of this hash more; the names of what was trained, and the bytes of what lies there."""
        trained.clear()
        monkeypatch.setattr(jobs, "fingerprint_of_networks", lambda *given: real(*given) | {"assay.augment.some": code})
        train_bundle(asked, range(2), store, tmp_path / "job-0-1.json", quiet)
        sums = json.loads((tmp_path / "job-0-1.json").read_text())["networks"]
        assert all(store.about(each, seed)["code"]["assay.augment.some"] == code for each in asked for seed in range(2))
        assert all(store.about(each, seed)["sha256"] == sums[each.name][str(seed)] for each in asked for seed in range(2))
        return set(trained), {path: path.read_bytes() for path in tmp_path.glob("*/seed-*.safetensors")}

    every = {each.name for each in asked}
    first = run("one")
    assert first[0] == every
    assert run("two")[0] == every
    for code in ("one", "two", "one"):
        done, found = run(code)
        assert done == set()
        assert found == first[1]  # nothing that counts was edited
    (kept,) = (tmp_path / asked[1].name / "earlier").iterdir()
    assert run("three")[0] == every
    (kept / "seed-1.safetensors").write_bytes(b"")  # one repetition of what is kept is damaged
    assert run("two")[0] == {asked[1].name}


def test_a_network_on_a_data_set_that_changed_is_trained_anew(tmp_path, monkeypatch):
    """The job's code is the same; a job that Snakemake starts since its input changed must not find its network done."""
    monkeypatch.setenv("ASSAY_DATASETS", str(tmp_path / "datasets"))
    monkeypatch.setattr(datasets, "needed", lambda specs: ["cifar10"] if list(specs) else [])
    marker = datasets.marker("cifar10")
    marker.parent.mkdir()
    store, asked = NetworkStore(tmp_path / "networks", torch.device("cpu")), recipe(optimizer=plug("optimizers/sam"))
    trained = failing(monkeypatch, None, None)
    for content, number in (("one", 1), ("one", 1), ("two", 2), ("two", 2), ("one", 2)):  # the first of all is kept
        marker.write_text(json.dumps({"identity": content}))
        train_bundle([asked], range(1), store, store.folder / "job-0-0.json", quiet)
        assert len(trained) == number
        assert store.about(asked, 0)["data_sets"] == {"cifar10": content}


def test_what_is_kept_is_bounded_and_cleared(tmp_path):
    def leave(path, size, when):
        (tmp_path / path).mkdir(parents=True)
        (tmp_path / path / "seed-0.safetensors").write_bytes(bytes(size))
        os.utime(tmp_path / path, (when, when))

    for age, place in enumerate(
        ("networks/a/earlier/1", "cells/s/0-4/earlier/1", "networks/a/earlier/2", "networks/b/earlier/1")
    ):
        leave(place, 100, age)
    current = tmp_path / "networks/a/seed-0.safetensors"
    current.write_bytes(bytes(1000))
    bound(tmp_path, 250)
    assert sorted(path.parent.parent.parent.name for path in tmp_path.glob("networks/*/earlier/*/*")) == ["a", "b"]
    assert not (tmp_path / "networks/a/earlier/1").exists()
    assert not (tmp_path / "cells/s/0-4/earlier").exists()
    bound(tmp_path, 250)
    said = Freed({"networks": 2, "measured blocks": 0}, 200)
    assert clear(tmp_path, act=False) == said
    assert clear(tmp_path) == said
    assert clear(tmp_path) == Freed({"networks": 0, "measured blocks": 0}, 0)
    assert current.stat().st_size == 1000
