"""The trainer against PyTorch written out by hand, its determinism, resuming, and its refusals."""

import copy

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from assay.data.batch import to_tensors
from assay.data.seeds import seed_of
from assay.errors import StudyError, TrainingError
from assay.language.recipes import Recipe
from assay.networks.store import NetworkStore
from assay.training import run
from assay.training.beginnings import build, initial_network, make_world
from assay.training.network import Trained
from assay.training.randomness import seed_global
from assay.training.run import margins
from assay.training.setting import Setting
from assay.training.trainer import train


def plug(name, **parameters):
    return {"plug": name, "parameters": parameters}


def recipe(**changes):
    data = {
        "world": plug("worlds/shapes", size=16, train=128, test=32),
        "model": plug("models/resnet", width=4, blocks=1),
        "augment": [],
        "objective": plug("objectives/cross_entropy"),
        "optimizer": plug("optimizers/sgd", lr=0.05, momentum=0.9, weight_decay=5e-4),
        "schedule": plug("schedules/cosine", warmup=0.0),
        "budget": {"epochs": 3, "batch": 32},
        "start": None,
        "surgery": [],
        "record": [],
        "draws": {"world": 0, "init": 0, "order": 0, "augment": 0},
    }
    return Recipe({**data, **changes})


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_training_is_plain_sgd_on_the_shuffled_data():
    r = recipe(model=plug("models/linear"))
    world = to_tensors(make_world(r, 0), torch.device("cpu"))
    network = initial_network(r, 0, world, Setting())
    reference = copy.deepcopy(network)
    optimizer = torch.optim.SGD(reference.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4, nesterov=True)
    for epoch in range(3):
        order = torch.randperm(128, generator=torch.Generator().manual_seed(seed_of("order", 0, 0, epoch)))
        for step, rows in enumerate(order.split(32)):
            progress = (epoch * 4 + step) / 12
            optimizer.param_groups[0]["lr"] = 0.05 * 0.5 * (1 + torch.cos(torch.tensor(progress * torch.pi)).item())
            optimizer.zero_grad()
            F.cross_entropy(reference(world.train.images[rows]), world.train.labels[rows]).backward()
            optimizer.step()
    trained = train(r, 0)
    assert torch.allclose(trained.network.model.fc.weight, reference.model.fc.weight, atol=1e-5)
    assert not torch.allclose(network.model.fc.weight, reference.model.fc.weight, atol=1e-3)


def test_the_same_recipe_and_seed_give_the_same_bits_and_another_seed_others():
    assert same(train(recipe(), 0).network, train(recipe(), 0).network)
    assert not same(train(recipe(), 0).network, train(recipe(), 1).network)


def test_global_randomness_before_a_training_does_not_matter():
    one = train(recipe(), 0)
    torch.manual_seed(12345)
    torch.rand(7)
    assert same(one.network, train(recipe(), 0).network)


def test_compared_arms_share_data_initialisation_and_order():
    one, other = recipe(), recipe(optimizer=plug("optimizers/sgd", lr=0.1, momentum=0.0, weight_decay=0.0))
    world = to_tensors(make_world(one, 0), torch.device("cpu"))
    assert torch.equal(world.train.images, to_tensors(make_world(other, 0), torch.device("cpu")).train.images)
    assert same(initial_network(one, 0, world, Setting()), initial_network(other, 0, world, Setting()))


@pytest.mark.parametrize("axis", ["world", "init", "order"])
def test_each_axis_can_be_drawn_anew_alone(axis):
    moved = recipe(draws={**recipe().data["draws"], axis: 1})
    world = to_tensors(make_world(recipe(), 0), torch.device("cpu"))
    moved_world = to_tensors(make_world(moved, 0), torch.device("cpu"))
    assert torch.equal(world.train.images, moved_world.train.images) == (axis != "world")
    starts = [initial_network(r, 0, world, Setting()) for r in (recipe(), moved)]
    assert same(*starts) == (axis != "init")
    assert not same(train(recipe(), 0).network, train(moved, 0).network)


@pytest.mark.parametrize("stop_after", [1, 2])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_training_resumed_from_a_checkpoint_ends_with_the_same_bits(tmp_path, stop_after, optimizer):
    r = recipe(optimizer=plug(f"optimizers/{optimizer}"), record=["margins"], augment=[plug("augment/flip")])
    whole = train(r, 0)

    class KillError(Exception):
        pass

    def kill(done, total, loss):
        if done > stop_after:
            raise KillError

    checkpoint = tmp_path / "checkpoint"
    with pytest.raises(KillError):
        train(r, 0, Setting(checkpoint=checkpoint, checkpoint_seconds=0, report=kill))
    epochs = []
    resumed = train(r, 0, Setting(checkpoint=checkpoint, report=lambda done, total, loss: epochs.append(done)))
    assert epochs == list(range(stop_after + 1, 4))
    assert same(whole.network, resumed.network)
    assert torch.equal(whole.records["margins"], resumed.records["margins"])
    assert torch.equal(whole.records["loss"], resumed.records["loss"])


def test_a_checkpoint_of_another_recipe_is_not_used(tmp_path):
    checkpoint = tmp_path / "checkpoint"

    def stop(done, total, loss):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(recipe(), 0, Setting(checkpoint=checkpoint, checkpoint_seconds=0, report=stop))
    assert checkpoint.exists()
    assert same(train(recipe(), 1, Setting(checkpoint=checkpoint)).network, train(recipe(), 1).network)


def test_a_loss_that_is_not_finite_stops_with_step_network_and_last_finite_loss():
    wild = recipe(model=plug("models/mlp"), optimizer=plug("optimizers/sgd", lr=1e30, momentum=0.0, weight_decay=0.0))
    with pytest.raises(TrainingError) as caught:
        train(wild, 0)
    text = str(caught.value)
    assert wild.name in text
    assert "seed 0: loss is " in text
    assert "of 12 (epoch 1), last finite loss 2." in text


@pytest.mark.parametrize("every", [1, 3, 50])
def test_the_recorded_loss_is_the_mean_over_the_steps_of_an_epoch(every, monkeypatch):
    monkeypatch.setattr(run, "CHECK_EVERY_STEPS", {"cpu": every})
    taken, make = [], run.Run._step
    monkeypatch.setattr(run.Run, "_step", lambda self, batch: taken.append(make(self, batch)) or taken[-1])
    recorded = train(recipe(), 0).records["loss"]
    assert torch.allclose(recorded, torch.stack(taken).reshape(3, 4).mean(1))
    assert recorded.diff().abs().min() > 1e-3


def test_a_loss_that_is_not_finite_is_named_by_its_step_where_steps_are_checked_in_groups(monkeypatch):
    monkeypatch.setattr(run, "CHECK_EVERY_STEPS", {"cpu": 3})
    losses = map(torch.tensor, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, float("inf"), 8.0])
    monkeypatch.setattr(run.Run, "_step", lambda self, batch: next(losses))
    with pytest.raises(TrainingError, match=r"loss is inf at step 6 of 12 \(epoch 2\), last finite loss 6;"):
        train(recipe(), 0)
    assert next(losses) == 8


def test_a_training_on_a_cpu_leaves_no_request_to_seed_other_devices():
    queued = len(torch.cuda._queued_calls), len(torch.xpu._queued_calls)
    train(recipe(), 0)
    assert (len(torch.cuda._queued_calls), len(torch.xpu._queued_calls)) == queued


def test_global_generators_are_seeded_as_torch_seeds_them(monkeypatch):
    torch.manual_seed(2**62 + 5)
    expected = torch.rand(9)
    seed_global(2**62 + 5, torch.device("cpu"))
    assert torch.equal(torch.rand(9), expected)
    asked = []
    monkeypatch.setattr(torch, "manual_seed", asked.append)
    seed_global(7, torch.device("cuda"))
    assert asked == [7]


FROZEN = recipe(
    model=plug("models/linear"),
    optimizer=plug("optimizers/sgd", lr=1e-30, momentum=0.0, weight_decay=0.0),
    record=["margins"],
)


def test_the_recorded_margin_is_that_of_the_assigned_label_while_training():
    trained = train(FROZEN, 0)
    world = to_tensors(make_world(FROZEN, 0), torch.device("cpu"))
    logits = trained.network(world.train.images)
    by_hand = torch.stack([z[y] - torch.cat([z[:y], z[y + 1 :]]).max() for z, y in zip(logits, world.train.labels, strict=True)])
    assert trained.records["margins"].shape == (3, 128)
    assert torch.allclose(trained.records["margins"], by_hand.expand(3, -1), atol=1e-5)


def test_bfloat16_rounds_what_is_multiplied_and_leaves_weights_alone():
    world = to_tensors(make_world(FROZEN, 0), torch.device("cpu"))
    exact, rounded = (train(FROZEN, 0, Setting(precision=each)) for each in ("float32", "bfloat16"))
    assert all(value.dtype == torch.float32 for value in rounded.network.state_dict().values())
    assert same(exact.network, rounded.network)
    # A logit is a sum of products of two rounded numbers, rounded once more; a margin is the difference of two.
    inputs, layer = exact.network.normalise(world.train.images).flatten(1), exact.network.model.fc
    largest = (inputs.abs() @ layer.weight.abs().T + layer.bias.abs()).max()
    error = (rounded.records["margins"] - exact.records["margins"]).abs()
    assert 1e-4 < error.max() <= 2 * 3 * 2**-8 * largest


def test_a_checkpoint_in_another_precision_is_not_used(tmp_path):
    def stop(done, total, loss):
        raise KeyboardInterrupt

    checkpoint, said = tmp_path / "checkpoint", []
    with pytest.raises(KeyboardInterrupt):
        train(recipe(), 0, Setting(checkpoint=checkpoint, checkpoint_seconds=0, report=stop))
    anew = train(recipe(), 0, Setting(precision="bfloat16", checkpoint=checkpoint, say=said.append))
    assert "it was written with another precision" in said[0]
    assert same(anew.network, train(recipe(), 0, Setting(precision="bfloat16")).network)
    assert not same(anew.network, train(recipe(), 0).network)


def test_margins_by_hand():
    assert margins(torch.tensor([[1.0, 4.0, 2.0], [1.0, 4.0, 2.0]]), torch.tensor([1, 0])).tolist() == [2.0, -3.0]


def test_fine_tuning_starts_from_the_parent_and_keeps_a_new_classifier_fresh():
    parent = recipe()
    trained = train(parent, 0)
    child = recipe(start={"recipe": parent.data}, budget={"epochs": 0, "batch": 32})
    again = train(child, 0, Setting(load_parent=lambda r: trained))
    assert same(again.network, trained.network)
    fewer = recipe(
        start={"recipe": parent.data}, budget={"epochs": 0, "batch": 32}, world=plug("worlds/urban_shapes", train=64, test=32)
    )
    tuned = train(fewer, 0, Setting(load_parent=lambda r: trained))
    assert torch.equal(tuned.network.model.conv1.weight, trained.network.model.conv1.weight)
    assert tuned.network.model.fc.weight.shape != trained.network.model.fc.weight.shape


def test_starting_from_another_architecture_is_refused():
    parent = recipe(model=plug("models/linear"))
    child = recipe(start={"recipe": parent.data})
    with pytest.raises(StudyError, match="start: the parent's architecture differs"):
        train(child, 0, Setting(load_parent=lambda r: Trained(build(parent, 3, 10, 16))))


def test_trained_networks_come_frozen_and_in_evaluation_mode():
    trained = train(recipe(), 0)
    assert not trained.network.training
    assert not any(p.requires_grad for p in trained.network.parameters())


def test_inputs_are_normalised_by_the_training_split():
    trained = train(recipe(budget={"epochs": 0, "batch": 32}), 0)
    world = to_tensors(make_world(recipe(), 0), torch.device("cpu"))
    normal = trained.network.normalise(world.train.images)
    assert torch.allclose(normal.mean((0, 2, 3)), torch.zeros(3), atol=1e-4)
    assert torch.allclose(normal.std((0, 2, 3)), torch.ones(3), atol=1e-3)


def test_the_standard_resnet_has_the_parameters_its_docstring_says():
    r = recipe(model=plug("models/resnet", width=8, blocks=1))
    assert round(sum(p.numel() for p in build(r, 3, 10, 16).parameters()) / 1000) == 78


def test_weights_used_in_two_places_are_saved_and_read_back_into_both(tmp_path, monkeypatch):
    """safetensors refuses tensors that share memory, which a finished training would have been lost to."""
    asked = recipe(budget={"epochs": 1, "batch": 16})
    trained = train(asked, 0)
    network = trained.network
    network.model.twin = torch.nn.Linear(network.model.fc.in_features, network.model.fc.out_features)
    network.model.twin.weight = network.model.fc.weight
    store = NetworkStore(tmp_path, torch.device("cpu"))
    (tmp_path / asked.name).mkdir()
    store.save(asked, 0, trained, {"recipe": asked.data, "seed": 0})
    saved = load_file(store.weights(asked, 0))
    assert torch.equal(saved["network.model.twin.weight"], network.model.fc.weight)
    assert torch.equal(saved["network.model.fc.weight"], network.model.fc.weight)
