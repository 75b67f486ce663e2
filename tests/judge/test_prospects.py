"""Prospects of open claims: the seeds that would decide them, by another library's normal distribution and by simulated looks."""

import math

import numpy as np
import pytest
from scipy import stats

from assay.judging.prospects import Prospect


def prospect(distance=1.0, spread=1.0, seeds=5, first_look=5, earlier=0) -> Prospect:
    return Prospect(distance, spread, seeds, first_look, earlier)


def by_hand(distance, spread, k):
    return ((stats.norm.isf(0.05 / 2**k / 2) + 0.84) * spread / distance) ** 2


def test_the_first_look_that_is_enough_decides_what_a_claim_pays():
    # One deviation: 11.1 seeds at the look at 10, which is too few, 12.8 at the look at 20.
    assert by_hand(1, 1, 2) == pytest.approx(11.14, abs=0.01)
    assert prospect().needs() == math.ceil(by_hand(1, 1, 3)) == 13
    assert prospect(distance=2).needs() == 6  # three by the formula, and five were not enough
    assert prospect(distance=1.2).needs() == math.ceil(by_hand(1.2, 1, 2)) == 8
    assert prospect(distance=0.1).needs() == math.ceil(by_hand(0.1, 1, 4))
    assert prospect(distance=0.1).needs(most=80) == math.ceil(by_hand(0.1, 1, 5))


@pytest.mark.parametrize("factor", [1e-6, 3.0, 1e9])
def test_units_do_not_matter(factor):
    assert prospect(0.7 * factor, factor).needs() == prospect(0.7).needs()
    assert prospect(0.7 * factor, factor).chance() == pytest.approx(prospect(0.7).chance())


def test_looks_at_earlier_texts_are_paid_for():
    assert prospect(earlier=2).needs() == math.ceil(by_hand(1, 1, 5))
    assert prospect(earlier=2).chance() < prospect().chance()


def test_what_lies_on_a_bound_is_never_decided_and_what_ties_at_the_next_look():
    assert prospect(distance=0).needs() == math.inf
    assert prospect(spread=math.inf).needs() == math.inf
    assert prospect(spread=0).needs() == 10
    assert prospect(spread=0).chance() == 1


@pytest.mark.parametrize("distance", [0.5, 1.0, 1.5])
def test_the_chance_is_that_of_simulated_looks(distance):
    values = np.random.default_rng(0).normal(distance, 1, (40_000, 10))
    p = stats.ttest_1samp(values, 0, axis=1, alternative="greater").pvalue
    seen = np.mean(p * 2**2 <= 0.05 / 2)
    assert prospect(distance).chance() == pytest.approx(seen, abs=0.01)


CLAIM = {"values": [0.1, 0.2, 0.3], "kind": "difference", "margin": 0.05}


@pytest.mark.parametrize(
    ("changes", "distance"),
    [
        ({}, 0.15),
        ({"margin": 0.25}, 0.05),
        ({"margin": 0.0}, 0.2),
        ({"kind": "equivalence", "bounds": [-0.1, 0.25], "margin": 0.175}, 0.05),
        ({"kind": "equivalence", "bounds": [0.19, 0.5], "margin": 0.155}, 0.01),
    ],
)
def test_a_claim_is_compared_with_its_nearest_bound(changes, distance):
    found = Prospect.of(CLAIM | changes, 3, 1)
    assert found.distance == pytest.approx(distance)
    assert (found.spread, found.seeds, found.first_look, found.earlier) == (pytest.approx(0.1), 3, 3, 1)
    assert Prospect.of(CLAIM | {"values": [0.1]}, 1, 0).needs() == math.inf
