"""Agreement of recomputed with archived observations, against scipy's two-sample t-test and cases counted by hand."""

import math

import numpy as np
import pytest
from scipy.stats import ttest_ind

from assay.evidence.agreement import LEVEL, compare
from assay.evidence.tables import Evidence, Observation


def evidence(values: dict, sha256: str = "new", study: str = "same") -> Evidence:
    """values: (arm, metric, x) -> a value a seed."""
    rows = [
        Observation("s", *key[:1], seed, *key[1:], value) for key, column in values.items() for seed, value in enumerate(column)
    ]
    return Evidence(rows, {}, {"study_sha256": study, "sha256": sha256})


def agreement(new: dict, old: dict):
    return compare(evidence(new), evidence(old, "old"))


A = ("erm", "top1", None)


def test_the_same_bytes_are_identical_and_another_study_is_not_compared():
    assert compare(evidence({A: [1.0]}), evidence({A: [1.0]})).word == "identical"
    changed = compare(evidence({A: [1.0]}), evidence({A: [1.0]}, study="other"))
    assert (changed.word, changed.reason) == ("not compared", "what the study measures changed since")


@pytest.mark.parametrize("shift", [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0])
@pytest.mark.parametrize("means", [1, 12])
def test_drift_is_what_a_t_test_corrected_for_the_number_of_means_finds(shift, means):
    draws = np.random.default_rng(0)
    old = {("erm", f"m{i}", None): draws.normal(size=5).tolist() for i in range(means)}
    new = old | {("erm", "m0", None): (draws.normal(size=5) + shift).tolist()}
    p = ttest_ind(new["erm", "m0", None], old["erm", "m0", None]).pvalue
    found = agreement(new, old)
    assert (found.word == "drifted") == (p * means < LEVEL)
    assert (found.largest.metric, found.differing, found.means) == ("m0", 1, means)


def test_noise_alone_drifts_in_at_most_the_promised_share_of_studies():
    draws = np.random.default_rng(1)

    def study():
        return {("erm", f"m{i}", None): draws.normal(size=5).tolist() for i in range(10)}

    drifted = sum(agreement(study(), study()).word == "drifted" for _ in range(400))
    assert 0 < drifted <= 400 * LEVEL + 3 * math.sqrt(400 * LEVEL)


def test_the_largest_drift_is_told_with_its_place_and_size():
    old = {("erm", "top1", 0.1): [0.5, 0.6, 0.7], ("mixup", "top1", 0.1): [0.5, 0.6, 0.7]}
    new = {("erm", "top1", 0.1): [0.5, 0.6, 0.71], ("mixup", "top1", 0.1): [1.5, 1.6, 1.7]}
    largest = agreement(new, old).largest
    assert (largest.arm, largest.metric, largest.x) == ("mixup", "top1", 0.1)
    assert (largest.archived, largest.recomputed) == pytest.approx((0.6, 1.6))
    t = 3.495406  # two-sided 5% over two means, four degrees of freedom, from a table
    assert largest.ratio == pytest.approx(1 / (0.1 * math.sqrt(2 / 3) * t), rel=1e-4)


def test_last_digits_are_rounding_even_where_seeds_do_not_vary():
    assert agreement({A: [1.0 + 1e-9] * 3}, {A: [1.0] * 3}).word == "within seed noise"
    assert agreement({A: [1.01] * 3}, {A: [1.0] * 3}).word == "drifted"


def test_one_seed_explains_nothing():
    assert agreement({A: [1.0, 1.1]}, {A: [1.0, 1.2]}).word == "within seed noise"
    assert agreement({A: [1.1]}, {A: [1.2]}).word == "drifted"


@pytest.mark.parametrize("new", [{A: [1.0]}, {("mixup", "top1", None): [1.0, 2.0]}, {("erm", "top1", 1.0): [1.0, 2.0]}])
def test_other_seeds_arms_or_coordinates_are_not_compared(new):
    assert agreement(new, {A: [1.0, 2.0]}).reason == "arms, metrics, x or seeds differ"
