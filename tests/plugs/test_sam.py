"""Sharpness-aware minimisation by hand, as a training that is interrupted, and as the surrogate of transferred attacks."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR

from assay.attacks.bim import bim
from assay.errors import PreemptedError
from assay.language.recipes import Recipe
from assay.optimizers.adam import adam
from assay.optimizers.sam import SAM
from assay.optimizers.sgd import sgd
from assay.protocols.transfer import fooled, names, sharpness, transfer
from assay.schedules.cosine import cosine
from assay.storage.checkpoints import read_checkpoint
from assay.training.setting import Setting
from assay.training.trainer import train


def plug(name, **parameters):
    return {"plug": name, "parameters": parameters}


def recipe(optimizer, epochs=2, **changes):
    data = {
        "world": plug("worlds/shapes", size=16, train=48, test=32),
        "model": plug("models/resnet", width=4, blocks=1),
        "augment": [plug("augment/crop")],
        "objective": plug("objectives/cross_entropy"),
        "optimizer": optimizer,
        "schedule": plug("schedules/cosine"),
        "budget": {"epochs": epochs, "batch": 16},
        "start": None,
        "surgery": [],
        "record": [],
        "draws": {"world": 0, "init": 0, "order": 0, "augment": 0},
    }
    return Recipe({**data, **changes})


def same(one, other):
    return all(torch.equal(value, other[name]) for name, value in one.items())


def quadratic(weight, curvature, optimizer):
    def closure():
        optimizer.zero_grad()
        loss = 0.5 * (curvature * weight.square()).sum()
        loss.backward()
        return loss

    return closure


@pytest.mark.vouches("optimizers/sam", paper="P680")
def test_a_step_on_a_quadratic_follows_the_gradient_at_the_worst_point_nearby():
    """L = (w1^2 + 3 w2^2) / 2 at (1, -2): g = (1, -6), followed is the gradient at w + rho g / sqrt(37), decay is that of w."""
    weight, curvature = nn.Parameter(torch.tensor([1.0, -2.0]).double()), torch.tensor([1.0, 3.0]).double()
    optimizer = SAM([weight], lr=0.1, momentum=0.0, weight_decay=0.01, rho=0.4)
    loss = optimizer.step(quadratic(weight, curvature, optimizer))
    worst = torch.tensor([1.0, -2.0]).double() + 0.4 * torch.tensor([1.0, -6.0]).double() / 37**0.5
    expected = torch.tensor([1.0, -2.0]).double() * (1 - 0.001) - 0.1 * curvature * worst
    torch.testing.assert_close(weight.detach(), expected)
    assert float(loss) == pytest.approx(6.5)


@pytest.mark.vouches("optimizers/sam", paper="P680")
def test_the_distance_is_measured_over_all_parameters_together():
    weights = [nn.Parameter(torch.tensor([3.0]).double()), nn.Parameter(torch.tensor([4.0]).double())]
    seen = []
    optimizer = SAM(weights, lr=0.1, momentum=0.0, weight_decay=0.0, rho=1.0)

    def closure():
        optimizer.zero_grad()
        seen.append([w.item() for w in weights])
        loss = 0.5 * sum(w.square().sum() for w in weights)
        loss.backward()
        return loss

    optimizer.step(closure)
    assert seen[0] == [3, 4]
    assert seen[1] == pytest.approx([3.6, 4.8])


def test_without_a_distance_it_is_sgd_bit_for_bit():
    trained = [
        train(recipe(optimizer), 0).network.state_dict()
        for optimizer in (plug("optimizers/sgd"), plug("optimizers/sam", rho=0.0))
    ]
    assert same(*trained)
    assert not same(trained[0], train(recipe(plug("optimizers/sam")), 0).network.state_dict())


def stopped_after(steps, given, checkpoint):
    """A training of the recipe that is asked to stop after so many steps."""
    calls = iter(range(1, 100))
    with pytest.raises(PreemptedError):
        train(given, 0, Setting(checkpoint=checkpoint, stop=lambda: next(calls) == steps))


@pytest.mark.parametrize("steps", range(1, 6))
def test_a_training_goes_on_from_any_step_as_if_nothing_had_happened(steps, tmp_path):
    given, checkpoint = recipe(plug("optimizers/sam", rho=0.2)), tmp_path / "checkpoint"
    stopped_after(steps, given, checkpoint)
    resumed = train(given, 0, Setting(checkpoint=checkpoint))
    assert same(resumed.network.state_dict(), train(given, 0).network.state_dict())


@pytest.mark.vouches("schedules/stopped_cosine", paper="P680")
def test_early_stopping_ends_where_the_full_training_then_is(tmp_path):
    full, early = (
        recipe(plug("optimizers/sgd"), 4),
        recipe(plug("optimizers/sgd"), 2, schedule=plug("schedules/stopped_cosine", share=0.5)),
    )
    stopped_after(6, full, tmp_path / "checkpoint")
    halfway = read_checkpoint(tmp_path / "checkpoint")["network"]
    assert same(halfway, train(early, 0).network.state_dict())


class Bowl(nn.Module):
    """Two logits, 0 and s times the first pixel, with one weight s."""

    def __init__(self, slope):
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(slope).double())

    def forward(self, x):
        first = self.slope * x[:, 0, 0, 0]
        return torch.stack([torch.zeros_like(first), first], 1)


@pytest.mark.vouches("protocols/transfer", paper="P680")
def test_sharpness_is_the_rise_of_the_loss_along_its_gradient_and_leaves_the_weights():
    """One weight: the loss softplus(-s x) of label 1 is worst at s - radius."""
    network, images = Bowl(0.7), torch.full((64, 1, 1, 1), 2.0).double()
    expected = F.softplus(torch.tensor(-2 * 0.6)) - F.softplus(torch.tensor(-2 * 0.7))
    assert sharpness(network, images, torch.ones(64, dtype=torch.long), 0.1) == pytest.approx(float(expected), rel=1e-6)
    many = images.repeat(3, 1, 1, 1)  # three batches, each from the same weights
    assert sharpness(network, many, torch.ones(192, dtype=torch.long), 0.1) == pytest.approx(float(expected), rel=1e-6)
    assert float(network.slope) == pytest.approx(0.7)
    assert network.slope.grad is None


@pytest.mark.vouches("protocols/transfer", paper="P680")
def test_success_counts_the_images_a_target_gets_right_and_then_wrong():
    """Values move by 0.2 towards 0.5 and past it; a twin is fooled as the surrogate is, its mirror never."""

    def centred(slope):
        class Shifted(Bowl):
            def forward(self, x):
                return super().forward(x - 0.5)

        return Shifted(slope).eval().requires_grad_(False)

    values = torch.tensor([0.1, 0.4, 0.45, 0.55, 0.9, 0.65, 0.2, 0.99]).double().reshape(-1, 1, 1, 1)
    labels = torch.tensor([0, 0, 0, 1, 1, 1, 1, 0])
    split = SimpleNamespace(images=values.repeat(64, 1, 1, 1), labels=labels.repeat(64))
    target = partial(SimpleNamespace, recipe={"model": {"plug": "models/mlp"}})
    arm = SimpleNamespace(
        network=centred(1.0),
        world=SimpleNamespace(test=split, train=split),
        generator=lambda *names: torch.Generator(),
        keep=lambda name, array: kept.__setitem__(name, array),
    )
    kept = {}
    targets = [target(network=centred(2.0)), target(network=centred(-1.0))]
    rows = [*transfer(arm, targets=targets, attack=partial(bim, eps=0.2), images=8)]
    found = {tuple(keys): value for *keys, value in rows}
    assert found["top1",] == 0.75
    # Of the six it gets right, four lie within 0.2 of 0.5; the mirror is right on the two others and they move away from 0.5.
    assert found["white_box",] == found["success", "mlp"] == pytest.approx(4 / 6)
    assert found["success", "mlp 2"] == 0
    assert found["success",] == pytest.approx(2 / 6)
    assert found["target_top1",] == pytest.approx(0.5)
    torch.testing.assert_close((kept["attacked"] - values[:6]).abs(), torch.full_like(values[:6], 0.2))


def test_a_target_that_is_never_right_cannot_be_fooled():
    images = torch.ones(4, 1, 1, 1).double()
    assert fooled(Bowl(1.0), images, -images, torch.zeros(4, dtype=torch.long)) == 0.0


def test_targets_of_one_kind_are_numbered():
    kinds = ["resnet", "mlp", "resnet", "resnet"]
    assert names([SimpleNamespace(recipe={"model": {"plug": f"models/{kind}"}}) for kind in kinds]) == [
        "resnet",
        "mlp",
        "resnet 2",
        "resnet 3",
    ]


@pytest.mark.parametrize(
    ("ours", "reference"),
    [
        (sgd, lambda p: torch.optim.SGD(p, lr=0.2, momentum=0.9, weight_decay=5e-4, nesterov=True, foreach=False)),
        (adam, lambda p: torch.optim.AdamW(p, lr=1e-3, weight_decay=0.0, foreach=False)),
        (
            partial(SAM, rho=0),
            lambda p: torch.optim.SGD(p, lr=0.2, momentum=0.9, weight_decay=5e-4, nesterov=True, foreach=False),
        ),
    ],
)
def test_updates_of_all_parameters_at_once_are_those_of_one_after_the_other(ours, reference):
    ends = []
    for make in (ours, reference):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Flatten(), nn.Linear(12, 7), nn.ReLU(), nn.Linear(7, 3))
        optimizer = make(network.parameters())

        def loss(network=network, optimizer=optimizer):
            optimizer.zero_grad()
            value = F.cross_entropy(network(torch.rand(9, 3, 2, 2)), torch.arange(9) % 3)
            value.backward()
            return value

        for _ in range(5):
            optimizer.step(loss)
        ends.append(torch.cat([weight.detach().flatten() for weight in network.parameters()]))
    assert torch.equal(*ends)


def test_the_cosine_is_torchs_after_a_straight_rise():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = CosineAnnealingLR(optimizer, 80)
    for step in range(80):
        assert cosine(0.2 + step / 100, warmup=0.2) == pytest.approx(theirs.get_last_lr()[0], abs=1e-6)
        optimizer.step()
        theirs.step()
    assert [cosine(progress, warmup=0.2) for progress in (0, 0.05, 0.1)] == pytest.approx([0, 0.25, 0.5])
