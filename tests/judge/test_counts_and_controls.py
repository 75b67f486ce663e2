"""Seeds that open claims need, counts of claims, controls, single seeds, and evidence that cannot be judged."""

import json
import math

import numpy as np
import pytest
from judging_cases import A, claim, judged, rows, shifted, study
from scipy import stats

from assay.errors import EvidenceError, StudyError
from assay.judging.tabulating import tabulate
from assay.judging.verdicts import case_of, judge, judge_control
from assay.language.expectations import parse

# Prospects


@pytest.mark.parametrize(("effect", "spread"), [(0.02, 0.02), (0.02, 0.05), (-0.02, 0.03)])
def test_the_seeds_an_open_claim_needs(effect, spread):
    template = spread * stats.zscore([1.0, 2.0, 3.0, 4.0, 5.0], ddof=1) + effect
    record = claim("b.m > a.m", more={"first_look": 5}, a=[0.0] * 5, b=template.tolist())
    if record["word"] != "open":
        assert record["needs"] is None
        return

    # the look, of 10, 20, 40, ... seeds, that is the first with as many as its own level asks for
    def asked(look):
        return ((stats.norm.isf(0.05 * 2**-look / 2) + stats.norm.isf(0.2)) * spread / effect) ** 2

    look = next(look for look in range(2, 12) if asked(look) <= 5 * 2 ** (look - 1))
    assert record["needs"] == max(6, math.ceil(asked(look) - 1e-9))


def test_from_the_second_look_on_a_claim_that_needs_more_than_forty_seeds_is_hopeless():
    template = (stats.zscore(np.arange(5.0), ddof=1) + 0.2).tolist()
    first = claim("b.m > a.m", more={"first_look": 5}, a=[0.0] * 5, b=template)
    second = claim("b.m > a.m", more={"first_look": 5}, a=[0.0] * 10, b=template * 2)
    assert (first["word"], second["word"]) == ("open", "open")
    assert first["needs"] > 40
    assert second["needs"] is None


def test_an_open_equivalence_needs_seeds_for_its_nearest_bound():
    template = (0.05 * stats.zscore(np.arange(5.0), ddof=1) + 0.06).tolist()
    wide = claim("-1 < b.m - a.m < 0.1", more={"first_look": 5}, a=[0.0] * 5, b=template)
    difference = claim("0.1 > b.m - a.m", more={"first_look": 5}, a=[0.0] * 5, b=template)
    assert wide["needs"] == difference["needs"] is not None


# Counts


@pytest.mark.parametrize(
    ("claims", "count"),
    [
        ({"b": 0.05}, "1 of 1 holds"),
        ({"b": 0.05, "c": 0.04}, "2 of 2 hold"),
        ({"b": 0.05, "c": -0.05}, "1 of 2 hold, 1 reversed"),
        ({"b": 0.05, "c": 0.0}, "1 of 2 hold, 1 absent"),
        ({"b": -0.05, "c": 0.0}, "0 of 2 hold, 2 fail"),
        ({"b": -0.0098}, "0 of 1 holds, 1 smaller than the margin asks"),
    ],
)
def test_counts(claims, count):
    arms = {arm: shifted(by) for arm, by in claims.items()}
    assert judged(*(f"{arm}.m > a.m" for arm in arms), margin={"m": 0.01}, a=A, **arms)["count"] == count


def test_the_count_of_an_open_claim_says_what_is_known_and_what_would_tell():
    record = judged("b.m > a.m", "c.m > a.m", more={"first_look": 5}, a=A, b=shifted(0.05), c=shifted(0.0011))
    low, high = record["expectations"][1]["interval"]
    needs = record["expectations"][1]["needs"]
    expected = f"1 of 2 hold, 1 open: effect between {low:+.2g} and {high:+.2g}; about {needs} seeds would tell"
    assert (record["word"], record["count"]) == ("open", expected)


def test_the_count_of_an_invalid_study_is_of_its_controls():
    record = judged("b.m > a.m", controls=["a.m > 0.3", "a.m > 0.6"], a=A, b=shifted(0.05))
    assert (record["word"], record["count"]) == ("invalid", "1 of 2 controls failed")


# Controls


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
    assert record["word"] == "invalid"
    assert record["expectations"][0]["q"] == {"holds": 1.0, "fails": 1.0}
    assert record["expectations"][0]["P"]["holds"] < 0.001


def test_an_invalid_study_makes_the_family_stricter_not_laxer():
    studies = [study("b.m > a.m", name="good"), study("b.m > a.m", name="bad", controls=["a.m > 0.9"])]
    strong = rows(a=A, b=shifted(0.009, (0.004, -0.004, 0.008, -0.008, 0)))
    record = judge(studies, {"good": strong, "bad": strong})["studies"]["good"]["expectations"][0]
    assert record["q"]["holds"] == pytest.approx(2 * record["P"]["holds"])


# Cases without spread


def test_one_seed_is_open_and_its_controls_are_judged_on_the_value():
    record = judged("b.m > a.m", controls=["b.m > 0.8"], a=[0.1], b=[0.9])
    (found,) = record["expectations"]
    assert (record["word"], record["seeds"], record["controls"][0]["passed"]) == ("open", 1, True)
    assert found["interval"] is found["needs"] is None
    assert (found["spread"], found["P"]["holds"]) == (0.0, 1.0)
    assert "one seed" in found["note"]
    assert record["count"] == "0 of 1 holds, 1 open"


def test_observations_equal_up_to_rounding_are_fixed():
    record = claim("a.m < 0.01", a=[5.1e-9, 4.9e-9, 5.0e-9, 5.0e-9, 5.2e-9])
    assert (record["word"], record["p"]["holds"]) == ("holds", [0.0])
    # The same spread of the effect while the observations vary is a tie, for which five seeds do not do.
    assert claim("a.m > b.m", a=[0.6, 0.7, 0.8, 0.7, 0.6], b=[0.5, 0.6, 0.7, 0.6, 0.5])["word"] == "open"


def test_closed_form_arms_are_decided_without_a_test():
    record = judged("b.m > a.m", "a.m > b.m", "-1 < a.m - b.m < 1", a=[0.25] * 3, b=[0.5] * 3)
    assert [each["word"] for each in record["expectations"]] == ["holds", "fails", "holds"]
    assert record["expectations"][1]["reason"] == "reversed"
    assert record["expectations"][0]["interval"] == [0.25, 0.25]
    assert "decided without a test" in record["expectations"][0]["note"]


@pytest.mark.parametrize(
    ("text", "a", "b", "word", "reason"),
    [
        ("b.m > a.m", 0.25, 0.25, "fails", "absent"),
        ("b.m > a.m", 0.3, 0.1 + 0.2, "fails", "absent"),  # apart by rounding alone
        ("b.m - a.m > 0.1", 0.2, 0.3 + 1e-12, "fails", "absent"),
        ("-0.25 < b.m - a.m < 0.25", 0.25, 0.5, "holds", None),  # on the border
    ],
)
def test_closed_form_arms_on_their_bound(text, a, b, word, reason):
    record = claim(text, a=[a] * 3, b=[b] * 3)
    assert (record["word"], record["reason"]) == (word, reason)


@pytest.mark.parametrize(("seeds", "word"), [(5, "open"), (10, "holds")])
def test_equal_effects_of_arms_that_vary_get_the_sign_test(seeds, word):
    # 2 * 2^-5 = 0.0625 and 4 * 2^-10 = 0.004: a coarse metric can tie by chance
    a = [0.5 + 0.001 * (seed % 3) for seed in range(seeds)]
    record = claim("b.m > a.m", more={"first_look": 5}, a=a, b=[value + 0.001 for value in a])
    assert (record["word"], record["p"]["holds"]) == (word, [0.5**5, 0.5**10][: seeds // 5])
    assert "sign test" in record["note"]


# JSON


def test_the_result_is_plain_json_without_nan():
    for seeds in (1, 5):
        text = study("b.m > a.m", "-1 < b.m - a.m < 1", controls=["a.m > 0"], secondary=["a.m > 0"])
        out = judge([text], {"s": rows(a=A[:seeds], b=A[:seeds])})
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
        (spoiled({"seed": 2}), ["seed 3", "no observation of arm 'b'", "seeds 0 to 4"]),
        ([*rows(a=A, b=A), *rows(first=2, b=[0.5])], ["arm 'b', metric 'm', seed 2", "twice"]),
        (spoiled({"metric": "other"}), ["seed 3", "no observation of arm 'b', metric 'm'"]),
        (rows(a=A, b=A[:4]), ["seed 4", "no observation of arm 'b'", "the first look needs seeds 0 to 4"]),
        (rows(a=A), ["seed 0", "no observation of arm 'b'"]),
        (rows(first=1, a=A, b=A), ["seed 0", "no observation of arm 'a'"]),
        ([], ["no observations"]),
    ],
)
def test_evidence_errors_name_study_arm_metric_and_seed(observations, said):
    with pytest.raises(EvidenceError) as failure:
        case_of(study("b.m > a.m", name="mixup"), observations)
    message = str(failure.value)
    assert message.startswith("study 'mixup': ")
    assert "\n" not in message
    assert not [part for part in said if part not in message], message


def test_too_few_seeds_for_the_first_look_are_an_error():
    with pytest.raises(EvidenceError, match="seed 3: no observation of arm 'a'; the first look needs seeds 0 to 4"):
        case_of(study("b.m > a.m", first_look=5), rows(a=A[:3], b=A[:3]))


def test_a_study_without_expectations_is_an_error():
    with pytest.raises(StudyError, match="study 's': expect is empty"):
        case_of(study(), rows(a=A))


def test_one_failing_study_does_not_stop_the_others():
    studies = [study("b.m > a.m", name=name) for name in ("good", "broken", "absent", "misread")]
    studies[3]["expect"] = ["b.m > a.top1[2]"]
    good = rows(a=A, b=shifted(0.05))
    out = judge(studies, {"good": good, "broken": spoiled({"value": "nan"}), "misread": good})
    assert out["studies"]["good"]["word"] == "supported"
    assert set(out["failed"]) == {"broken", "absent", "misread"}
    assert out["failed"]["broken"]["stage"] == "judge"
    assert "metric 'm', seed 3" in out["failed"]["broken"]["error"]
    assert out["studies"]["good"]["expectations"][0]["q"]["holds"] == out["studies"]["good"]["expectations"][0]["P"]["holds"]
