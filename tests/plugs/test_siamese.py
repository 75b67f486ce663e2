"""SimSiam and SimCLR against closed forms and defining identities; kNN and spread against scikit-learn and theory."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from assay.data.batch import Batch
from assay.errors import StudyError
from assay.metrics.knn import knn
from assay.metrics.output_std import output_std
from assay.models.resnet import resnet
from assay.objectives.simclr import SimCLR, nt_xent
from assay.objectives.simsiam import SimSiam, negative_cosine
from assay.training.network import Network


class _World:
    """As much of a world as an objective's prepare looks at."""

    class train:  # noqa: N801
        images = torch.rand(4, 3, 8, 8)


def made(objective, seed=0):
    torch.manual_seed(seed)
    network = Network(resnet(3, 4, 8, width=4), torch.zeros(3), torch.ones(3))
    objective.prepare(network, _World)
    return network, objective


def two_views(count=16):
    generator = torch.Generator().manual_seed(5)
    first, second = (torch.rand(count, 3, 8, 8, generator=generator) for _ in range(2))
    labels = torch.zeros(count, dtype=torch.long)
    return Batch(first, labels, torch.ones(count, 1), labels, first, views=(first, second))


def gradients(network, objective, batch):
    network.zero_grad()
    objective.zero_grad()
    objective.loss(network, batch).backward()
    parameters = [*network.parameters(), *objective.projector.parameters()]
    return torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])


@pytest.mark.vouches("objectives/simsiam", paper="P232")
def test_without_predictor_stopping_the_gradient_only_halves_it():
    # Section 4.2: the gradient of the symmetrised loss with stop-gradient has the direction of that without, scaled by 1/2.
    stopped = gradients(*made(SimSiam(width=16, predictor="none")), two_views())
    free = gradients(*made(SimSiam(width=16, predictor="none", stop_gradient=False)), two_views())
    assert stopped.norm() > 0
    torch.testing.assert_close(stopped, free / 2, atol=1e-6, rtol=1e-3)


@pytest.mark.vouches("objectives/simsiam", paper="P232")
def test_the_predicted_side_gets_no_gradient_and_the_predicting_side_does():
    network, objective = made(SimSiam(width=16))
    batch = two_views()
    # With the second view held out of the graph altogether, one half of the loss has the very gradient of SimSiam's.
    with torch.no_grad():
        targets = [objective.embed(network, view) for view in batch.views]
    network.zero_grad()
    first, second = (objective.embed(network, view) for view in batch.views)
    loss = negative_cosine(objective.predictor(first), targets[1]) + negative_cosine(objective.predictor(second), targets[0])
    (loss / 2).backward()
    by_hand = network.model.conv1.weight.grad.clone()
    network.zero_grad()
    objective.loss(network, batch).backward()
    torch.testing.assert_close(network.model.conv1.weight.grad, by_hand, atol=1e-6, rtol=1e-3)


@pytest.mark.vouches("objectives/simsiam", paper="P232")
def test_the_loss_is_minus_the_mean_cosine_by_hand():
    p = torch.tensor([[3.0, 4.0], [1.0, 0.0]])
    z = torch.tensor([[8.0, 6.0], [0.0, -2.0]])
    assert negative_cosine(p, z).item() == pytest.approx(-(24 + 24) / 50 / 2)
    network, objective = made(SimSiam(width=16, predictor="none"))
    same = two_views()
    same = replace(same, views=(same.images, same.images))
    assert objective.loss(network, same).item() == pytest.approx(-1, abs=1e-5)


@pytest.mark.vouches("objectives/simsiam", paper="P232")
def test_projector_and_predictor_are_laid_out_as_in_the_paper():
    network, objective = made(SimSiam(width=32))
    kinds = [type(layer) for layer in objective.projector]
    hidden = [nn.Linear, nn.BatchNorm1d, nn.ReLU]
    assert kinds == [*hidden, *hidden, nn.Linear, nn.BatchNorm1d]
    assert [type(layer) for layer in objective.predictor] == [*hidden, nn.Linear]
    assert objective.predictor[0].out_features == 32 // 4
    assert objective.predictor[-1].out_features == 32
    assert list(objective.projector[-1].parameters()) == []  # no affine part, as in the authors' code
    # So in training every channel of z has mean 0 and variance 1.
    z = objective.embed(network.train(), two_views(64).images)
    torch.testing.assert_close(z.mean(0), torch.zeros(32), atol=1e-4, rtol=0)
    torch.testing.assert_close(z.var(0, correction=0), torch.ones(32), atol=0.05, rtol=0)


@pytest.mark.vouches("objectives/simsiam", paper="P232")
def test_a_random_predictor_is_never_updated():
    network, objective = made(SimSiam(width=16, predictor="random"))
    (player,) = objective.players(network)
    trainable = [p for module in player.modules for p in module.parameters() if p.requires_grad]
    held = {id(p) for p in objective.predictor.parameters()}
    assert held
    assert not held & {id(p) for p in trainable}


@pytest.mark.parametrize("objective", [SimSiam(width=16), SimCLR(width=16)])
def test_one_view_is_too_few(objective):
    network, objective = made(objective)
    batch = two_views()
    with pytest.raises(StudyError, match="has 1 views; add augment views"):
        objective.loss(network, replace(batch, views=batch.views[:1]))


@pytest.mark.vouches("objectives/simclr", paper="P232")
def test_nt_xent_against_the_papers_formula_pair_by_pair():
    generator = torch.Generator().manual_seed(1)
    first, second = (torch.randn(5, 7, generator=generator, dtype=torch.float64) for _ in range(2))
    # Algorithm 1 interleaves the views: rows 2k and 2k + 1 are a pair.
    z = torch.stack([first, second], dim=1).flatten(0, 1)
    similarity = [[float(a @ b / (a.norm() * b.norm())) for b in z] for a in z]

    def one(i, j):
        others = sum(math.exp(similarity[i][k] / 0.5) for k in range(10) if k != i)
        return -math.log(math.exp(similarity[i][j] / 0.5) / others)

    expected = sum(one(2 * k, 2 * k + 1) + one(2 * k + 1, 2 * k) for k in range(5)) / 10
    assert nt_xent(first, second, 0.5).item() == pytest.approx(expected)


@pytest.mark.vouches("objectives/simclr", paper="P232")
def test_nt_xent_of_a_collapsed_representation_is_the_logarithm_of_the_number_of_candidates():
    same = torch.ones(8, 3)
    assert nt_xent(same, same, 0.5).item() == pytest.approx(math.log(15), abs=1e-5)


@pytest.mark.vouches("metrics/knn", paper="P232")
def test_knn_is_scikit_learns_with_cosine_distance_and_exponential_weights():
    rng = np.random.default_rng(0)
    labels, new_labels = rng.integers(0, 4, 200), rng.integers(0, 4, 90)
    centres = rng.normal(size=(4, 6))
    features = centres[labels] + rng.normal(size=(200, 6))
    new = centres[new_labels] + rng.normal(size=(90, 6))
    reference = KNeighborsClassifier(15, metric="cosine", weights=lambda d: np.exp((1 - d) / 0.1)).fit(features, labels)
    ours = partial(knn, *(torch.from_numpy(a) for a in (features, labels, new, new_labels)))
    assert ours(neighbours=15) == pytest.approx(reference.score(new, new_labels))
    assert 0.3 < ours(neighbours=15) < 0.95


@pytest.mark.vouches("metrics/knn", paper="P232")
def test_knn_of_constant_features_knows_nothing():
    train_labels, labels = torch.arange(100) % 5, torch.arange(60) % 5
    assert knn(torch.ones(100, 3), train_labels, torch.ones(60, 3), labels, neighbours=100) == pytest.approx(0.2)


@pytest.mark.vouches("metrics/output_std", paper="P232")
@pytest.mark.parametrize("width", [16, 128])
def test_spread_of_an_isotropic_gaussian_is_one_over_the_root_of_the_width(width):
    outputs = torch.randn(20000, width, generator=torch.Generator().manual_seed(0)) * 7
    assert output_std(outputs) == pytest.approx(1 / math.sqrt(width), rel=0.01)


@pytest.mark.vouches("metrics/output_std", paper="P232")
def test_spread_of_one_direction_is_zero_whatever_its_length():
    assert output_std(torch.rand(50, 1) * torch.randn(1, 32)) == pytest.approx(0, abs=1e-6)
    two = torch.cat([torch.eye(2)[:1].repeat(10, 1), torch.eye(2)[1:].repeat(10, 1)])
    assert output_std(two) == pytest.approx(0.5)
