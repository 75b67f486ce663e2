"""Risk extrapolation against a loop over rows in double precision."""

import math

import pytest
import torch
from torch import nn

from assay.data.batch import Batch
from assay.errors import StudyError
from assay.objectives.rex import rex

PLACES = (1, 0, 1, 4, 0, 1)


@pytest.fixture
def batch():
    draw = torch.Generator().manual_seed(2)
    images = torch.rand(6, 1, 2, 2, generator=draw, dtype=torch.float64)
    targets = torch.rand(6, 3, generator=draw, dtype=torch.float64)
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    factors = {"place": torch.tensor(PLACES)}
    return Batch(images, labels, targets / targets.sum(1, keepdim=True), torch.arange(6), images, factors=factors)


@pytest.fixture
def network():
    torch.manual_seed(1)
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 3)).double()


def by_hand(network, batch, weight):
    risks = {}
    for logits, target, place in zip(network(batch.images).tolist(), batch.targets.tolist(), PLACES, strict=True):
        total = math.log(sum(map(math.exp, logits)))
        risks.setdefault(place, []).append(sum(t * (total - logit) for t, logit in zip(target, logits, strict=True)))
    means = [sum(own) / len(own) for own in risks.values()]
    middle = sum(means) / len(means)
    return middle + weight * sum((mean - middle) ** 2 for mean in means) / len(means)


@pytest.mark.vouches("objectives/rex")
@pytest.mark.parametrize("weight", [0.0, 1.0, 50.0])
def test_it_is_the_mean_risk_and_the_spread_of_risks(network, batch, weight):
    assert rex(network, batch, factor="place", weight=weight).item() == pytest.approx(by_hand(network, batch, weight), abs=1e-12)


@pytest.mark.vouches("objectives/rex")
def test_its_gradient_goes_through_both_terms(network, batch):
    rex(network, batch, factor="place", weight=50.0).backward()
    step = 1e-6
    for value, gradient in ((network[1].bias, network[1].bias.grad), (network[1].weight, network[1].weight.grad)):
        flat, found = value.data.view(-1), gradient.reshape(-1)
        for place in range(len(flat)):
            flat[place] += step
            above = by_hand(network, batch, 50.0)
            flat[place] -= 2 * step
            below = by_hand(network, batch, 50.0)
            flat[place] += step
            assert found[place].item() == pytest.approx((above - below) / (2 * step), abs=1e-6)


def test_a_factor_that_is_not_there_is_a_line(network, batch):
    with pytest.raises(StudyError, match="unknown factor 'palce'; did you mean 'place'"):
        rex(network, batch, factor="palce")
