"""The trainer's hooks against loops written by hand in double precision: samplers, resets, environments in a step, snapshots."""

from dataclasses import replace
from functools import cache

import pytest
import torch
import torch.nn.functional as F

from assay.data.batch import Epoch, to_tensors
from assay.data.seeds import seed_of
from assay.errors import EvidenceError, PreemptedError, StudyError
from assay.language.plugs import load
from assay.language.recipes import Recipe
from assay.language.together import packs
from assay.networks.store import NetworkStore
from assay.training import trainer
from assay.training.beginnings import initial_network, make_world
from assay.training.objective import FunctionObjective
from assay.training.setting import Setting
from assay.training.together import train_together
from assay.training.trainer import train

CPU = torch.device("cpu")
EPOCHS, STEPS, BATCH, LR = 2, 5, 8, 0.05
TOTAL = EPOCHS * STEPS


def plug(kind, **parameters):
    return {"plug": kind, "parameters": parameters}


SGD = plug("optimizers/sgd", lr=LR, momentum=0.9, weight_decay=0.01)
ADAM = plug("optimizers/adam", lr=LR, beta1=0.9, beta2=0.99, weight_decay=0.1)


def recipe(**changes):
    data = {
        "world": plug("worlds/urban_shapes", size=16, train=STEPS * BATCH, test=16),
        "model": plug("models/mlp", width=6, hidden=1, drop_rate=0.0),
        "augment": [],
        "objective": plug("objectives/cross_entropy", label_smoothing=0.0),
        "optimizer": SGD,
        "schedule": plug("schedules/constant"),
        "budget": {"epochs": EPOCHS, "batch": BATCH},
        "start": None,
        "surgery": [],
        "record": [],
        "draws": {"world": 0, "init": 0, "order": 0, "augment": 0},
    }
    return Recipe({**data, **changes})


@pytest.fixture(autouse=True)
def double(monkeypatch):
    """Compute in double precision throughout, also where something asks for single."""
    torch.set_default_dtype(torch.float64)
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    yield
    torch.set_default_dtype(torch.float32)


@cache
def world(seed=0):
    drawn = to_tensors(make_world(recipe(), seed), CPU)
    return replace(
        drawn, **{name: replace(s, images=s.images.double()) for name, s in (("train", drawn.train), ("test", drawn.test))}
    )


def rows_by_hand(sampler=None, parameters=None):
    """The rows of each of the training's steps, from the plug itself or in plain shuffled order."""
    for number in range(EPOCHS):
        generator = torch.Generator().manual_seed(seed_of("order", 0, 0, number))
        if sampler is None:
            yield from torch.randperm(STEPS * BATCH, generator=generator).split(BATCH)
        else:
            yield from load("samplers", sampler)(Epoch(world().train, number, EPOCHS, (BATCH,) * STEPS), generator, **parameters)


def sgd(weight, gradient, moments):
    gradient = gradient + 0.01 * weight
    moments["v"] = 0.9 * moments["v"] + gradient if moments else gradient
    return weight - LR * (gradient + 0.9 * moments["v"])


def adam(weight, gradient, moments):
    moments["t"] = moments.get("t", 0) + 1
    moments["m"] = 0.9 * moments.get("m", 0.0) + 0.1 * gradient
    moments["v"] = 0.99 * moments.get("v", 0.0) + 0.01 * gradient**2
    m, v = moments["m"] / (1 - 0.9 ** moments["t"]), moments["v"] / (1 - 0.99 ** moments["t"])
    return weight - LR * 0.1 * weight - LR * m / (v.sqrt() + 1e-8)


def by_hand(rows, update=sgd, resets=(), loss=None):
    """The parameters after no step, one, ... all, with the update rule written out; forgetting before these steps."""
    network = initial_network(recipe(), 0, world(), Setting()).train()
    moments = [{} for _ in network.parameters()]
    states = [[p.detach().clone() for p in network.parameters()]]
    for step, own in enumerate(rows):
        if step in resets:
            moments = [{} for _ in moments]
        images, labels = world().train.images[own], world().train.labels[own]
        value = loss(network(images), own) if loss else F.cross_entropy(network(images), labels)
        gradients = torch.autograd.grad(value, list(network.parameters()))
        with torch.no_grad():
            for weight, gradient, kept in zip(network.parameters(), gradients, moments, strict=True):
                weight.copy_(update(weight, gradient, kept))
        states.append([p.detach().clone() for p in network.parameters()])
    assert len(states) == TOTAL + 1
    return states


def distance(network, state):
    own = dict(network.named_parameters()) if isinstance(network, torch.nn.Module) else network
    return max((a.double() - b).abs().max().item() for a, b in zip(own.values(), state, strict=True))


SAMPLERS = {
    "weighted": {"weights": [3.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0], "factor": "label"},
    "balanced": {"factors": ["background"]},
    "alternating": {"factor": "background"},
    "subset": {"share": 0.3},
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_each_step_is_trained_on_the_rows_of_the_sampler(name):
    sampled = by_hand(rows_by_hand(name, SAMPLERS[name]))[-1]
    trained = train(recipe(sampler=plug(f"samplers/{name}", **SAMPLERS[name])), 0, Setting(), world())
    assert distance(trained.network, sampled) < 1e-12
    assert distance(train(recipe(), 0, Setting(), world()).network, sampled) > 1e-4


def test_without_hooks_it_is_the_plain_loop():
    assert distance(train(recipe(), 0, Setting(), world()).network, by_hand(rows_by_hand())[-1]) < 1e-12


@pytest.mark.parametrize(("optimizer", "update"), [(SGD, sgd), (ADAM, adam)], ids=["sgd", "adam"])
@pytest.mark.parametrize(("resets", "steps"), [([], ()), ([0.3], (3,)), ([0.16, 0.8], (2, 8))], ids=str)
def test_optimizers_forget_at_the_given_shares_of_the_training(optimizer, update, resets, steps):
    trained = train(recipe(optimizer=optimizer, reset=resets), 0, Setting(), world())
    assert distance(trained.network, by_hand(rows_by_hand(), update, steps)[-1]) < 1e-12
    never = by_hand(rows_by_hand(), update)[-1]
    assert (distance(trained.network, never) > 1e-4) == bool(steps)


def spread_of_risks(logits, rows):
    """Mean of the environments' risks and a tenth of their variance, the environments told apart by hand."""
    split = world().train
    each = F.cross_entropy(logits, split.labels[rows], reduction="none")
    place = split.factors["background"][rows]
    risks = torch.stack([each[place == value].mean() for value in sorted(set(place.tolist()))])
    return risks.mean() + 0.1 * risks.var()


def test_an_objective_finds_a_batch_of_each_environment_in_every_step(monkeypatch):
    seen = []

    def risks(network, batch):
        parts = batch.apart("background")
        seen.append([len(part) for part in parts])
        found = torch.stack([F.cross_entropy(network(part.images), part.labels) for part in parts])
        return found.mean() + 0.1 * found.var()

    monkeypatch.setattr(trainer, "bound_objective", lambda asked, setting: FunctionObjective(risks))
    sampler = {"factors": ["background"]}
    trained = train(recipe(sampler=plug("samplers/balanced", **sampler)), 0, Setting(), world())
    values = world().train.factors["background"].unique()
    assert len(values) > 1
    assert seen == [[BATCH // len(values)] * len(values)] * TOTAL
    assert distance(trained.network, by_hand(rows_by_hand("balanced", sampler), loss=spread_of_risks)[-1]) < 1e-12


def test_an_environment_of_a_factor_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(
        trainer, "bound_objective", lambda asked, setting: FunctionObjective(lambda network, batch: batch.apart("backgrund"))
    )
    with pytest.raises(StudyError, match="a batch for each environment: unknown factor 'backgrund'; did you mean 'background'"):
        train(recipe(), 0, Setting(), world())


def test_a_sampler_that_leaves_a_step_empty_is_refused(monkeypatch):
    monkeypatch.setattr(
        "assay.samplers.subset.subset",
        lambda epoch, generator, share: [torch.arange(3)] * (len(epoch.sizes) - 1) + [torch.arange(0)],
    )
    with pytest.raises(
        StudyError, match="samplers/subset: gave rows for 4 steps of an epoch that has 5; give each step at least"
    ):
        train(recipe(sampler=plug("samplers/subset", share=0.3)), 0, Setting(), world())


SHARES = (0.0, 0.16, 0.5, 1.0)
KEPT = [f"snapshot {share}" for share in SHARES]
AT = {"0.0": 0, "0.16": 2, "0.5": 5, "1.0": 10}  # steps, of ten


def test_snapshots_are_the_weights_after_so_many_steps():
    trained = train(recipe(record=KEPT), 0, Setting(), world())
    states = by_hand(rows_by_hand())
    assert list(trained.snapshots) == list(AT)
    for share, step in AT.items():
        weights = {name: value for name, value in trained.snapshots[share].items() if name.startswith("model.")}
        assert distance(weights, states[step]) < 1e-12
    assert distance(trained.network, states[-1]) < 1e-12


def test_snapshots_of_repetitions_trained_together_are_those_of_each_alone():
    asked = recipe(record=KEPT)
    together = train_together(asked, [0, 1], [Setting()] * 2, [world(0), world(1)])
    for seed in (0, 1):
        alone = train(asked, seed, Setting(), world(seed))
        assert alone.snapshots.keys() == together[seed].snapshots.keys() == AT.keys()
        for share, state in alone.snapshots.items():
            assert all((together[seed].snapshots[share][name] - value).abs().max() < 1e-9 for name, value in state.items())


def test_what_is_not_trained_keeps_its_beginning_as_all_snapshots():
    trained = train(recipe(record=KEPT, budget={"epochs": 0, "batch": BATCH}), 0, Setting(), world())
    assert list(trained.snapshots) == list(AT)
    initial = initial_network(recipe(), 0, world(), Setting()).state_dict()
    assert all(torch.equal(initial[name], value) for state in trained.snapshots.values() for name, value in state.items())


ALL = {"record": KEPT, "reset": [0.3, 0.8], "sampler": plug("samplers/balanced", factors=["background"])}


def stop_after(steps):
    answers = iter([False] * (steps - 1) + [True])
    return lambda: next(answers, False)


def everything(trained):
    kept = {f"{share} {name}": value for share, state in trained.snapshots.items() for name, value in state.items()}
    return {**trained.network.state_dict(), **trained.records, **kept}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("optimizer", [SGD, ADAM], ids=["sgd", "adam"])
def test_stopped_after_every_step_it_ends_with_the_same_bits_and_snapshots(tmp_path, optimizer):
    asked = recipe(optimizer=optimizer, **ALL)
    whole = train(asked, 0, Setting(), world())
    for _ in range(TOTAL - 1):
        with pytest.raises(PreemptedError):
            train(asked, 0, Setting(checkpoint=tmp_path / "it", stop=stop_after(1)), world())
    assert same(everything(whole), everything(train(asked, 0, Setting(checkpoint=tmp_path / "it"), world())))


def test_stopped_together_it_ends_with_the_same_snapshots(tmp_path):
    asked, worlds = recipe(record=KEPT), [world(0), world(1)]
    whole = train_together(asked, [0, 1], [Setting()] * 2, worlds)
    for _ in range(TOTAL - 1):
        with pytest.raises(PreemptedError):
            train_together(asked, [0, 1], [Setting(checkpoint=tmp_path / "it", stop=stop_after(1))] * 2, worlds)
    resumed = train_together(asked, [0, 1], [Setting(checkpoint=tmp_path / "it")] * 2, worlds)
    assert all(same(everything(one), everything(other)) for one, other in zip(whole, resumed, strict=True))


def saved(folder, asked):
    """A store with the asked network, trained at repetition 0."""
    store, trained = NetworkStore(folder, CPU), train(asked, 0, Setting(), world())
    with store.writing(asked, 0):
        about = {"recipe": asked.data, "seed": 0, "input": {"channels": 3, "classes": len(world().classes), "size": 16}}
        store.save(asked, 0, trained, about)
    return store, trained


def test_the_store_gives_snapshots_one_by_one_as_networks(tmp_path):
    asked = recipe(**ALL)
    store, trained = saved(tmp_path, asked)
    found = list(store.snapshots(asked, 0))
    assert [share for share, _ in found] == list(SHARES)
    for share, network in found:
        assert same(network.state_dict(), trained.snapshots[str(share)])
        assert not network.training
    assert same(store.load(asked, 0).network.state_dict(), trained.network.state_dict())
    assert same(store.load(asked, 0).records, trained.records)
    with pytest.raises(StudyError, match=r"its training kept no snapshots; set record: \[snapshots\] in its recipe"):
        next(store.snapshots(recipe(), 0))


def test_a_file_without_the_snapshots_that_are_asked_for_is_not_taken(tmp_path):
    store, _ = saved(tmp_path, recipe(record=KEPT[:2]))
    assert store.about(recipe(), 0)
    assert [share for share, _ in store.snapshots(recipe(record=KEPT[:1]), 0)] == [0.0]
    with pytest.raises(EvidenceError, match="missing, truncated or altered; run snakemake again"):
        next(store.snapshots(recipe(record=KEPT), 0))


def test_hooks_are_trained_one_repetition_at_a_time_and_snapshots_together():
    assert packs(recipe())
    assert packs(recipe(record=KEPT))
    assert packs(recipe(sampler=None, reset=[]))
    assert not packs(recipe(sampler=ALL["sampler"]))
    assert not packs(recipe(reset=ALL["reset"]))
