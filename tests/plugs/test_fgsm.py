"""FGSM, its random control and training on it, against the closed forms of a linear classifier."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from assay.attacks._ascent import ascend
from assay.attacks.fgsm import fgsm
from assay.attacks.random_sign import random_sign
from assay.data.batch import Batch
from assay.objectives.fgsm_training import fgsm_training


@pytest.fixture
def logistic():
    """A two-class linear network whose logit difference is w . x + b, with images and labels."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 2)).double()
    images = torch.rand(20, 3, 2, 2, dtype=torch.float64)
    return network, images, torch.randint(0, 2, (20,))


def margin_and_weight(network, images, labels):
    """The signed logit difference of the label, and w."""
    w = network[1].weight[1] - network[1].weight[0]
    logits = network(images)
    return (logits[:, 1] - logits[:, 0]) * (2 * labels - 1), w


@pytest.mark.vouches("attacks/fgsm", paper="P127")
def test_fgsm_lowers_a_linear_margin_by_eps_times_the_l1_norm_of_the_weights(logistic):
    network, images, labels = logistic
    before, w = margin_and_weight(network, images, labels)
    moved = fgsm(network, images, labels, torch.Generator(), eps=0.07, clip=False)
    after, _ = margin_and_weight(network, moved, labels)
    torch.testing.assert_close(before - after, torch.full_like(before, 0.07) * w.abs().sum())


@pytest.mark.vouches("attacks/fgsm", paper="P127")
def test_no_perturbation_in_the_max_norm_ball_is_worse_for_a_linear_network(logistic):
    network, images, labels = logistic
    worst = F.cross_entropy(network(fgsm(network, images, labels, torch.Generator(), eps=0.1, clip=False)), labels)
    generator = torch.Generator().manual_seed(1)
    for _ in range(50):
        other = random_sign(network, images, labels, generator, eps=0.1, clip=False)
        assert F.cross_entropy(network(other), labels) < worst


def test_clip_keeps_images_in_range(logistic):
    network, images, labels = logistic
    for attack in (fgsm, random_sign):
        moved = attack(network, images, labels, torch.Generator(), eps=0.5)
        assert moved.min() >= 0
        assert moved.max() <= 1


@pytest.mark.vouches("attacks/random_sign", paper="P127")
def test_random_signs_have_the_size_of_the_attack_but_an_even_chance_of_either_side(logistic):
    network, _, _ = logistic
    images = torch.full((400, 3, 2, 2), 0.5, dtype=torch.float64)
    moved = random_sign(network, images, torch.zeros(400, dtype=torch.long), torch.Generator().manual_seed(0), eps=0.2)
    torch.testing.assert_close((moved - images).abs(), torch.full_like(images, 0.2))
    up = (moved > images).double()
    deviation = 0.5 / up.numel() ** 0.5
    assert abs(float(up.mean()) - 0.5) < 4 * deviation
    # Neighbours, channels and images are tossed apart.
    assert abs(float(((up[..., 0] - 0.5) * (up[..., 1] - 0.5)).mean())) < 4 * 0.25 / (up.numel() / 2) ** 0.5


@pytest.mark.vouches("objectives/fgsm_training", paper="P127")
def test_training_loss_of_logistic_regression_is_the_papers_closed_form(logistic):
    """Section 5: adversarial training of logistic regression minimises softplus(eps ||w||_1 - y (w x + b))."""
    network, images, labels = logistic
    batch = Batch(images, labels, F.one_hot(labels, 2).double(), torch.arange(20), images)
    margin, w = margin_and_weight(network, images, labels)
    adversarial = F.softplus(0.05 * w.abs().sum() - margin).mean()
    clean = F.softplus(-margin).mean()
    for alpha in (0.0, 0.3, 1.0):
        loss = fgsm_training(network, batch, attack=partial(fgsm, eps=0.05, clip=False), alpha=alpha)
        torch.testing.assert_close(loss, alpha * clean + (1 - alpha) * adversarial)
    loss.backward()
    assert all(p.grad.abs().sum() > 0 for p in network.parameters())


@pytest.mark.vouches("attacks/fgsm", paper="P127")
def test_a_network_that_is_certain_is_attacked_along_the_same_signs():
    """The sign of a linear network's gradient does not depend on how far the image lies from the boundary."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    images = torch.full((1, 3, 2, 2), 0.5)
    signs = []
    for bias in (0.0, 30.0):
        network[1].bias.data = torch.tensor([bias, -bias])
        signs.append(fgsm(network, images, torch.tensor([0]), torch.Generator(), eps=0.1) > images)
    assert signs[0].equal(signs[1])


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_an_ascent_of_no_length_ends_where_it_starts(norm):
    """At the images and the start given, cut at the range of images where asked."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 2)).requires_grad_(False)
    images, start = torch.rand(4, 3, 2, 2), 0.2 * torch.rand(4, 3, 2, 2)
    for clip, expected in ((False, images + start), (True, (images + start).clamp(max=1))):
        options = {"norm": norm, "eps": 1.0, "steps": 2, "length": 0.0, "targeted": False, "clip": clip}
        found = ascend(network, images, torch.zeros(4, dtype=torch.long), start, **options)
        torch.testing.assert_close(found, expected)
