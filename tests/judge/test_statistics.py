"""Tests, intervals and prospects of means against scipy, tables and closed forms."""

import math

import numpy as np
import pytest
from scipy import stats

from assay.judging.statistics import Samples, interval, p_above, p_below, p_inside, p_not_above, seeds_needed

EFFECTS = (0.013, 0.021, 0.008, 0.030, 0.017)


@pytest.mark.parametrize("bound", [-0.01, 0.0, 0.01, 0.02])
def test_one_sided_tests_agree_with_scipy(bound):
    samples = Samples.of(EFFECTS)
    greater = stats.ttest_1samp(EFFECTS, bound, alternative="greater").pvalue
    less = stats.ttest_1samp(EFFECTS, bound, alternative="less").pvalue
    assert p_above(samples, bound) == pytest.approx(greater, rel=1e-12)
    assert p_below(samples, bound) == pytest.approx(less, rel=1e-12)
    assert p_not_above(samples, bound) == p_below(samples, bound)


def test_one_sided_test_by_hand():
    # 1, 2, 3: t = 2 / (1 / sqrt 3); with 2 degrees of freedom P(T > t) = 1/2 - t / (2 sqrt(2 + t^2))
    t = 2 * math.sqrt(3)
    assert p_above(Samples.of((1.0, 2.0, 3.0)), 0.0) == pytest.approx(0.5 - t / (2 * math.sqrt(2 + t * t)), rel=1e-12)


def test_many_samples_at_once_are_each_alone():
    values = np.random.default_rng(0).normal(0.5, 1.0, (50, 7))
    bounds = np.linspace(-1, 1, 50)
    expected = stats.ttest_1samp(values, bounds[:, None], axis=1, alternative="greater").pvalue
    assert p_above(Samples.of(values), bounds) == pytest.approx(expected, rel=1e-12)
    alone = [p_above(Samples.of(each), bound) for each, bound in zip(values, bounds, strict=True)]
    assert p_above(Samples.of(values), bounds).tolist() == [float(p) for p in alone]


def test_interval_by_hand_and_by_scipy():
    # 1..5: mean 3, standard error sqrt(2.5 / 5), Student's table: t(0.975; 4) = 2.776
    low, high = interval(Samples.of((1.0, 2.0, 3.0, 4.0, 5.0)), 0.95)
    assert (low, high) == pytest.approx((3 - 2.776 * math.sqrt(0.5), 3 + 2.776 * math.sqrt(0.5)), abs=5e-4)
    expected = stats.ttest_1samp(EFFECTS, 0).confidence_interval(0.9)
    assert interval(Samples.of(EFFECTS), 0.9) == pytest.approx(tuple(expected), rel=1e-12)


def test_equivalence_is_two_one_sided_tests():
    samples = Samples.of(EFFECTS)
    lower = stats.ttest_1samp(EFFECTS, -0.01, alternative="greater").pvalue
    upper = stats.ttest_1samp(EFFECTS, 0.03, alternative="less").pvalue
    assert p_inside(samples, -0.01, 0.03) == pytest.approx(max(lower, upper), rel=1e-12)
    # the dual statement: significant at 5% exactly when the 90% interval is inside
    low, high = interval(samples, 0.9)
    assert p_inside(samples, low - 1e-9, high + 1e-9) < 0.05 < p_inside(samples, low + 1e-9, high + 1e-9)


def test_one_seed_proves_nothing():
    samples = Samples.of((1.0,), fixed=True)
    assert p_above(samples, 0) == p_below(samples, 2) == p_inside(samples, 0, 2) == p_not_above(samples, 2) == 1.0
    assert interval(samples, 0.95) is None


def test_fixed_values_are_decided_exactly():
    samples = Samples.of((0.5,) * 3, fixed=True)
    assert (p_above(samples, 0.4), p_above(samples, 0.5), p_above(samples, 0.6)) == (0.0, 1.0, 1.0)
    assert (p_below(samples, 0.4), p_below(samples, 0.5), p_below(samples, 0.6)) == (1.0, 1.0, 0.0)
    assert (p_inside(samples, 0.4, 0.6), p_inside(samples, 0.5, 0.6), p_inside(samples, 0.6, 0.7)) == (0.0, 0.0, 1.0)
    assert (p_not_above(samples, 0.4), p_not_above(samples, 0.5), p_not_above(samples, 0.6)) == (1.0, 0.0, 0.0)
    assert interval(samples, 0.95) == (0.5, 0.5)


def test_ties_of_a_coarse_metric_get_the_sign_test():
    samples = Samples.of((0.5,) * 5)
    assert p_above(samples, 0.4) == stats.binomtest(5, 5, 0.5, alternative="greater").pvalue
    assert p_above(samples, 0.5) == p_not_above(samples, 0.5) == 1.0


def test_rounding_is_no_spread():
    single = np.array([0.801, 0.305, 0.120, 0.802, 0.306, 0.121], dtype=np.float32).astype(float)
    values = single[3:] - single[:3]  # 0.001, up to single precision
    assert np.ptp(values) > 0
    assert Samples.of(values, resolution=1e-6 * 0.8).spread == 0.0


@pytest.mark.parametrize(("distance", "spread", "level"), [(0.5, 1.0, 0.0125), (0.02, 0.05, 0.00625)])
def test_seeds_needed_find_the_effect_four_times_in_five(distance, spread, level):
    needed = float(seeds_needed(np.array(distance), np.array(spread), level, power=0.8))
    # Power of the test of known spread: the mean of so many values lies beyond the critical value.
    reached = stats.norm(distance, spread / math.sqrt(needed)).sf(stats.norm.isf(level) * spread / math.sqrt(needed))
    assert reached == pytest.approx(0.8)


def test_no_number_of_seeds_tells_a_mean_on_its_bound():
    assert np.isinf(seeds_needed(np.array(0.0), np.array(1.0), 0.0125, 0.8))
