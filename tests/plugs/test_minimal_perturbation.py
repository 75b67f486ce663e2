"""The smallest perturbations of an affine network, whose distances to its boundary are known."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from assay.attacks.deepfool import deepfool
from assay.attacks.fgsm import fgsm
from assay.attacks.pgd import pgd
from assay.attacks.random_sign import random_sign
from assay.protocols.minimal_perturbation import minimal_perturbation

COUNT = 40


@pytest.fixture(scope="module")
def arm():
    """An affine network of two classes in double precision, with labels that are half wrong."""
    torch.manual_seed(4)
    network = nn.Sequential(nn.Flatten(), nn.Linear(48, 2)).double().eval().requires_grad_(False)
    images = torch.rand(COUNT, 3, 4, 4, dtype=torch.float64)
    network[1].bias -= network(images).mean(0)
    split = SimpleNamespace(images=images, labels=torch.zeros(COUNT, dtype=torch.long))
    return SimpleNamespace(
        network=network,
        world=SimpleNamespace(test=split),
        generator=lambda *names: torch.Generator().manual_seed(0),
        keep=lambda name, array: None,
    )


def exact(arm):
    """Distance of each image from the boundary, its norm, and the difference of the weights."""
    images, layer = arm.world.test.images, arm.network[1]
    logits, w = arm.network(images), layer.weight[1] - layer.weight[0]
    return (logits[:, 1] - logits[:, 0]).abs() / w.norm(), images.flatten(1).norm(dim=1), w


@pytest.mark.vouches("protocols/minimal_perturbation", paper="P164")
def test_deepfool_measures_the_distance_and_its_overshoot_in_one_step(arm):
    found = dict(minimal_perturbation(arm, attack=partial(deepfool, clip=False), images=COUNT))
    distance, length, _ = exact(arm)
    assert found["rho"] == pytest.approx(float((1.02 * (distance + 1e-4) / length).mean()), rel=1e-6)
    assert found["excess"] == pytest.approx(float(1.02 * (distance + 1e-4).mean() / distance.mean() - 1), rel=1e-6)
    assert found["fooled"] == 1
    assert found["gradients"] == 4  # of two logits, where it starts and where it sees that it has arrived
    assert found["top1"] == pytest.approx(float((arm.network(arm.world.test.images).argmax(1) == 0).double().mean()))


def test_the_pictures_are_the_first_images_across_the_boundary_and_their_way_there(arm):
    kept = {}
    shown = SimpleNamespace(**{**vars(arm), "keep": kept.__setitem__})
    list(minimal_perturbation(shown, attack=partial(deepfool, clip=False), images=COUNT))
    first = arm.world.test.images[:6]
    torch.testing.assert_close(kept["perturbed"] - kept["perturbation"], first)
    assert (arm.network(kept["perturbed"]).argmax(1) != arm.network(first).argmax(1)).all()


@pytest.mark.vouches("protocols/minimal_perturbation", paper="P164")
def test_an_attack_with_a_size_gets_the_smallest_that_fools(arm):
    """A sign step needs |f| / ||w||_1 in every pixel, sqrt(48) times that in length; the Euclidean one needs the distance."""
    distance, length, w = exact(arm)
    signs = dict(minimal_perturbation(arm, attack=partial(fgsm, clip=False), largest=1.0, images=COUNT))
    expected = float((distance * w.norm() / w.abs().sum() * 48**0.5 / length).mean())
    assert expected <= signs["rho"] <= 1.03 * expected
    euclidean = partial(pgd, norm="l2", random_start=False, steps=3, clip=False)
    found = dict(minimal_perturbation(arm, attack=euclidean, largest=4.0, images=COUNT))
    assert 0 <= found["excess"] <= 0.03
    # One gradient for each size tried: sizes double from 1/128 up to the first that fools, six halvings follow.
    doublings = (distance * w.norm() / w.abs().sum() * 128).log2().ceil().clamp_min(0)
    assert signs["gradients"] == pytest.approx(float((doublings + 7).mean()))
    assert signs["fooled"] == found["fooled"] == 1


@pytest.mark.vouches("protocols/minimal_perturbation", paper="P164")
def test_where_no_size_fools_the_largest_counts_and_nothing_is_called_fooled(arm):
    found = dict(minimal_perturbation(arm, attack=partial(random_sign, clip=False), largest=1e-9, images=COUNT))
    _, length, _ = exact(arm)
    assert found["fooled"] == 0
    assert found["rho"] == pytest.approx(float((1e-9 * 48**0.5 / length).mean()), rel=1e-4)
    assert found["gradients"] == 0
