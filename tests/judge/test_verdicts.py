"""Every decision rule of the judge on records written by hand, against scipy, tables and closed forms."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from assay.errors import EvidenceError, StudyError
from assay.judging.statistics import (
    Sample,
    benjamini_hochberg,
    holm,
    interval,
    p_above,
    p_below,
    p_inside,
    standard_errors_to_detect,
)
from assay.judging.tabulating import tabulate
from assay.judging.verdicts import (
    FINDINGS,
    detectable,
    finding,
    judge,
    judge_control,
    judge_study,
    p_values,
    study_p_values,
    study_verdict,
)
from assay.language.expectations import parse

EFFECTS = (0.013, 0.021, 0.008, 0.030, 0.017)
DIFFERENCE = parse("b.m > a.m")
EQUIVALENCE = parse("-0.1 < b.m - a.m < 0.3")


def rows(**arms):
    """Observations of metric `m`: rows(a=[0.1, 0.2]) gives arm a its values for seeds 0 and 1."""
    return [
        {"study": "s", "arm": arm, "seed": seed, "metric": "m", "x": "", "value": value}
        for arm, values in arms.items()
        for seed, value in enumerate(values)
    ]


def study(*expect, name="s", controls=(), margin=None, secondary=()):
    return {
        "name": name,
        "paper": "P001",
        "expect": expect,
        "secondary": secondary,
        "controls": controls,
        "margin": margin or {},
    }


def judged(*expect, controls=(), margin=None, secondary=(), **arms):
    """The judged record of one study alone in its report."""
    return judge([study(*expect, controls=controls, margin=margin, secondary=secondary)], {"s": rows(**arms)})["studies"]["s"]


# One sample


@pytest.mark.parametrize("bound", [-0.01, 0.0, 0.01, 0.02])
def test_one_sided_tests_agree_with_scipy(bound):
    sample = Sample(EFFECTS)
    greater = stats.ttest_1samp(EFFECTS, bound, alternative="greater").pvalue
    less = stats.ttest_1samp(EFFECTS, bound, alternative="less").pvalue
    assert p_above(sample, bound) == pytest.approx(greater, rel=1e-12)
    assert p_below(sample, bound) == pytest.approx(less, rel=1e-12)


def test_one_sided_test_by_hand():
    # 1, 2, 3: t = 2 / (1 / sqrt 3); with 2 degrees of freedom P(T > t) = 1/2 - t / (2 sqrt(2 + t^2))
    t = 2 * math.sqrt(3)
    assert p_above(Sample((1.0, 2.0, 3.0)), 0.0) == pytest.approx(0.5 - t / (2 * math.sqrt(2 + t * t)), rel=1e-12)


def test_interval_by_hand_and_by_scipy():
    # 1..5: mean 3, standard error sqrt(2.5 / 5), Student's table: t(0.975; 4) = 2.776
    low, high = interval(Sample((1.0, 2.0, 3.0, 4.0, 5.0)), 0.95)
    assert (low, high) == pytest.approx((3 - 2.776 * math.sqrt(0.5), 3 + 2.776 * math.sqrt(0.5)), abs=5e-4)
    expected = stats.ttest_1samp(EFFECTS, 0).confidence_interval(0.9)
    assert interval(Sample(EFFECTS), 0.9) == pytest.approx(tuple(expected), rel=1e-12)


def test_equivalence_is_two_one_sided_tests():
    sample = Sample(EFFECTS)
    lower = stats.ttest_1samp(EFFECTS, -0.01, alternative="greater").pvalue
    upper = stats.ttest_1samp(EFFECTS, 0.03, alternative="less").pvalue
    assert p_inside(sample, -0.01, 0.03) == pytest.approx(max(lower, upper), rel=1e-12)
    # the dual statement: significant at 5% exactly when the 90% interval is inside
    low, high = interval(sample, 0.9)
    assert p_inside(sample, low - 1e-9, high + 1e-9) < 0.05 < p_inside(sample, low + 1e-9, high + 1e-9)


def test_one_seed_proves_nothing():
    sample = Sample((1.0,), fixed=True)
    assert p_above(sample, 0) == p_below(sample, 2) == p_inside(sample, 0, 2) == 1.0
    assert interval(sample, 0.95) is None


def test_observations_equal_up_to_rounding_are_fixed():
    record = judged("a.m < 0.01", a=[5.1e-9, 4.9e-9, 5.0e-9, 5.0e-9, 5.2e-9])["expectations"][0]
    assert (record["verdict"], record["p"]) == ("supported", 0.0)
    # The same spread of the effect while the observations vary is a tie, for which five seeds do not do.
    varied = judged("a.m > b.m", a=[0.6, 0.7, 0.8, 0.7, 0.6], b=[0.5, 0.6, 0.7, 0.6, 0.5])["expectations"][0]
    assert varied["verdict"] == "inconclusive"


def test_fixed_values_are_decided_exactly():
    sample = Sample((0.5,) * 3, fixed=True)
    assert (p_above(sample, 0.4), p_above(sample, 0.5), p_above(sample, 0.6)) == (0.0, 1.0, 1.0)
    assert (p_below(sample, 0.4), p_below(sample, 0.5), p_below(sample, 0.6)) == (1.0, 1.0, 0.0)
    assert (p_inside(sample, 0.4, 0.6), p_inside(sample, 0.5, 0.6), p_inside(sample, 0.6, 0.7)) == (0.0, 0.0, 1.0)
    assert interval(sample, 0.95) == (0.5, 0.5)


def test_ties_of_a_coarse_metric_get_the_sign_test():
    sample = Sample((0.5,) * 5)
    assert p_above(sample, 0.4) == stats.binomtest(5, 5, 0.5, alternative="greater").pvalue
    assert p_above(sample, 0.5) == 1.0


def test_rounding_is_no_spread():
    single = np.array([0.801, 0.305, 0.120, 0.802, 0.306, 0.121], dtype=np.float32).astype(float)
    values = single[3:] - single[:3]  # 0.001, up to single precision
    assert np.ptp(values) > 0
    assert Sample(tuple(values.tolist()), resolution=1e-6 * 0.8).spread == 0.0


@pytest.mark.parametrize("n", [2, 3, 5, 10])
@pytest.mark.parametrize("level", [0.05, 0.025, 0.025 / 4])
@pytest.mark.parametrize("power", [0.8, 0.9])
def test_power_agrees_with_the_noncentral_t(n, level, power):
    critical = stats.t.isf(level, n - 1)
    assert stats.nct.sf(critical, n - 1, standard_errors_to_detect(n, level, power)) == pytest.approx(power, abs=1e-5)


# Corrections


def test_holm_by_hand():
    # sorted 0.005 0.01 0.03 0.04 times 4 3 2 1 = 0.02 0.03 0.06 0.04, and never decreasing
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_rejects_what_the_step_down_procedure_rejects(p_values):
    rejected, ordered = set(), sorted(range(len(p_values)), key=p_values.__getitem__)
    for rank, index in enumerate(ordered):
        if (len(p_values) - rank) * p_values[index] > 0.05:
            break
        rejected.add(index)
    assert {index for index, p in enumerate(holm(p_values)) if p <= 0.05} == rejected


def test_benjamini_hochberg_on_the_paper_s_example():
    # Controlling the False Discovery Rate (1995), section 3.2: 15 p-values, four rejected at q = 0.05
    published = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528,
                 0.7590, 1.000]  # fmt: skip
    assert [q <= 0.05 for q in benjamini_hochberg(published)] == [True] * 4 + [False] * 11
    assert benjamini_hochberg([0.02, 0.01, 0.5, 0.03]) == pytest.approx([0.04, 0.04, 0.5, 0.04])
    assert benjamini_hochberg([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_benjamini_hochberg_agrees_with_scipy(p_values):
    assert benjamini_hochberg(p_values) == pytest.approx(stats.false_discovery_control(p_values).tolist(), abs=1e-12)


# One expectation


def test_p_values_of_a_difference():
    p = p_values(DIFFERENCE, Sample(EFFECTS), 0.005)
    assert p["supported"] == pytest.approx(2 * stats.ttest_1samp(EFFECTS, 0.005, alternative="greater").pvalue)
    assert p["contradicted"] == 1.0
    assert p["no effect"] == p_inside(Sample(EFFECTS), -0.005, 0.005)


def test_a_direction_is_significant_exactly_when_the_95_percent_interval_clears_the_margin():
    low, _ = interval(Sample(EFFECTS), 0.95)
    assert p_values(DIFFERENCE, Sample(EFFECTS), low - 1e-9)["supported"] < 0.05
    assert p_values(DIFFERENCE, Sample(EFFECTS), low + 1e-9)["supported"] > 0.05


def test_p_values_of_an_equivalence():
    inside, outside = Sample((0.11, 0.08, 0.10)), Sample((0.41, 0.38, 0.40))
    assert p_values(EQUIVALENCE, inside, 0.0)["supported"] == p_inside(inside, -0.1, 0.3) < 0.05
    assert p_values(EQUIVALENCE, inside, 0.0)["contradicted"] == 1.0
    assert p_values(EQUIVALENCE, outside, 0.0)["contradicted"] == pytest.approx(2 * p_above(outside, 0.3))
    assert p_values(EQUIVALENCE, outside, 0.0)["no effect"] == 1.0


@pytest.mark.parametrize(
    ("p", "verdict"),
    [
        ((0.05, 1.0, 1.0), "supported"),
        ((1.0, 0.01, 1.0), "contradicted"),
        ((1.0, 1.0, 0.04), "no effect"),
        ((0.051, 1.0, 0.051), "inconclusive"),
    ],
)
def test_finding(p, verdict):
    assert finding(dict(zip(FINDINGS, p, strict=True))) == verdict


def test_detectable_effect_is_found_four_times_in_five():
    rng = np.random.default_rng(0)
    n, margin, spread = 5, 0.5, 1.0
    template = Sample(tuple(spread * stats.zscore([1.0, 2.0, 3.0, 4.0, 5.0], ddof=1)))
    effect = detectable(DIFFERENCE, template, margin, expectations=2)
    draws = rng.normal(effect, spread, size=(20_000, n))
    found = stats.ttest_1samp(draws, margin, axis=1, alternative="greater").pvalue <= 0.05 / 2 / 2
    assert found.mean() == pytest.approx(0.8, abs=0.012)


def test_detectable_bounds_are_shown_four_times_in_five():
    rng = np.random.default_rng(1)
    template = Sample(tuple(stats.zscore([1.0, 2.0, 3.0, 4.0, 5.0], ddof=1)))
    half = detectable(EQUIVALENCE, template, 0.0, expectations=1)
    draws = rng.normal(0.0, 1.0, size=(20_000, 5))
    above = stats.ttest_1samp(draws, -half, axis=1, alternative="greater").pvalue <= 0.05
    below = stats.ttest_1samp(draws, half, axis=1, alternative="less").pvalue <= 0.05
    assert 0.788 <= (above & below).mean() <= 0.83  # the two failures are nearly exclusive, so a little above 80%


def test_detectable_needs_two_seeds_and_is_the_margin_without_spread():
    assert detectable(DIFFERENCE, Sample((1.0,)), 0.1, 1) is None
    assert detectable(DIFFERENCE, Sample((1.0, 1.0), fixed=True), 0.1, 1) == 0.1


# One study

A = [0.50, 0.52, 0.49, 0.51, 0.50]


def shifted(by, wobble=(0.001, -0.001, 0.002, -0.002, 0.0)):
    """Arm values whose effects over A are `by` with standard deviation 0.0016."""
    return [value + by + noise for value, noise in zip(A, wobble, strict=True)]


@pytest.mark.parametrize(
    ("by", "margin", "verdict"),
    [
        (0.05, {"m": 0.01}, "supported"),
        (-0.05, {"m": 0.01}, "contradicted"),
        (0.0, {"m": 0.01}, "no effect"),
        (0.005, {"m": 0.01}, "no effect"),
        (0.0101, {"m": 0.01}, "inconclusive"),
        (0.0, {}, "inconclusive"),
        (0.005, {}, "supported"),
    ],
)
def test_difference_verdicts(by, margin, verdict):
    record = judged("b.m > a.m", margin=margin, a=A, b=shifted(by))
    assert record["verdict"] == record["expectations"][0]["verdict"] == verdict
    assert record["expectations"][0]["effect"] == pytest.approx(by)


def test_a_lower_is_better_expectation_has_a_positive_effect_when_it_holds():
    (record,) = judged("b.m < a.m", a=A, b=shifted(-0.05))["expectations"]
    assert record["verdict"] == "supported"
    assert record["effect"] == pytest.approx(0.05)
    assert record["values"] == pytest.approx([0.049, 0.051, 0.048, 0.052, 0.05])
    assert record["standardised"] == pytest.approx(0.05 / np.std(record["values"], ddof=1))


@pytest.mark.parametrize(("by", "verdict"), [(0.0, "supported"), (0.05, "contradicted"), (0.0099, "inconclusive")])
def test_equivalence_verdicts(by, verdict):
    record = judged("-0.01 < b.m - a.m < 0.01", a=A, b=shifted(by))
    assert record["verdict"] == verdict
    assert record["expectations"][0]["margin"] == 0.01
    assert record["expectations"][0]["bounds"] == [-0.01, 0.01]


def test_pairing_removes_what_the_seeds_share():
    far_apart = [0.1, 0.9, 0.3, 0.7, 0.5]
    better = [value + 0.01 + noise for value, noise in zip(far_apart, (0.001, -0.001, 0, 0.002, -0.002), strict=True)]
    assert stats.ttest_ind(better, far_apart).pvalue > 0.9
    assert judged("b.m > a.m", a=far_apart, b=better)["verdict"] == "supported"


def test_holm_counts_the_expectations_of_the_study():
    wobble = (0.004, -0.004, 0.008, -0.008, 0.0)
    alone = judged("b.m > a.m", a=A, b=shifted(0.009, wobble))
    among = judged("b.m > a.m", "c.m > a.m", "d.m > a.m", a=A, b=shifted(0.009, wobble), c=shifted(0, wobble),
                   d=shifted(0, wobble))  # fmt: skip
    assert alone["verdict"] == "supported"
    assert among["expectations"][0]["verdict"] == "inconclusive"
    assert among["expectations"][0]["p_holm"] == pytest.approx(3 * alone["p"])


@pytest.mark.parametrize(
    ("valid", "expectations", "q", "verdict"),
    [
        (False, ["supported"], (0, 0, 0), "invalid"),
        (True, ["supported", "supported"], (0.05, 1, 1), "supported"),
        (True, ["supported", "supported"], (0.06, 1, 1), "inconclusive"),
        (True, ["supported", "contradicted"], (1, 0.05, 1), "contradicted"),
        (True, ["supported", "contradicted"], (1, 0.06, 1), "inconclusive"),
        (True, ["inconclusive", "contradicted"], (1, 0.01, 1), "contradicted"),
        (True, ["no effect", "contradicted"], (1, 0.01, 0), "contradicted"),
        (True, ["supported", "no effect"], (1, 1, 0.05), "no effect"),
        (True, ["no effect"], (1, 1, 0.06), "inconclusive"),
        (True, ["supported", "inconclusive"], (0.01, 1, 1), "inconclusive"),
        (True, ["no effect", "inconclusive"], (1, 1, 0.01), "inconclusive"),
    ],
)
def test_study_verdict(valid, expectations, q, verdict):
    assert study_verdict(valid, expectations, dict(zip(FINDINGS, q, strict=True))) == verdict


def test_study_p_values_take_the_weakest_support_and_the_strongest_objection():
    adjusted = [dict(zip(FINDINGS, p, strict=True)) for p in ((0.01, 0.9, 0.5), (0.03, 0.2, 0.4))]
    assert study_p_values(adjusted, valid=True) == {"supported": 0.03, "contradicted": 0.2, "no effect": 0.4}
    assert set(study_p_values(adjusted, valid=False).values()) == {1.0}


@pytest.mark.parametrize(
    ("control", "values", "passed"),
    [
        ("a.m > 0.4", A, True),
        ("a.m > 0.5", A, False),  # mean 0.504, but not established
        ("a.m < 0.6", A, True),
        ("a.m < 0.4", A, False),
        ("0.48 < a.m < 0.53", A, True),
        ("0.5 < a.m < 0.53", A, False),
        ("a.m > 0.4", [0.41], True),
        ("a.m > 0.4", [0.40], False),
        ("a.m > 0.99", [1.0] * 5, True),
        ("a.m < 1", [1.0] * 5, False),
    ],
)
def test_a_control_must_be_established(control, values, passed):
    record = judge_control(parse(control), tabulate(rows(a=values)))
    assert record["passed"] is passed
    assert record["mean"] == pytest.approx(np.mean(values))


def test_a_control_is_tested_at_one_sided_95_percent():
    record = judge_control(parse("a.m > 0.4"), tabulate(rows(a=A)))
    assert record["interval"] == pytest.approx(list(stats.ttest_1samp(A, 0).confidence_interval(0.9)))


def test_a_failed_control_makes_the_study_invalid_whatever_else_holds():
    record = judged("b.m > a.m", controls=["a.m > 0.3", "a.m > 0.6"], a=A, b=shifted(0.05))
    assert [control["passed"] for control in record["controls"]] == [True, False]
    assert (record["verdict"], record["p"], record["q"]) == ("invalid", 1.0, 1.0)
    assert record["expectations"][0]["verdict"] == "supported"


def test_one_seed_is_inconclusive_and_its_controls_are_judged_on_the_value():
    record = judged("b.m > a.m", controls=["b.m > 0.8"], a=[0.1], b=[0.9])
    (expectation,) = record["expectations"]
    assert (record["verdict"], record["seeds"], record["controls"][0]["passed"]) == ("inconclusive", 1, True)
    assert expectation["interval"] is expectation["detectable"] is expectation["standardised"] is None
    assert "one seed" in expectation["note"]


def test_closed_form_arms_are_decided_without_a_test():
    record = judged("b.m > a.m", "a.m > b.m", "-1 < a.m - b.m < 1", a=[0.25] * 3, b=[0.5] * 3)
    assert [each["verdict"] for each in record["expectations"]] == ["supported", "contradicted", "supported"]
    assert [each["p"] for each in record["expectations"]] == [0.0, 0.0, 0.0]
    assert record["expectations"][0]["interval"] == [0.25, 0.25]
    assert judged("b.m > a.m", a=[0.25] * 3, b=[0.25] * 3)["verdict"] == "no effect"


def test_closed_form_arms_that_differ_by_rounding_alone_do_not_differ():
    assert judged("b.m > a.m", a=[0.3] * 3, b=[0.1 + 0.2] * 3)["verdict"] == "no effect"
    assert judged("b.m - a.m > 0.1", a=[0.2] * 3, b=[0.3 + 1e-12] * 3)["verdict"] == "no effect"


@pytest.mark.parametrize(("seeds", "verdict"), [(5, "inconclusive"), (6, "supported")])
def test_equal_effects_of_arms_that_vary_get_the_sign_test(seeds, verdict):
    # 2 * 2^-5 = 0.0625 and 2 * 2^-6 = 0.03: a coarse metric can tie by chance
    a = [0.5 + 0.001 * (seed % 3) for seed in range(seeds)]
    record = judged("b.m > a.m", a=a, b=[value + 0.001 for value in a])
    assert record["verdict"] == verdict
    assert "sign test" in record["expectations"][0]["note"]


# All studies


def report(*effects):
    """One study for each planted effect, judged together."""
    studies = [study("b.m > a.m", name=f"s{number}", margin={"m": 0.001}) for number in range(len(effects))]
    return judge(studies, {f"s{n}": rows(a=A, b=shifted(by, (0.004, -0.004, 0.008, -0.008, 0))) for n, by in
                           enumerate(effects)})["studies"]  # fmt: skip


def test_false_discovery_correction_is_over_the_studies_of_the_report():
    alone = report(0.0105)["s0"]
    among = report(0.0105, *[0.0] * 9)["s0"]
    assert alone["verdict"] == "supported"
    assert among["verdict"] == "inconclusive"
    assert among["expectations"][0]["verdict"] == "supported"
    assert among["q"] == pytest.approx(min(1, 10 * alone["p"]))
    assert "supported on its own" in among["note"]
    assert "10 studies" in among["note"]


def test_a_borderline_study_survives_among_strong_ones():
    assert report(0.0105, *[0.5] * 9)["s0"]["verdict"] == "supported"


def test_contradiction_is_a_family_of_its_own():
    judged_together = report(-0.0105, 0.5, 0.5, 0.5)
    assert judged_together["s0"]["p"] <= 0.05
    assert judged_together["s0"]["q"] == pytest.approx(4 * judged_together["s0"]["p"])
    assert judged_together["s0"]["verdict"] == "inconclusive"


def test_an_invalid_study_makes_the_family_stricter_not_laxer():
    studies = [study("b.m > a.m", name="good"), study("b.m > a.m", name="bad", controls=["a.m > 0.9"])]
    strong = rows(a=A, b=shifted(0.009, (0.004, -0.004, 0.008, -0.008, 0)))
    record = judge(studies, {"good": strong, "bad": strong})["studies"]
    assert record["good"]["q"] == pytest.approx(2 * record["good"]["p"])


def test_the_result_is_plain_json_without_nan():
    out = judge([study("b.m > a.m", controls=["a.m > 0"])], {"s": rows(a=[0.1], b=[0.2])})
    assert json.loads(json.dumps(out, allow_nan=False)) == out


def test_what_a_verdict_rests_on_is_passed_through():
    rests_on = {"sha256": "ab12"}
    out = judge([study("b.m > a.m") | {"rests_on": rests_on}], {"s": rows(a=A, b=A)})
    assert out["studies"]["s"]["rests_on"] == rests_on


# Errors


def spoiled(change):
    """Observations of seeds 0..4 with one row changed or left out."""
    observations = rows(a=A, b=shifted(0.05))
    return [row | change if (row["arm"], row["seed"]) == ("b", 3) else row for row in observations]


@pytest.mark.parametrize(
    ("observations", "said"),
    [
        (spoiled({"value": "nan"}), ["arm 'b', metric 'm', seed 3", "'nan'", "finite"]),
        (spoiled({"value": math.inf}), ["arm 'b', metric 'm', seed 3", "inf"]),
        (spoiled({"value": ""}), ["arm 'b', metric 'm', seed 3"]),
        (spoiled({"value": None}), ["arm 'b', metric 'm', seed 3"]),
        (spoiled({"seed": "3x"}), ["arm 'b', metric 'm', seed 3x", "whole number"]),
        (spoiled({"seed": 2}), ["arm 'b', metric 'm', seed 2", "twice"]),
        (spoiled({"metric": "other"}), ["seed 3", "no observation of arm 'b', metric 'm'"]),
        (rows(a=A, b=A[:4]), ["seed 4", "no observation of arm 'b', metric 'm'"]),
        (rows(a=A), ["seed 0", "no observation of arm 'b', metric 'm'"]),
        ([], ["no observations"]),
    ],
)
def test_evidence_errors_name_study_arm_metric_and_seed(observations, said):
    with pytest.raises(EvidenceError) as failure:
        judge_study(study("b.m > a.m", name="mixup"), observations)
    message = str(failure.value)
    assert message.startswith("study 'mixup': ")
    assert "\n" not in message
    assert not [part for part in said if part not in message], message


def test_a_study_without_expectations_is_an_error():
    with pytest.raises(StudyError, match="study 's': expect is empty"):
        judge_study(study(), rows(a=A))


def test_one_failing_study_does_not_stop_the_others():
    studies = [study("b.m > a.m", name=name) for name in ("good", "broken", "absent", "misread")]
    studies[3]["expect"] = ["b.m > a.top1[2]"]
    good = rows(a=A, b=shifted(0.05))
    out = judge(studies, {"good": good, "broken": spoiled({"value": "nan"}), "misread": good})
    assert out["studies"]["good"]["verdict"] == "supported"
    assert set(out["failed"]) == {"broken", "absent", "misread"}
    assert out["failed"]["broken"]["stage"] == "judge"
    assert "metric 'm', seed 3" in out["failed"]["broken"]["error"]
    assert out["studies"]["good"]["q"] == out["studies"]["good"]["p"]


# Invariances; values on a grid of 1/1024, so that the arithmetic compared is exact

GRID = st.integers(-512, 512).map(lambda count: count / 1024)
ARMS = st.integers(2, 6).flatmap(lambda n: st.tuples(*[st.lists(GRID, min_size=n, max_size=n)] * 2))
MARGINS = st.sampled_from([0.0, 1 / 64, 1 / 8])
TEXTS = st.sampled_from(["b.m > a.m", "b.m < a.m", "-0.125 < b.m - a.m < 0.125"])
MIRROR = {"supported": "contradicted", "contradicted": "supported"}


def essence(record):
    """What is decided about a study's expectations, with the numbers that decide it."""
    return [record["verdict"], *((each["verdict"], each["p"], each["p_holm"]) for each in record["expectations"])]


@given(ARMS, MARGINS)
def test_swapping_the_arms_mirrors_the_verdict(arms, margin):
    a, b = arms
    record = judged("b.m > a.m", margin={"m": margin}, a=a, b=b)
    mirrored = judged("b.m > a.m", margin={"m": margin}, a=b, b=a)
    assert mirrored["verdict"] == MIRROR.get(record["verdict"], record["verdict"])
    assert mirrored["expectations"][0]["effect"] == -record["expectations"][0]["effect"]
    assert mirrored["expectations"][0]["p"] == record["expectations"][0]["p"]


@given(ARMS)
def test_an_equivalence_with_symmetric_bounds_does_not_see_which_arm_is_which(arms):
    a, b = arms
    text = "-0.125 < b.m - a.m < 0.125"
    assert essence(judged(text, a=a, b=b)) == essence(judged(text, a=b, b=a))


@given(ARMS, MARGINS, st.sampled_from([2.0**-20, 0.5, 4.0, 2.0**30]))
def test_the_unit_of_the_metric_does_not_matter(arms, margin, factor):
    a, b = arms
    record = judged("b.m > a.m", margin={"m": margin}, a=a, b=b)
    scaled = judged("b.m > a.m", margin={"m": margin * factor}, a=[v * factor for v in a], b=[v * factor for v in b])
    assert essence(scaled) == essence(record)
    assert scaled["expectations"][0]["standardised"] == record["expectations"][0]["standardised"]


@given(ARMS, MARGINS, TEXTS, st.integers(-4, 4))
def test_a_constant_added_to_both_arms_changes_nothing(arms, margin, text, constant):
    a, b = arms
    record = judged(text, margin={"m": margin}, a=a, b=b)
    assert essence(judged(text, margin={"m": margin}, a=[v + constant for v in a], b=[v + constant for v in b])) == (
        essence(record)
    )


@given(ARMS, MARGINS, TEXTS, st.randoms(use_true_random=False))
def test_the_order_of_seeds_and_rows_does_not_matter(arms, margin, text, random):
    pairs = list(zip(*arms, strict=True))
    random.shuffle(pairs)
    a, b = map(list, zip(*pairs, strict=True))
    shuffled = rows(a=a, b=b)
    random.shuffle(shuffled)
    record = judged(text, margin={"m": margin}, a=arms[0], b=arms[1])
    again = judge([study(text, margin={"m": margin})], {"s": shuffled})["studies"]["s"]
    assert essence(again) == essence(record)


@given(ARMS, MARGINS)
def test_a_larger_margin_never_helps_a_direction(arms, margin):
    a, b = arms
    small, large = (judged("b.m > a.m", margin={"m": each}, a=a, b=b) for each in (margin, 2 * margin + 1 / 64))
    if large["verdict"] in MIRROR:
        assert large["verdict"] == small["verdict"]


# Secondary expectations

BETTER, SAME, WORSE = [0.70, 0.72, 0.71, 0.73, 0.74], [0.50, 0.53, 0.51, 0.54, 0.53], [0.30, 0.34, 0.31, 0.33, 0.34]


def test_secondary_expectations_have_no_say_in_the_verdict():
    alone = judged("a.m > b.m", a=BETTER, b=SAME, c=WORSE)
    record = judged("a.m > b.m", secondary=["c.m > b.m", "a.m > c.m"], a=BETTER, b=SAME, c=WORSE)
    assert [each["verdict"] for each in record["secondary"]] == ["contradicted", "supported"]
    assert {key: record[key] for key in ("verdict", "p", "q", "expectations")} == {
        key: alone[key] for key in ("verdict", "p", "q", "expectations")
    }
    assert judged("c.m > b.m", secondary=["a.m > b.m"], a=BETTER, b=SAME, c=WORSE)["verdict"] == "contradicted"


def test_secondary_expectations_are_corrected_among_themselves():
    record = judged("a.m > b.m", secondary=["a.m > c.m", "b.m > c.m", "a.m > 0.6"], a=BETTER, b=SAME, c=WORSE)
    p = [each["p"] for each in record["secondary"]]
    assert [each["p_holm"] for each in record["secondary"]] == pytest.approx(holm(p))
    assert record["expectations"][0]["p_holm"] == record["expectations"][0]["p"]


def test_a_margin_may_belong_to_a_secondary_expectation():
    record = judged("a.m > b.m", secondary=["a.m > 0.6"], margin={"a.m > 0.6": 0.2}, a=BETTER, b=SAME)
    assert (record["secondary"][0]["margin"], record["expectations"][0]["margin"]) == (0.2, 0)
