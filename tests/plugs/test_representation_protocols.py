"""Protocols of the representation studies on networks whose answers are known beforehand."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import LinearRegression
from torch import nn

from assay.data.batch import TensorSplit, TensorWorld
from assay.errors import StudyError
from assay.metrics.cka import cka
from assay.metrics.svcca import svcca
from assay.models.resnet import resnet
from assay.objectives.simsiam import SimSiam
from assay.protocols.convergent import activations, convergent, single_prediction
from assay.protocols.distilled import distilled
from assay.protocols.self_supervised import self_supervised
from assay.protocols.soups import soups
from assay.training.network import Network, Trained


def network(seed, classes=4):
    torch.manual_seed(seed)
    return Network(resnet(3, classes, 8, width=4), torch.zeros(3), torch.ones(3)).eval().requires_grad_(False)


def split(count, seed, classes=4):
    images = torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    return TensorSplit(images, torch.arange(count) % classes, {})


def arm(own, objective=None, saved=None, loss=()):
    """As much of an arm as these protocols look at."""
    recipe = {"objective": objective or {"plug": "objectives/cross_entropy", "parameters": {"label_smoothing": 0.0}}}
    return SimpleNamespace(
        network=own,
        trained=Trained(own, {"loss": torch.tensor(loss)}, recipe, saved or {}),
        world=TensorWorld(split(64, 0), split(48, 1), ("a", "b", "c", "d"), {}),
        recipe=recipe,
        device=torch.device("cpu"),
        generator=lambda *names: torch.Generator().manual_seed(len(str(names))),
        keep=lambda name, array: None,
        load=None,
    )


def permuted(original, seed=0):
    """The same function with the channels inside the first stage's block, and the stage's output, in another order."""
    copy = network(0)
    copy.load_state_dict(original.state_dict())
    order = torch.randperm(4, generator=torch.Generator().manual_seed(seed))
    assert not torch.equal(order, torch.arange(4))
    state = copy.state_dict()
    for name in ("conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var"):
        state[f"model.{name}"] = state[f"model.{name}"][order]
    block = "model.layer1.0"
    state[f"{block}.conv1.weight"] = state[f"{block}.conv1.weight"][:, order]
    for name in ("conv2.weight", "bn2.weight", "bn2.bias", "bn2.running_mean", "bn2.running_var"):
        state[f"{block}.{name}"] = state[f"{block}.{name}"][order]
    copy.load_state_dict(state)
    return copy.eval()


def test_convergence_is_measured_on_a_bounded_number_of_images():
    """A data set's whole test split would not fit in memory, layer by layer."""
    many, first = arm(network(1)), arm(network(1))
    many.world = replace(many.world, test=split(1100, 1))
    first.world = replace(first.world, test=TensorSplit(many.world.test.images[:1024], many.world.test.labels[:1024], {}))
    found = [list(convergent(each, other=Trained(network(2)), layers=["layer4"], samples=64)) for each in (many, first)]
    assert found[0] == found[1]


@pytest.mark.vouches("protocols/convergent", paper="P011")
def test_a_network_with_its_units_in_another_order_converges_fully():
    first = network(1)
    second = permuted(first)
    rows = {
        (metric, x): value for metric, x, value in convergent(arm(first), other=Trained(second), layers=["layer1"], decay=0.0)
    }
    for metric in ("matched", "best", "one_r2", "sparse_r2", "dense_r2", "cka", "svcca"):
        assert rows[metric, 1] == pytest.approx(1, abs=1e-3), metric
    assert rows["unmatched", 1] == 0
    unit_by_unit = activations(first, arm(first).world.test.images, ["layer1"])["layer1"]
    assert not torch.allclose(unit_by_unit, activations(second, arm(first).world.test.images, ["layer1"])["layer1"])


@pytest.mark.vouches("protocols/convergent", paper="P011")
def test_with_other_images_even_the_same_network_hardly_agrees():
    own = network(1)
    rows = {metric: value for metric, _, value in convergent(arm(own), other=Trained(own), layers=["layer1"], mismatched=True)}
    assert rows["matched"] < 0.5
    assert rows["dense_r2"] < 0.5
    images = arm(own).world.test.images
    x, y = (activations(own, each, ["layer1"])["layer1"].numpy() for each in (images, torch.cat([images[-1:], images[:-1]])))
    assert rows["cka"] == pytest.approx(cka(x, y))
    assert rows["svcca"] == pytest.approx(svcca(x, y))


@pytest.mark.vouches("protocols/convergent", paper="P011")
def test_what_one_unit_explains_is_the_best_simple_regressions_share():
    first, second = np.random.default_rng(0).normal(size=(2, 200, 3))
    second[:, 0] -= 2 * first[:, 1]
    fits = [[LinearRegression().fit(first[:, [i]], y).score(first[:, [i]], y) for i in range(3)] for y in second.T]
    assert single_prediction(first, second) == pytest.approx(np.mean([max(row) for row in fits]))


def test_activations_are_positions_by_channels_and_unknown_layers_are_named():
    own, images = network(0), torch.rand(5, 3, 8, 8)
    found = activations(own, images, ["layer1", "layer3"])
    assert found["layer1"].shape == (5 * 64, 4)
    assert found["layer3"].shape == (5 * 4, 16)
    model = own.model
    stage = model.layer1(model.act1(model.bn1(model.conv1(images))))
    torch.testing.assert_close(found["layer1"][64 + 9], stage[1, :, 1, 1])
    with pytest.raises(StudyError, match="no module 'layer9' in the model"):
        activations(own, images, ["layer9"])


@pytest.mark.vouches("protocols/distilled", paper="P106")
def test_a_student_is_compared_with_its_teacher_by_answers_and_by_divergence():
    student, teacher = network(0), network(1)
    measured = arm(student)
    rows = dict(distilled(measured, teacher=Trained(teacher)))
    p, q = (net(measured.world.test.images).softmax(1) for net in (teacher, student))
    assert rows["divergence"] == pytest.approx(float((p * (p / q).log()).sum(1).mean()), abs=1e-6)
    assert rows["agreement"] == pytest.approx(float((p.argmax(1) == q.argmax(1)).double().mean()))
    assert rows["top1"] == pytest.approx(float((q.argmax(1) == measured.world.test.labels).double().mean()))
    itself = dict(distilled(measured, teacher=Trained(student)))
    assert itself["agreement"] == 1
    assert itself["divergence"] == pytest.approx(0, abs=1e-6)


@pytest.mark.vouches("protocols/self_supervised", paper="P232")
def test_the_spread_is_that_of_the_projections_the_network_was_trained_with():
    own = network(0)
    objective = SimSiam(width=16)
    objective.prepare(own, arm(own).world)
    # A last layer of one direction alone: every projection is a multiple of it.
    with torch.no_grad():
        objective.projector[6].weight.copy_(torch.ones(16, 1) * torch.ones(1, 16))
    objective.eval()
    spec = {"plug": "objectives/simsiam", "parameters": {"width": 16, "stop_gradient": True, "predictor": "mlp"}}
    rows = dict(self_supervised(arm(own, spec, objective.state_dict(), loss=[0.5, -0.25]), neighbours=5))
    z = F.normalize(objective.embed(own, arm(own).world.test.images), dim=1).detach()
    assert rows["output_std"] == pytest.approx(float(z.std(0, correction=0).mean()), abs=1e-6)
    assert rows["spread"] == pytest.approx(4 * rows["output_std"])
    assert rows["output_std"] < 1e-4
    assert rows["train_loss"] == -0.25
    assert 0 <= rows["knn"] <= 1


@pytest.mark.vouches("protocols/self_supervised", paper="P232")
def test_without_projections_the_features_are_looked_at():
    own = network(0)
    rows = dict(self_supervised(arm(own), neighbours=64))
    z = F.normalize(own.features(arm(own).world.test.images), dim=1)
    assert rows["output_std"] == pytest.approx(float(z.std(0, correction=0).mean()), abs=1e-6)
    assert rows["spread"] == pytest.approx(rows["output_std"] * z.shape[1] ** 0.5)
    assert rows["spread"] > 0.1
    assert "train_loss" not in rows


class Fixed(nn.Module):
    """The same logits for every image."""

    def __init__(self, logits):
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))

    def forward(self, images):
        return self.logits.expand(len(images), -1)


def same(images, severity, generator):
    """A corruption that changes nothing."""
    return images


@pytest.mark.vouches("protocols/soups", paper="P308")
def test_the_ensemble_averages_logits_and_single_networks_are_averaged_by_accuracy():
    # Alone the two answer class 0 and class 1 (each right on a quarter); their mean logits answer class 2.
    pool = [Trained(Fixed([3.0, 0.0, 2.0, 0.0])), Trained(Fixed([0.0, 3.0, 2.0, 0.0]))]
    measured = arm(network(0))
    test = TensorSplit(torch.rand(8, 3, 8, 8), torch.tensor([2, 2, 2, 2, 0, 0, 0, 1]), {})
    measured.world = TensorWorld(measured.world.train, test, (), {})
    rows = {row[0]: row[-1] for row in soups(measured, pool=pool, corruptions=[partial(same)])}
    assert rows["top1"] == 0.5
    assert rows["single"] == pytest.approx((3 / 8 + 1 / 8) / 2)
    assert rows["shifted"] == rows["top1"]
    assert rows["single_shifted"] == rows["single"]


@pytest.mark.vouches("protocols/soups", paper="P308")
def test_the_path_starts_and_ends_at_its_networks():
    ends = [network(0), network(1)]
    measured = arm(ends[0])
    rows = list(soups(measured, path=[Trained(end) for end in ends], corruptions=[partial(same)]))
    path = {row[1]: row[2] for row in rows if row[0] == "path"}
    assert list(path) == [0, 0.25, 0.5, 0.75, 1]
    labels = measured.world.test.labels
    for step, end in ((0, ends[0]), (1, ends[1])):
        expected = (end(measured.world.test.images).argmax(1) == labels).double().mean()
        assert path[step] == pytest.approx(float(expected))
    with pytest.raises(StudyError, match="path names 1 networks"):
        list(soups(measured, path=[Trained(ends[0])], corruptions=[partial(same)]))
