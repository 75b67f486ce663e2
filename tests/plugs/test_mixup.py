"""Mixup, crop and flip, and the classification protocol that judges mixup."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import stats
from torch import nn

from assay.augment import _draws
from assay.augment.crop import crop
from assay.augment.flip import flip
from assay.augment.mixup import mixup
from assay.data.batch import Batch, TensorSplit, TensorWorld
from assay.metrics.top1 import top1
from assay.protocols.classify import classify


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(count: int = 6, classes: int = 6, size: int = 8) -> Batch:
    """Images that are constant, each with its row's number over the count, and labels that are the row's number."""
    images = (torch.arange(count) / count).reshape(-1, 1, 1, 1).expand(count, 3, size, size)
    labels = torch.arange(count)
    return Batch(images, labels, F.one_hot(labels, classes).float(), labels, images)


@pytest.mark.vouches("augment/mixup", paper="P166")
def test_images_and_targets_are_the_same_convex_pairs():
    """With one-hot targets of distinct rows, a mixed target names both partners and the weight; the image must agree."""
    given = batch()
    for seed in range(20):
        mixed = mixup(given, generator(seed), alpha=1.0)
        torch.testing.assert_close(mixed.targets.sum(1), torch.ones(6))
        assert ((mixed.targets > 0).sum(1) <= 2).all()
        pixels = torch.einsum("bk,kchw->bchw", mixed.targets, given.images)
        torch.testing.assert_close(mixed.images, pixels)
        assert mixed.labels is given.labels
        assert mixed.original is given.original


@pytest.mark.vouches("augment/mixup", paper="P166")
@pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0])
def test_weights_follow_the_beta_distribution_one_a_batch(alpha):
    given = batch(2, 2, 1)
    weights = []
    for seed in range(800):
        mixed = mixup(given, generator(seed), alpha=alpha)
        if mixed.targets[0, 1] > 0:  # the permutation swapped the two
            weights.append(float(mixed.targets[0, 0]))
            torch.testing.assert_close(mixed.targets[0, 0], mixed.targets[1, 1])
    assert len(weights) > 300
    assert stats.kstest(weights, stats.beta(alpha, alpha).cdf).pvalue > 1e-3


def test_dirichlet_weights_have_the_marginals_of_the_distribution():
    draws = _draws.dirichlet(1.0, 2000, 3, generator())
    torch.testing.assert_close(draws.sum(1), torch.ones(2000))
    assert stats.kstest(draws[:, 0].numpy(), stats.beta(1, 2).cdf).pvalue > 1e-3


def test_crop_cuts_each_image_from_its_reflected_padding():
    torch.manual_seed(0)
    images = torch.rand(200, 3, 8, 8)
    given = replace(batch(), images=images)
    cut = crop(given, generator(), share=0.25).images
    padded = np.pad(images.numpy(), ((0, 0), (0, 0), (2, 2), (2, 2)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (8, 8), axis=(2, 3))  # (B, C, 5, 5, 8, 8)
    matches = (windows == cut.numpy()[:, :, None, None]).all((1, 4, 5))
    assert (matches.sum((1, 2)) == 1).all()
    assert matches.any(0).all()  # two pixels either way along each axis
    assert cut.is_contiguous(memory_format=torch.channels_last)


def test_flip_mirrors_about_half_the_images():
    torch.manual_seed(0)
    images = torch.rand(400, 1, 4, 4)
    turned = flip(replace(batch(), images=images, labels=torch.zeros(400)), generator()).images
    mirrored = (turned == images.flip(-1)).flatten(1).all(1)
    kept = (turned == images).flatten(1).all(1)
    assert (mirrored ^ kept).all()
    assert 150 < mirrored.sum() < 250


class Lookup(nn.Module):
    """Answers the class written in an image's first pixel, in tenths."""

    def forward(self, images):
        return F.one_hot((images[:, 0, 0, 0] * 10).round().long(), 10).float()


def split(shown: list[int], labels: list[int], true: list[int]) -> TensorSplit:
    images = (torch.tensor(shown) / 10).reshape(-1, 1, 1, 1)
    return TensorSplit(images, torch.tensor(labels), {"clean_label": torch.tensor(true)})


def world() -> TensorWorld:
    """Four of eight training labels are wrong; the network answers one as given, two with the truth and one with neither."""
    train = split(shown=[0, 1, 2, 9, 5, 5, 6, 9], labels=[0, 1, 2, 3, 5, 4, 7, 8], true=[0, 1, 2, 3, 4, 5, 6, 7])
    return TensorWorld(train, split([0, 1, 2, 9], [0, 1, 2, 3], [0, 1, 2, 3]), tuple("abcdefghij"), {})


@pytest.mark.vouches("protocols/classify", paper="P166")
def test_classification_measures_of_a_hand_worked_world():
    def blinding(network, images, labels, generator):
        return torch.where(labels[:, None, None, None] == 0, images, torch.full_like(images, 0.9))

    arm = SimpleNamespace(world=world(), network=Lookup(), generator=lambda *names: generator())
    measured = dict(classify(arm, attack=blinding))
    assert measured["top1"] == 0.75
    assert measured["train_top1"] == 4 / 8
    assert measured["memorised"] == 1 / 4
    assert measured["recovered"] == 2 / 4
    assert measured["adversarial"] == 0.25
    # One-hot logits: -log(e / (e + 9)) where right, -log(1 / (e + 9)) where wrong.
    np.testing.assert_allclose(measured["loss"], np.log(np.e + 9) - 0.75, rtol=1e-6)


@pytest.mark.vouches("protocols/classify", paper="P166")
def test_clean_worlds_have_nothing_memorised():
    clean = world()
    clean = replace(clean, train=replace(clean.train, labels=clean.train.factors["clean_label"]))
    arm = SimpleNamespace(world=clean, network=Lookup())
    assert set(dict(classify(arm))) == {"top1", "loss", "train_top1"}


def test_top1_counts_rows():
    assert top1(torch.tensor([[1.0, 2.0], [3.0, 0.0], [0.0, 1.0]]), torch.tensor([1, 1, 1])) == pytest.approx(2 / 3)
