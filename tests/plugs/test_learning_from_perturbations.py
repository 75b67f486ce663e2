"""Attacks on few pixels, worlds of perturbed images and agreement of decisions, on linear networks solved by hand."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from assay.attacks.few_pixels import few_pixels
from assay.attacks.pgd import pgd
from assay.data.batch import to_tensors
from assay.data.seeds import Draw
from assay.protocols.agreement_with import agreement_with
from assay.training.network import Network, Trained
from assay.worlds.digits import digits
from assay.worlds.perturbed import perturbed

CPU = torch.device("cpu")
ATTACK = partial(pgd, norm="l2", eps=1.5, steps=5, targeted=True, random_start=False)


def linear(features: int = 12, classes: int = 2, seed: int = 0, channels: int = 3) -> Network:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Flatten(), nn.Linear(features, classes))
    return Network(model, torch.zeros(channels), torch.ones(channels)).eval().requires_grad_(False)


@pytest.mark.vouches("attacks/few_pixels", paper="P214")
@pytest.mark.parametrize("targeted", [True, False])
def test_of_a_linear_network_the_values_of_largest_weights_move(targeted):
    """The gradient of a two-class linear network is a multiple of w everywhere, so step k frees the k-th largest |w|."""
    network = linear()
    w = network.model[1].weight[1] - network.model[1].weight[0]
    images, labels = torch.full((6, 3, 2, 2), 0.5), torch.tensor([0, 1, 0, 1, 1, 0])
    moved = few_pixels(network, images, labels, torch.Generator(), pixels=3, step=0.1, targeted=targeted)
    order = w.abs().argsort(descending=True)
    expected = torch.zeros(12)
    for step in range(3):  # the value freed first has moved three times by 0.1, the others in proportion to their weight
        free = order[: step + 1]
        expected[free] += 0.1 * w[free] / w[order[0]].abs()
    side = (2 * labels - 1) * (1 if targeted else -1)
    torch.testing.assert_close((moved - images).flatten(1), side[:, None] * expected, atol=1e-6, rtol=0)


@pytest.mark.vouches("attacks/few_pixels", paper="P214")
def test_no_more_values_change_than_allowed_and_none_leaves_the_range():
    torch.manual_seed(1)
    network = Network(nn.Sequential(nn.Flatten(), nn.Linear(48, 20), nn.Tanh(), nn.Linear(20, 5)), torch.zeros(3), torch.ones(3))
    images, labels = torch.rand(30, 3, 4, 4), torch.randint(5, (30,))
    before = (network(images).argmax(1) == labels).sum()
    moved = few_pixels(network, images, labels, torch.Generator(), pixels=7, targeted=True)
    changed = (moved != images).flatten(1).sum(1)
    assert 1 < changed.max() <= 7
    assert moved.min() >= 0
    assert moved.max() <= 1
    assert (network(moved).argmax(1) == labels).sum() > before
    loss = nn.functional.cross_entropy
    assert (loss(network(moved), labels, reduction="none") <= loss(network(images), labels, reduction="none")).all()


@pytest.fixture(scope="module")
def source() -> Trained:
    return Trained(linear(64, 10, channels=1))


def world(source: Trained, **parameters):
    return perturbed(Draw("test", 0), source=source, of=partial(digits, train=400, test=50), **parameters)


@pytest.mark.vouches("worlds/perturbed", paper="P214")
def test_labels_are_drawn_without_a_look_at_the_images_which_move_towards_them(source):
    clean, untouched, made = (
        digits(Draw("test", 0), train=400, test=50),
        world(source, copies=3),
        world(source, copies=3, attack=ATTACK),
    )
    row = made.train.factors["row"]
    assert np.bincount(row).tolist() == [3] * 400
    np.testing.assert_array_equal(untouched.train.images, clean.train.images[row])
    np.testing.assert_array_equal(untouched.train.labels, made.train.labels)
    np.testing.assert_array_equal(made.test.images, clean.test.images)
    np.testing.assert_array_equal(made.test.labels, clean.test.labels)
    # Independent of what is shown: as often right as by chance, within four deviations.
    right = (made.train.labels == clean.train.labels[row]).mean()
    assert abs(right - 0.1) < 4 * (0.1 * 0.9 / len(row)) ** 0.5
    assert stats.chisquare(np.bincount(made.train.labels, minlength=10)).pvalue > 1e-4
    size = np.linalg.norm((made.train.images - untouched.train.images).reshape(len(row), -1), axis=1)
    assert size.max() <= 1.5 + 1e-5
    assert size.mean() > 0.5
    answers = [source.network(torch.from_numpy(each.train.images)).argmax(1).numpy() for each in (untouched, made)]
    before, after = ((each == made.train.labels).mean() for each in answers)
    assert after > before + 0.3


@pytest.mark.vouches("worlds/perturbed", paper="P214")
def test_noise_keeps_nothing_of_the_images(source):
    clean, noise = digits(Draw("test", 0), train=400, test=50), world(source, base="noise")
    means = [each.train.images.mean(0).ravel() for each in (clean, noise)]
    assert abs(noise.train.images.mean() - 0.5) < 0.01
    assert abs(noise.train.images.var() - 1 / 12) < 0.005
    assert means[1].std() < 0.05 < means[0].std()
    for digit in range(10):
        assert abs(noise.train.images[clean.train.labels == digit].mean(0).ravel() - 0.5).max() < 0.35


def observed(network: Network, reference: Network, world) -> dict[str, float]:
    arm = SimpleNamespace(
        network=network,
        world=to_tensors(world, CPU),
        device=CPU,
        generator=lambda *names: torch.Generator().manual_seed(0),
        keep=lambda name, array: kept.__setitem__(name, array),
    )
    kept = {}
    found = dict(agreement_with(arm, reference=SimpleNamespace(network=reference)))
    assert torch.equal(kept["training_images"], arm.world.train.images[:10])
    return found


@pytest.mark.vouches("protocols/agreement_with", paper="P214")
def test_a_twin_agrees_always_and_a_network_with_turned_answers_never(source):
    twin, turned = linear(64, 10, channels=1), linear(64, 10, channels=1)
    for parameter in turned.model[1].parameters():
        parameter.data = parameter.data.roll(1, 0)
    given = world(source, attack=ATTACK)
    same, other = observed(twin, source.network, given), observed(turned, source.network, given)
    assert same["agreement"] == same["noise_agreement"] == 1
    assert other["agreement"] == other["noise_agreement"] == 0
    assert same["train_top1"] == same["carried"] == other["carried"] > 0.5
    answers = twin(torch.from_numpy(given.test.images)).argmax(1).numpy()
    assert same["top1"] == pytest.approx((answers == given.test.labels).mean())
    assert other["top1"] == pytest.approx(((answers + 1) % 10 == given.test.labels).mean())
