"""Adversarial filtration on networks whose answers are known, and average precision against a count by hand."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fake_arm import FakeArm
from torch import nn

from assay.data.batch import to_tensors
from assay.data.world import Split, World
from assay.errors import StudyError
from assay.metrics.aupr import aupr
from assay.protocols.filtered import fails, filtered
from assay.scores.msp import msp
from assay.training.network import Network

CPU = torch.device("cpu")


@pytest.mark.vouches("metrics/aupr", paper="P068")
def test_average_precision_by_hand():
    """Positives at ranks 1, 3 and 4 of five: precisions 1, 2/3 and 3/4."""
    assert aupr(np.array([0.9, 0.6, 0.5]), np.array([0.7, 0.1])) == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    assert aupr(np.array([2.0]), np.array([1.0] * 5)) == 1
    assert aupr(np.ones(100), np.ones(500)) == pytest.approx(1 / 6)


@pytest.mark.vouches("protocols/filtered", paper="P068")
def test_an_image_is_kept_if_the_answer_is_wrong_and_the_true_class_improbable():
    probabilities = torch.tensor([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.2, 0.5, 0.3], [0.14, 0.46, 0.4], [0.3, 0.3, 0.4]])
    assert fails(probabilities.log(), torch.tensor([0, 0, 0, 0, 0]), 0.15).tolist() == [False, True, False, True, False]
    assert fails(probabilities.log(), torch.tensor([0, 0, 0, 0, 0]), 0.25).tolist() == [False, True, True, True, False]


class Reads(nn.Module):
    """Reads the class off the pixel in a column, in tenths on a circle of classes; the other column means nothing to it."""

    def __init__(self, column: int, classes: int = 4):
        super().__init__()
        self.column, self.classes = column, classes

    def forward(self, images):
        apart = (10 * images[:, 0, 0, self.column, None] - torch.arange(self.classes)).abs()
        return -4 * torch.minimum(apart, self.classes - apart)


def world(columns: np.ndarray, labels: np.ndarray, classes: tuple[str, ...]) -> World:
    """Images of one row of pixels, which hold the values of `columns` (N, 2) in tenths."""
    split = Split((columns / 10).astype(np.float32)[:, None, None, :], labels.astype(np.int64))
    return World(split, split, classes)


NAMES = ("a", "b", "c", "d")


def observed(column: int, sieve: int, pool: World, unknown: World, kept: dict | None = None) -> dict[str, float]:
    arm = FakeArm(
        network=network(column),
        trained=SimpleNamespace(records={}),
        world=to_tensors(pool, CPU),
        make=lambda plug: to_tensors(plug(None), CPU),
        generator=lambda *names: torch.Generator().manual_seed(len(names)),
        keep=({} if kept is None else kept).__setitem__,
    )
    worlds = {"pool": partial(lambda draw: pool), "unknown": partial(lambda draw: unknown)}
    return {
        name: float(value) for name, value in filtered(arm, sieve=SimpleNamespace(network=network(sieve)), score=msp, **worlds)
    }


def network(column: int) -> Network:
    return Network(Reads(column), torch.zeros(1), torch.ones(1)).eval()


@pytest.fixture(scope="module")
def worlds() -> tuple[World, World]:
    """800 known images: the first column shows the class in three of four, the second in half of them, independently."""
    labels = np.arange(800) % 4
    step = np.arange(800) // 4
    columns = (
        np.stack([np.where(step % 4 == 0, labels + 1, labels), np.where(step // 4 % 2 == 0, labels + 2, labels)], axis=1) % 4
    )
    # Unknown: in half of the images a value that a network knows, in the others one halfway between two.
    sure = np.where(np.arange(400) % 2 == 0, 1, 1.5)
    return world(columns, labels, NAMES), world(np.stack([sure, sure], axis=1), np.full(400, 4), (*NAMES, "e"))


@pytest.mark.vouches("protocols/filtered", paper="P068")
def test_what_the_filter_fails_on_is_hard_for_itself_and_as_hard_as_anything_for_an_independent_network(worlds):
    own, other = observed(0, 0, *worlds), observed(1, 0, *worlds)
    assert own["top1"] == pytest.approx(0.75)
    assert own["kept"] == other["kept"] == pytest.approx(0.25)
    assert own["filtered"] == 0
    assert other["top1"] == other["filtered"] == pytest.approx(0.5)
    for found, truth in ((own, 0.75), (other, 0.5)):
        for control in ("random", "wrong_label"):
            assert abs(found[control] - truth) < 0.15


@pytest.mark.vouches("protocols/filtered", paper="P068")
def test_unknown_images_that_look_known_cannot_be_told(worlds):
    """The network is as sure of every kept unknown image as of every known one: chance, 1 in 6. Half of all can be told."""
    found = observed(0, 0, *worlds)  # the fifth kept lies within the half that looks known
    assert found["aupr"] == pytest.approx(1 / 6, abs=0.01)
    assert found["aupr_random"] > 0.5


def test_of_two_unknown_images_the_surest_is_kept(worlds):
    """A fifth of two is none, so one: the second, whose value the filter knows."""
    pool, kept = worlds[0], {}
    observed(0, 0, pool, world(np.array([[1.5, 0], [1, 0]]), np.full(2, 4), (*NAMES, "e")), kept)
    np.testing.assert_allclose(kept["unknown"][:, 0, 0], [[0.1, 0]])
    assert len(kept["filtered"]) == 10


def test_a_filter_that_fails_on_nothing_is_refused(worlds):
    pool, unknown = worlds
    easy = world(np.stack([pool.test.labels] * 2, axis=1), pool.test.labels, NAMES)
    with pytest.raises(StudyError, match="fails on none of 800 images"):
        observed(0, 0, easy, unknown)
