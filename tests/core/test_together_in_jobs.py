"""Trainings of several repetitions in jobs: stopped, gone on with, refused, seen by canaries."""

import contextlib
import json
from dataclasses import replace

import pytest
import torch
from together_cases import CPU, MODEL_CASES, MUTANTS, OPTIMIZERS, SEEDS, plug, recipe, settings, state, world_of, worlds_of

from assay.data.batch import to_tensors
from assay.errors import PreemptedError, TrainingError
from assay.language import studies
from assay.language.studies import load_studies
from assay.language.together import together
from assay.networks import jobs
from assay.networks.jobs import code_of, train_bundle
from assay.networks.store import NetworkStore
from assay.pipeline import canary_job
from assay.provenance.fingerprints import TOGETHER, fingerprint_of_networks
from assay.training import packing
from assay.training.beginnings import make_world
from assay.training.packing import UnpackableError
from assay.training.setting import Setting
from assay.training.together import train_together
from assay.training.trainer import train


def stop_after(steps):
    answers = iter([False] * (steps - 1) + [True])
    return lambda: next(answers, False)


def equal(one, other):
    return all(torch.equal(value, state(other)[name]) for name, value in state(one).items())


@pytest.mark.parametrize("model", ["resnet", "vit", "convnet"])
@pytest.mark.parametrize("optimizer", ["nesterov", "adam"])
def test_stopped_after_every_step_it_ends_with_the_same_bits(model, optimizer, tmp_path):
    asked = recipe(
        model=MODEL_CASES[model],
        optimizer=OPTIMIZERS[optimizer],
        augment=[plug("augment/crop"), plug("augment/mixup")],
        budget={"epochs": 2, "batch": 10},
    )
    worlds = worlds_of(asked)
    whole = train_together(asked, SEEDS, settings(), worlds)
    lines = []
    for steps in range(7):
        torch.manual_seed(steps)
        with pytest.raises(PreemptedError, match=f"seeds 0-2: asked to stop after step {steps + 1} of 8; run again"):
            train_together(asked, SEEDS, settings(checkpoint=tmp_path / "it", stop=stop_after(1)), worlds)
    resumed = train_together(asked, SEEDS, settings(checkpoint=tmp_path / "it", say=lines.append), worlds)
    assert lines == [f"{asked.name} seeds 0-2: goes on after epoch 1, step 3, from its checkpoint"]
    assert all(map(equal, whole, resumed))


def test_a_checkpoint_of_other_repetitions_or_code_is_not_used(tmp_path):
    worlds, lines = worlds_of(recipe()), []
    with pytest.raises(PreemptedError):
        train_together(recipe(), SEEDS, settings(checkpoint=tmp_path / "it", stop=stop_after(3)), worlds)
    other = settings(checkpoint=tmp_path / "it", code="other", say=lines.append)
    train_together(recipe(), [0, 1], other[:2], worlds[:2])
    assert lines == [
        f"{tmp_path / 'it'}: not used, the training begins anew (EvidenceError: it was written with another seed and code)"
    ]


def test_a_loss_that_is_not_finite_names_its_repetition():
    worlds = worlds_of(recipe())
    poisoned = worlds[1].train.images.clone()
    poisoned[7] = float("nan")
    worlds[1] = replace(worlds[1], train=replace(worlds[1].train, images=poisoned))
    with pytest.raises(TrainingError, match=r"seed 1: loss is nan at step \d+ of 20 \(epoch 1\)"):
        train_together(recipe(), SEEDS, settings(), worlds)


def test_worlds_that_differ_in_size_are_refused():
    worlds = worlds_of(recipe())
    worlds[0] = world_of(json.dumps(plug("worlds/shapes", size=16, train=48, test=16)), 0)
    with pytest.raises(UnpackableError, match="differ in size"):
        train_together(recipe(), SEEDS, settings(), worlds)


def bundle(folder, seeds=SEEDS, say=lambda line: None):
    store = NetworkStore(folder, CPU)
    train_bundle([recipe()], seeds, store, folder / "manifest.json", say)
    return store


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.safetensors")}


def test_a_block_is_trained_together_and_says_so(tmp_path):
    lines = []
    store = bundle(tmp_path, say=lines.append)
    sidecars = [store.about(recipe(), seed, code_of(recipe(), 3)) for seed in SEEDS]
    assert [about["together"] for about in sidecars] == [3, 3, 3]
    assert len({about["core_seconds"] for about in sidecars}) == 1
    assert all(about["code"][TOGETHER] == "3" for about in sidecars)
    assert [line for line in lines if "epoch 4 of 4" in line and "seed 2" in line]
    whole = train_together(recipe(), SEEDS, settings(), worlds_of(recipe()))
    assert torch.equal(store.load(recipe(), 1).network.model.fc.weight, whole[1].network.model.fc.weight)
    assert not list(tmp_path.rglob("*.checkpoint"))


def test_one_that_is_missing_is_trained_with_its_block_again_and_the_others_stay(tmp_path):
    store = bundle(tmp_path)
    before = files(tmp_path)
    kept = store.weights(recipe(), 0).stat().st_mtime_ns
    store.weights(recipe(), 1).unlink()
    bundle(tmp_path)
    assert files(tmp_path) == before
    assert store.weights(recipe(), 0).stat().st_mtime_ns == kept


def test_blocks_of_another_size_are_other_networks(tmp_path):
    store = bundle(tmp_path)
    assert store.about(recipe(), 0, code_of(recipe(), 1)) is None
    before = files(tmp_path)
    bundle(tmp_path, seeds=range(1))
    assert files(tmp_path) != before
    assert store.about(recipe(), 0)["together"] == 1


def test_the_number_is_part_of_the_fingerprint_of_what_is_made_from_them_alone():
    tuned = recipe(start={"recipe": recipe().data}, draws={"world": 0, "init": 1, "order": 0, "augment": 0})
    alone = recipe(optimizer=plug("optimizers/sam"))
    assert [together([each], 5) for each in (recipe(), tuned, alone)] == [5, 5, 1]
    assert fingerprint_of_networks([alone], 5) == fingerprint_of_networks([alone], 1)
    assert "assay.training.packing" not in fingerprint_of_networks([alone], 5)
    assert fingerprint_of_networks([tuned], 5)[TOGETHER] == "5"
    assert TOGETHER not in fingerprint_of_networks([tuned], 1)


def test_a_stopped_block_goes_on_where_it_was(tmp_path, monkeypatch):
    whole = files(bundle(tmp_path / "whole").folder)
    asks = iter([False] * 8 + [True])
    with monkeypatch.context() as patch:
        patch.setattr(jobs, "stop_requests", lambda: contextlib.nullcontext(lambda: next(asks, False)))
        with pytest.raises(PreemptedError, match="seeds 0-2: asked to stop after step"):
            bundle(tmp_path / "stopped")
    assert list((tmp_path / "stopped").rglob("seeds-0-2.checkpoint"))
    lines = []
    assert files(bundle(tmp_path / "stopped", say=lines.append).folder) == whole
    assert any("goes on after epoch" in line for line in lines)
    assert not list(tmp_path.rglob("*.checkpoint"))


def test_what_turns_out_not_to_fit_is_trained_alone(tmp_path, monkeypatch):
    lines = []
    monkeypatch.delitem(packing.REWRITES, "assay.models.mlp.MLP")
    store = bundle(tmp_path, say=lines.append)
    assert lines[0] == f"{recipe().name}: one repetition at a time, as assay.models.mlp.MLP is not known to keep networks apart"
    assert store.about(recipe(), 2)["together"] == 1
    alone = train(recipe(), 2, Setting(), worlds_of(recipe())[2])
    assert torch.equal(store.load(recipe(), 2).network.model.fc.weight, alone.network.model.fc.weight)


@pytest.fixture
def canary():
    return load_studies("ci", only=["gpfq-bits"])["gpfq-bits"]


def test_canaries_are_described_with_what_trains_them_together(monkeypatch):
    few = {name: path for name, path in studies.study_paths().items() if name in ("gpfq-bits", "simsiam")}
    monkeypatch.setattr(studies, "study_paths", lambda *config, **more: few)
    told = canary_job.describe(["ci"])["ci"]
    assert "assay.training.packing" not in told["gpfq-bits"]["code"]
    assert told["gpfq-bits"]["canary"].keys() - told["gpfq-bits"]["code"].keys() == {
        "assay.training.packing",
        "assay.training.together",
        TOGETHER,
    }
    assert told["simsiam"]["canary"] == told["simsiam"]["code"]


def test_a_fault_of_training_together_is_seen_by_a_canary(monkeypatch, tmp_path, canary):
    before = canary_job.measured(canary, tmp_path / "before") | canary_job.gone_on_with(canary, tmp_path / "before")
    assert {"together", "gone_on_with_together"} < before.keys()
    MUTANTS["statistics of the first"](monkeypatch)
    after = canary_job.measured(canary, tmp_path / "after") | canary_job.gone_on_with(canary, tmp_path / "after")
    assert {key for key in before if before[key] != after[key]} == {"together", "gone_on_with_together"}


def test_whole_trainings_agree_within_seed_noise():
    asked = recipe(
        world=plug("worlds/digits", size=16, train=512, test=512),
        model=plug("models/convnet", width=8, dense=32, kernel=3, drop_rate=0.0),
        budget={"epochs": 6, "batch": 32},
        optimizer=plug("optimizers/adam", lr=0.005),
        record=[],
    )
    worlds = [to_tensors(make_world(asked, seed), CPU) for seed in SEEDS]

    def accuracy(trained, world):
        with torch.no_grad():
            return (trained.network(world.test.images).argmax(1) == world.test.labels).double().mean().item()

    alone = torch.tensor([accuracy(train(asked, s, Setting(), w), w) for s, w in zip(SEEDS, worlds, strict=True)])
    packed = torch.tensor([accuracy(t, w) for t, w in zip(train_together(asked, SEEDS, settings(), worlds), worlds, strict=True)])
    assert alone.min() > 0.8
    assert (alone - packed).abs().max() < 0.03
