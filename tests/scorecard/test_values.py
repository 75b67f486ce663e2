"""Intervals and comparisons against closed forms, other libraries and worked cases."""

import numpy as np
import pytest
import torch
from scipy import stats

from assay.scorecard.comparing import _of_rows, corruption_ratios, differences, holm, leaders, similarities
from assay.scorecard.groups import BY_NAME
from assay.scorecard.measuring import Measured
from assay.scorecard.subject import plug
from assay.scorecard.values import BOOTSTRAP, EXACT, Value, exact, fact, mean, of_sets, resamples, statistic


@pytest.mark.parametrize(("right", "count"), [(0, 7), (3, 7), (7, 7), (450, 500)])
def test_a_share_has_scipys_exact_interval(right, count):
    theirs = stats.binomtest(right, count).proportion_ci(0.95, "exact")
    assert exact(right, count) == pytest.approx((theirs.low, theirs.high))
    rows = np.arange(count) < right
    assert (mean("top1", rows).low, mean("top1", rows).interval) == (pytest.approx(theirs.low), EXACT)


def test_a_mean_has_about_the_interval_of_the_normal_distribution():
    rows = np.random.default_rng(0).normal(2, 1, 400)
    value = mean("nll", rows)
    assert value.interval == BOOTSTRAP
    assert (value.low, value.high) == pytest.approx((rows.mean() - 1.96 * 0.05, rows.mean() + 1.96 * 0.05), abs=0.02)
    same = statistic("nll", np.mean, rows)
    assert (same.value, same.low) == pytest.approx((value.value, value.low), abs=0.02)


def test_an_interval_holds_its_value_though_resamples_are_further_from_calibrated():
    """A model that says 1/10 of each class, on five images a class, is calibrated; on resamples it never is."""
    logits, labels = torch.zeros(50, 10), torch.arange(50) % 10
    value = statistic("classwise_ece", plug("metrics/classwise_ece"), logits, labels)
    assert value.value == pytest.approx(0, abs=1e-9)
    assert np.median(value.draws) > 0.02
    assert value.low <= value.value <= value.high < value.draws.max()


def test_resamples_are_the_same_for_every_model_and_other_ones_for_another_set():
    first, again, other = (np.stack(list(resamples(9, 5, *names))) for names in ((), (), ("set", 0)))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_interval_over_two_sets_covers_the_spread_of_both():
    """The difference of two means of n numbers of deviation 1 has deviation sqrt(2 / n)."""
    generator = np.random.default_rng(1)
    pair = generator.normal(size=200), generator.normal(size=200)
    value = of_sets("auroc", lambda first, second: first.mean() - second.mean(), [pair])
    assert value.draws.std() == pytest.approx(np.sqrt(2 / 200), rel=0.2)


def test_holm_is_the_worked_example():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1, 1]
    assert holm([]) == []


def test_shares_are_compared_by_mcnemars_exact_test():
    """Of 9 images on which the models differ 8 are for the first: 2 P(X >= 8) = 2 (9 + 1) / 512."""
    one = np.array([1] * 8 + [0] + [1] * 20)
    other = np.array([0] * 8 + [1] + [1] * 20)
    assert _of_rows(one, other) == (pytest.approx(20 / 512), "McNemar, exact")
    assert _of_rows(one, one) == (1.0, "McNemar, exact")


def measured(group: str, values, **pictures) -> Measured:
    return Measured(group, tuple(values), (), pictures)


def test_what_is_really_better_leads_and_what_is_not_told_apart_is_said():
    rows = np.random.default_rng(0).random(300)
    right = {"a": rows < 0.8, "b": rows < 0.79, "c": rows < 0.3}
    results = {name: {"accuracy": measured("accuracy", [mean("top1", r.astype(float))])} for name, r in right.items()}
    found = differences(results, [BY_NAME["accuracy"]])
    real = {(each.first, each.second): each.real for each in found}
    assert real == {("a", "b"): False, ("a", "c"): True, ("b", "c"): True}
    assert leaders(results, BY_NAME["accuracy"], "top1", False, found) == ["a", "b"]
    assert leaders(results, BY_NAME["accuracy"], "top1", True, found) == ["c"]


def test_a_number_without_interval_is_not_compared():
    results = {name: {"cost": measured("cost", [fact("images_per_second", 3)])} for name in "ab"}
    assert differences(results, [BY_NAME["cost"]]) == []


def test_corruption_errors_are_relative_to_the_reference():
    """Errors of 1/2 and 1/4 under two corruptions beside the reference's 1/4 and 1/2: (2 + 1/2) / 2."""
    base = np.array([[0, 1], [1, 0], [0, 1], [0, 0]], float)
    results = {
        name: {"corruptions": measured("corruptions", [], corruption_errors=errors)}
        for name, errors in (("a", base), ("b", base[:, ::-1].copy()))
    }
    found = corruption_ratios(results, "a")
    assert (found["a"].value, found["b"].value) == (1, pytest.approx(1.25))
    assert corruption_ratios({"a": {}}, "a") == {}


def test_representations_are_alike_up_to_rotation():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(50, 4))
    turned = features @ np.linalg.qr(generator.normal(size=(4, 4)))[0]
    results = {
        name: {"representation": measured("representation", [], features=each)} for name, each in (("a", features), ("b", turned))
    }
    assert similarities(results) == {("a", "b"): pytest.approx(1)}


def test_what_was_measured_is_read_as_it_was_saved(tmp_path):
    saved = measured(
        "attacks", [mean("attacked_top1", np.array([0.0, 1.0]), "PGD, max norm 8/255"), fact("masking", 0.5)], wrong=np.arange(3)
    )
    saved.save(tmp_path, {"x": 1})
    read = Measured.read(tmp_path)
    assert [value.key for value in read.values] == ["attacked_top1 PGD, max norm 8/255", "masking"]
    assert np.array_equal(read.values[0].rows, [0, 1])
    assert np.array_equal(read.pictures["wrong"], [0, 1, 2])


def test_a_value_says_what_it_is_of():
    assert Value("a", None, 1.0).key == "a"
    assert Value("a", 3, 1.0).key == "a 3"
