"""A Gaussian over features of good images: against scikit-learn, and on data whose defect lies in one known component."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from fake_arm import FakeArm
from sklearn.covariance import LedoitWolf
from torch import nn

from assay.data.batch import TensorSplit, TensorWorld
from assay.errors import StudyError
from assay.models.autoencoder import Autoencoder
from assay.objectives.reconstruction import reconstruction
from assay.protocols.gaussian_anomaly import distance, gaussian_anomaly, level_means
from assay.training.network import Network, Trained

SEEN = np.random.default_rng(0).normal(size=(400, 6)) * np.array([9.0, 6, 3, 1, 0.3, 0.1])
ASKED = np.random.default_rng(1).normal(size=(50, 6)) * np.array([9.0, 6, 3, 1, 0.3, 0.1])


@pytest.mark.vouches("protocols/gaussian_anomaly", paper="P123")
def test_all_components_give_the_mahalanobis_distance_of_scikit_learn():
    expected = np.sqrt(LedoitWolf().fit(SEEN).mahalanobis(ASKED))
    np.testing.assert_allclose(distance(SEEN, ASKED, "mahalanobis", "all", 0.25), expected, rtol=1e-9)


def test_top_and_low_together_are_all():
    top, low = (distance(SEEN, ASKED, "mahalanobis", which, 0.5) for which in ("top", "low"))
    np.testing.assert_allclose(np.hypot(top, low), distance(SEEN, ASKED, "mahalanobis", "all", 0.5), rtol=1e-9)


@pytest.mark.vouches("protocols/gaussian_anomaly", paper="P123")
def test_a_shift_in_a_small_component_is_seen_by_the_low_ones_alone():
    small, large = ASKED.copy(), ASKED.copy()
    small[:, 5] += 10  # twenty deviations of its shrunk variance, about 0.5 squared
    large[:, 0] += 180  # as many of the largest
    for changed, by, not_by in ((small, "low", "top"), (large, "top", "low")):
        before, after = (distance(SEEN, images, "mahalanobis", by, 1 / 6) for images in (ASKED, changed))
        assert (after - before).mean() > 10
        same = [distance(SEEN, images, "mahalanobis", not_by, 1 / 6) for images in (ASKED, changed)]
        assert abs((same[1] - same[0]).mean()) < 1


def test_euclidean_distance_by_hand():
    assert distance(np.array([[0.0, 0], [2, 0]]), np.array([[1.0, 0], [4, 4]]), "euclidean", "all", 0.5).tolist() == [0, 5]


class Halves(nn.Module):
    """Two levels by hand: the images, and twice the images."""

    def __init__(self):
        super().__init__()
        self.same, self.twice = nn.Identity(), nn.Conv2d(2, 2, 1, bias=False)
        self.twice.weight.data = 2 * torch.eye(2)[:, :, None, None]

    def forward(self, images):
        return self.twice(self.same(images)).mean((2, 3))


def world(train: torch.Tensor, test: torch.Tensor, labels: list[int]) -> TensorWorld:
    splits = [TensorSplit(images, torch.tensor(each), {}) for images, each in ((train, [0] * len(train)), (test, labels))]
    return TensorWorld(*splits, ("good", "defective"), {})


def arm(model: nn.Module, *splits, **changes) -> FakeArm:
    network = Network(model.eval(), torch.zeros(2), torch.ones(2))
    return FakeArm(network=network, trained=Trained(network), world=world(*splits), **changes)


def test_levels_are_means_over_places():
    images = torch.arange(16.0).reshape(1, 2, 2, 4)
    same, twice = level_means(Network(Halves(), torch.zeros(2), torch.ones(2)), images, ["same", "twice"])
    assert same.tolist() == [[3.5, 11.5]]
    assert twice.tolist() == [[7, 23]]


def test_a_defect_that_the_features_show_is_told_without_error():
    train = torch.randn(60, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    good, bad = torch.randn(20, 2, 4, 4, generator=torch.Generator().manual_seed(1)), torch.full((20, 2, 4, 4), 3.0)
    splits = (train, torch.cat([good, bad]), [0] * 20 + [1] * 20)
    found = list(gaussian_anomaly(arm(Halves(), *splits), levels=["same", "twice"]))
    assert found == [("auroc_level", 1, 1.0), ("auroc_level", 2, 1.0), ("auroc", 1.0)]
    mixed = arm(Halves(), train, torch.cat([good, good]), [0] * 20 + [1] * 20)
    assert list(gaussian_anomaly(mixed, levels=["same"]))[-1] == ("auroc", 0.5)


def test_reconstruction_scores_by_error_and_says_what_it_rebuilds():
    class Mean(nn.Module):
        def forward(self, images):
            return images.mean((2, 3), keepdim=True).expand_as(images)

    flat, striped = torch.rand(10, 2, 1, 1).expand(10, 2, 4, 4), torch.rand(10, 2, 1, 4).expand(10, 2, 4, 4)
    given = arm(Mean(), flat, torch.cat([flat, striped]), [0] * 10 + [1] * 10)
    found = dict(gaussian_anomaly(given, score="reconstruction"))
    assert found["auroc"] == 1
    assert found["explained"] == pytest.approx(1, abs=1e-6)


def test_training_images_with_a_defect_are_refused():
    given = arm(Halves(), torch.rand(4, 2, 4, 4), torch.rand(4, 2, 4, 4), [0, 0, 1, 1])
    spoiled = replace(given.world.train, labels=torch.tensor([0, 0, 0, 1]))
    given.world = replace(given.world, train=spoiled)
    with pytest.raises(StudyError, match=r"training images of label 1 \(allowed: 0, good ones\)"):
        list(gaussian_anomaly(given, levels=["same"]))


@pytest.mark.vouches("models/autoencoder", paper="P123")
def test_an_autoencoder_has_no_way_around_its_code():
    """Twice the images are no more codes: 8 x 8 x 8 numbers for 64 x 64 pixels."""
    model = Autoencoder(3, 2, 64, code=8).eval()
    assert model.encoder(torch.rand(2, 3, 64, 64)).shape == (2, 8, 8, 8)
    assert model(torch.rand(2, 3, 64, 64)).shape == (2, 3, 64, 64)
    with pytest.raises(StudyError, match="size 20 is not allowed; use a multiple of 8"):
        Autoencoder(3, 2, 20)


@pytest.mark.vouches("objectives/reconstruction", paper="P123")
def test_the_loss_of_a_network_that_answers_grey_is_the_images_variance_around_it():
    class Grey(nn.Module):
        def forward(self, images):
            return torch.full_like(images, 0.5)

    batch = FakeArm(images=torch.tensor([[[[0.0, 1.0]]], [[[0.5, 0.5]]]]))
    assert reconstruction(Grey(), batch).item() == pytest.approx((0.25 + 0.25 + 0 + 0) / 4)
