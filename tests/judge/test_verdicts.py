"""Every rule of the judge on records written by hand, and what must not change a verdict."""

import json
import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from assay.errors import EvidenceError, StudyError
from assay.judging.families import Family, Member
from assay.judging.tabulating import tabulate
from assay.judging.verdicts import case_of, judge, judge_control
from assay.language.expectations import parse

A = [0.50, 0.52, 0.49, 0.51, 0.50]
WOBBLE = (0.001, -0.001, 0.002, -0.002, 0.0)


def rows(first=0, **arms):
    """Observations of metric `m`: rows(a=[0.1, 0.2]) gives arm a its values for seeds 0 and 1."""
    return [
        {"study": "s", "arm": arm, "seed": seed, "metric": "m", "x": "", "value": value}
        for arm, values in arms.items()
        for seed, value in enumerate(values, first)
    ]


def study(*expect, name="s", controls=(), margin=None, secondary=(), **more):
    return {
        "name": name,
        "paper": "P001",
        "expect": expect,
        "secondary": secondary,
        "controls": controls,
        "margin": margin or {},
        **more,
    }


def judged(*expect, controls=(), margin=None, secondary=(), more=None, **arms):
    """The judged record of one study alone in its report. more: further keys of the study."""
    text = study(*expect, controls=controls, margin=margin, secondary=secondary, **(more or {}))
    return judge([text], {"s": rows(**arms)})["studies"]["s"]


def claim(*expect, **more):
    """The record of the first claim of a study alone in its report."""
    return judged(*expect, **more)["expectations"][0]


def shifted(by, wobble=WOBBLE):
    """Arm values whose effects over A are `by` with standard deviation 0.0016."""
    return [value + by + noise for value, noise in zip(A, wobble, strict=True)]


# One claim at one look


def test_p_values_of_a_difference():
    effects = np.subtract(shifted(0.005), A)
    record = claim("b.m > a.m", a=A, b=shifted(0.005), margin={"m": 0.004})
    above, below = (
        {bound: stats.ttest_1samp(effects, bound, alternative=side).pvalue for bound in (0.004, -0.004)}
        for side in ("greater", "less")
    )
    p = {name: values[0] for name, values in record["p"].items()}
    assert p["holds"] == pytest.approx(above[0.004])
    assert p["fails"] == pytest.approx(below[0.004])
    assert p["reversed"] == pytest.approx(below[-0.004])
    assert p["absent"] == pytest.approx(max(above[-0.004], below[0.004]))
    assert record["P"] == pytest.approx({name: min(1, 2 * value) for name, value in p.items()})


def test_p_values_of_an_equivalence():
    effects = np.subtract(shifted(0.02), A)
    record = claim("-0.01 < b.m - a.m < 0.019", a=A, b=shifted(0.02))
    above = stats.ttest_1samp(effects, 0.019, alternative="greater").pvalue
    below = stats.ttest_1samp(effects, 0.019, alternative="less").pvalue
    assert record["p"]["holds"] == pytest.approx([below])  # far above the lower bound
    assert record["p"]["fails"] == record["p"]["reversed"] == pytest.approx([2 * above])
    assert record["p"]["absent"] == [1.0]
    assert (record["bounds"], record["margin"]) == ([-0.01, 0.019], pytest.approx(0.0145))


def test_without_a_margin_nothing_is_absent():
    record = claim("b.m > a.m", a=A, b=shifted(0.0))
    assert record["p"]["absent"] == [1.0]
    assert "no margin stated" in record["note"]


@pytest.mark.parametrize(
    ("by", "margin", "word", "reason"),
    [
        (0.05, {"m": 0.01}, "holds", None),
        (-0.05, {"m": 0.01}, "fails", "reversed"),
        (0.0, {"m": 0.01}, "fails", "absent"),
        (0.005, {"m": 0.01}, "fails", "absent"),
        (-0.0098, {"m": 0.01}, "fails", "smaller"),
        (0.0101, {"m": 0.01}, "open", None),
        (0.0, {}, "open", None),
        (0.005, {}, "holds", None),
        (-0.005, {}, "fails", "reversed"),
    ],
)
def test_words_of_a_difference(by, margin, word, reason):
    record = claim("b.m > a.m", margin=margin, a=A, b=shifted(by))
    assert (record["word"], record["reason"]) == (word, reason)
    assert record["effect"] == pytest.approx(by)
    assert (record["decided_at"] is None) == (word == "open")


@pytest.mark.parametrize(("by", "word"), [(0.0, "holds"), (0.05, "fails"), (-0.05, "fails"), (0.0099, "open")])
def test_words_of_an_equivalence(by, word):
    record = claim("-0.01 < b.m - a.m < 0.01", a=A, b=shifted(by))
    assert record["word"] == word
    assert (record["margin"], record["bounds"]) == (0.01, [-0.01, 0.01])


@given(st.floats(-0.01, 0.01))
def test_a_claim_that_holds_at_the_first_look_has_its_95_percent_interval_above_the_margin(margin):
    record = claim("b.m > a.m", a=A, b=shifted(0.001), margin={"m": abs(margin)})
    assert (record["interval"][0] > abs(margin)) == (record["word"] == "holds")


def test_the_interval_and_the_spread_are_the_data_s():
    record = claim("b.m > a.m", a=A, b=shifted(0.005))
    effects = np.subtract(shifted(0.005), A)
    assert record["interval"] == pytest.approx(list(stats.ttest_1samp(effects, 0).confidence_interval(0.95)))
    assert record["spread"] == pytest.approx(np.std(effects, ddof=1))
    assert record["values"] == pytest.approx(effects.tolist())


def test_a_lower_is_better_claim_has_a_positive_effect_when_it_holds():
    record = claim("b.m < a.m", a=A, b=shifted(-0.05))
    assert (record["word"], record["effect"]) == ("holds", pytest.approx(0.05))
    assert record["values"] == pytest.approx([0.049, 0.051, 0.048, 0.052, 0.05])


def test_pairing_removes_what_the_seeds_share():
    far_apart = [0.1, 0.9, 0.3, 0.7, 0.5]
    better = [value + 0.01 + noise for value, noise in zip(far_apart, (0.001, -0.001, 0, 0.002, -0.002), strict=True)]
    assert stats.ttest_ind(better, far_apart).pvalue > 0.9
    assert judged("b.m > a.m", a=far_apart, b=better)["word"] == "supported"


# Looks


def test_every_look_costs_twice_the_one_before():
    rng = np.random.default_rng(9)
    a, b = rng.normal(0, 1, 20), rng.normal(0.9, 1, 20)
    record = claim("b.m > a.m", more={"first_look": 5}, a=a, b=b)
    p = [stats.ttest_1samp((b - a)[:n], 0, alternative="greater").pvalue for n in (5, 10, 20)]
    assert record["p"]["holds"] == pytest.approx(p)
    assert record["P"]["holds"] == pytest.approx(min(2 * p[0], 4 * p[1], 8 * p[2]))
    assert (record["word"], record["decided_at"]) == ("holds", 10)
    assert 2 * p[0] > 0.05 > 4 * p[1]


def test_looks_under_earlier_texts_are_charged_and_first_moves_the_draws():
    values = rows(first=10, a=A, b=shifted(0.0016))
    before = rows(a=[0.9] * 10, b=[0.1] * 10)
    fresh = judge([study("b.m > a.m")], {"s": rows(a=A, b=shifted(0.0016))})["studies"]["s"]
    later = judge([study("b.m > a.m", first=10, first_look=5, earlier=2)], {"s": before + values})["studies"]["s"]
    assert (later["first"], later["seeds"], later["earlier"], later["looks"]) == (10, 5, 2, [5])
    one, other = later["expectations"][0], fresh["expectations"][0]
    assert one["p"] == other["p"]
    assert one["P"]["holds"] == pytest.approx(4 * other["P"]["holds"])
    assert (other["word"], one["word"]) == ("open", "open")
    assert one["needs"] >= other["needs"]


def test_a_claim_found_early_and_refuted_late_is_open_and_says_so():
    a = [0.0] * 40
    up = [1.0, 1.01, 0.99, 1.02, 0.98]
    record = claim("b.m > a.m", more={"first_look": 5}, a=a, b=up + [-1.0 + 0.01 * (n % 5) for n in range(35)])
    assert record["word"] == "open"
    assert max(record["q"].values()) <= 0.05
    assert "the looks disagree" in record["note"]


def noisy(seed, seeds, shift=0.3):
    rng = np.random.default_rng(seed)
    return {"a": rng.normal(0, 1, seeds).tolist(), "b": rng.normal(shift, 1, seeds).tolist()}


LOOKED = study("b.m > a.m", "-1 < b.m - a.m < 1", controls=["a.m > -5"], secondary=["a.m < 0.2"], first_look=5)


def dumped(observations, text=LOOKED) -> str:
    return json.dumps(judge([text], {"s": observations}), sort_keys=True)


@pytest.mark.parametrize("seed", range(5))
def test_a_verdict_is_the_same_whatever_was_judged_before(seed):
    arms = noisy(seed, 20)
    whole = rows(**arms)
    for seeds in (5, 10):
        dumped([row for row in whole if row["seed"] < seeds])
    again = [row for row in whole if row["seed"] < 10] + [row for row in whole if row["seed"] >= 10]
    assert dumped(again) == dumped(whole)
    early = judge([LOOKED], {"s": [row for row in whole if row["seed"] < 10]})["studies"]["s"]["expectations"]
    late = judge([LOOKED], {"s": whole})["studies"]["s"]["expectations"]
    for one, other in zip(early, late, strict=True):
        for name in one["p"]:
            assert other["p"][name][:2] == one["p"][name]
            assert other["P"][name] <= one["P"][name]


@pytest.mark.parametrize("seed", range(5))
def test_order_of_studies_rows_and_arms_changes_no_byte(seed):
    rng = np.random.default_rng(seed)
    studies = [LOOKED | {"name": f"s{n}", "first_look": 5} for n in range(4)]
    observations = {f"s{n}": rows(**noisy(10 * seed + n, (5, 10, 20, 7)[n])) for n in range(4)}
    mixed = {name: [each[i] for i in rng.permutation(len(each))] for name, each in observations.items()}
    reversed_ = json.dumps(judge(studies[::-1], mixed), sort_keys=True)
    assert reversed_ == json.dumps(judge(studies, observations), sort_keys=True)


@pytest.mark.parametrize("seed", range(5))
def test_which_arm_is_named_first_changes_nothing_but_the_text(seed):
    one, other = (judge([study(text, first_look=5)], {"s": rows(**noisy(seed, 10))}) for text in ("b.m > a.m", "a.m < b.m"))
    (this,), (that,) = (found["studies"]["s"]["expectations"] for found in (one, other))
    assert this.pop("sides") == that.pop("sides")[::-1]
    del this["text"], that["text"]
    assert json.dumps(one) == json.dumps(other)


def test_seeds_before_the_first_beyond_a_gap_or_between_looks_change_no_byte():
    text = LOOKED | {"first": 3}
    base = rows(first=3, **noisy(0, 10))
    assert '"looks": [5, 10]' in dumped(base, text)
    between = rows(first=13, a=[9.0] * 5, b=[-9.0] * 5)  # 15 of 20 seeds
    before = rows(a=[7.0, math.nan, 7.0], b=[7.0, 7.0, -7.0])
    beyond = rows(first=19, a=[9.0] * 40, b=[-9.0] * 40)  # seed 18 lacks
    for more in (between, before, before + between + beyond, rows(first=13, a=[1.0] * 10)):  # the last: of one arm alone
        assert dumped(base + more, text) == dumped(base, text)
    complete = rows(first=18, a=[9.0], b=[-9.0])
    assert dumped(base + between + beyond + complete, text) != dumped(base, text)


# Several claims


def test_the_family_counts_the_claims_of_all_studies():
    wobble = (0.004, -0.004, 0.008, -0.008, 0.0)
    alone = claim("b.m > a.m", a=A, b=shifted(0.009, wobble))
    among = claim("b.m > a.m", "c.m > a.m", "d.m > a.m", a=A, b=shifted(0.009, wobble), c=shifted(0, wobble),
                  d=shifted(0, wobble))  # fmt: skip
    assert (alone["word"], among["word"]) == ("holds", "open")
    assert among["q"]["holds"] == pytest.approx(3 * alone["P"]["holds"])
    studies = [study("b.m > a.m", name=name) for name in ("s", "t", "u")]
    none = rows(a=A, b=shifted(0, wobble))
    together = judge(studies, {"s": rows(a=A, b=shifted(0.009, wobble)), "t": none, "u": none})["studies"]["s"]
    assert together["expectations"][0]["q"] == among["q"]


def test_a_study_joins_a_release_alone():
    strong, weak = rows(a=A, b=shifted(0.05)), rows(a=A, b=shifted(0.0105, (0.008, -0.008, 0.016, -0.016, 0)))
    release = Family({f"r{n}": Member(np.ones((4, 1)), np.empty((4, 0))) for n in range(3)})
    studies = [study("b.m > a.m", name=name) for name in ("strong", "weak", "r0")]
    observations = {"strong": strong, "weak": weak, "r0": strong}
    found = judge(studies, observations, release)["studies"]
    assert found["weak"]["expectations"][0]["q"]["holds"] == pytest.approx(
        4 * found["weak"]["expectations"][0]["P"]["holds"]  # of r0, r1, r2 and itself, whatever else is judged here
    )
    only = judge([studies[1]], observations, release)["studies"]
    assert only["weak"] == found["weak"]
    assert found["r0"]["expectations"][0]["q"]["holds"] == pytest.approx(3 * found["r0"]["expectations"][0]["P"]["holds"])


def test_secondary_claims_have_no_say():
    better, same, worse = [0.70, 0.72, 0.71, 0.73, 0.74], [0.50, 0.53, 0.51, 0.54, 0.53], [0.30, 0.34, 0.31, 0.33, 0.34]
    alone = judged("a.m > b.m", a=better, b=same, c=worse)
    record = judged("a.m > b.m", secondary=["c.m > b.m", "a.m > c.m"], a=better, b=same, c=worse)
    assert [each["word"] for each in record["secondary"]] == ["fails", "holds"]
    assert {key: record[key] for key in ("word", "count", "expectations")} == {
        key: alone[key] for key in ("word", "count", "expectations")
    }
    assert judged("c.m > b.m", secondary=["a.m > b.m"], a=better, b=same, c=worse)["word"] == "not supported"


def test_a_margin_may_belong_to_a_secondary_claim():
    record = judged("a.m > b.m", secondary=["a.m > 0.6"], margin={"a.m > 0.6": 0.2}, a=shifted(0.2), b=A)
    assert (record["secondary"][0]["margin"], record["expectations"][0]["margin"]) == (0.2, 0)


def test_a_paper_whose_claims_hold_but_not_past_the_gate_says_so():
    names = [f"s{n}" for n in range(40)]
    sure, none = shifted(0.05), shifted(0, (0.004, -0.004, 0.008, -0.008, 0.0))
    studies = [study("b.m > a.m", "c.m > a.m", name=name) for name in names]
    observations = {name: rows(a=A, b=sure, c=none) for name in names[:-1]}
    observations[names[-1]] = rows(a=A, b=sure, c=shifted(0.02, (0.004, -0.004, 0.008, -0.008, 0.0)))
    record = judge(studies, observations)["studies"][names[-1]]
    assert [each["word"] for each in record["expectations"]] == ["holds", "holds"]
    assert (record["word"], record["count"]) == ("open", "2 of 2 hold, but not past the gate")
    assert "does not pass the gate" in record["note"]
    assert record["gate"]["a"] > record["gate"]["cut"]


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


# Invariances; values on a grid of 1/1024, so that the arithmetic compared is exact

GRID = st.integers(-512, 512).map(lambda count: count / 1024)
ARMS = st.integers(2, 6).flatmap(lambda n: st.tuples(*[st.lists(GRID, min_size=n, max_size=n)] * 2))
MARGINS = st.sampled_from([0.0, 1 / 64, 1 / 8])
TEXTS = st.sampled_from(["b.m > a.m", "b.m < a.m", "-0.125 < b.m - a.m < 0.125"])


def essence(record):
    """What is decided about a study's claims, with the numbers that decide it."""
    return [record["word"], *((each["word"], each["reason"], each["p"], each["P"], each["q"]) for each in record["expectations"])]


@given(ARMS, MARGINS)
def test_swapping_the_arms_mirrors_the_claim(arms, margin):
    a, b = arms
    record, mirrored = (claim("b.m > a.m", margin={"m": margin}, a=one, b=other) for one, other in ((a, b), (b, a)))
    assert mirrored["effect"] == -record["effect"]
    assert mirrored["p"]["reversed"] == record["p"]["holds"]
    assert mirrored["p"]["absent"] == record["p"]["absent"]


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
    assert scaled["expectations"][0]["needs"] == record["expectations"][0]["needs"]


@given(ARMS, MARGINS, TEXTS, st.integers(-4, 4))
def test_a_constant_added_to_both_arms_changes_nothing(arms, margin, text, constant):
    a, b = arms
    record = judged(text, margin={"m": margin}, a=a, b=b)
    assert essence(judged(text, margin={"m": margin}, a=[v + constant for v in a], b=[v + constant for v in b])) == (
        essence(record)
    )


@given(ARMS, MARGINS, TEXTS, st.randoms(use_true_random=False))
def test_the_order_of_seeds_does_not_matter_at_one_look(arms, margin, text, random):
    pairs = list(zip(*arms, strict=True))
    random.shuffle(pairs)
    a, b = map(list, zip(*pairs, strict=True))
    one, other = (claim(text, margin={"m": margin}, a=x, b=y) for x, y in (arms, (a, b)))
    assert (one["word"], one["reason"]) == (other["word"], other["reason"])
    assert one["P"] == pytest.approx(other["P"])  # sums in another order


@given(ARMS, MARGINS)
def test_a_larger_margin_never_helps_a_claim_to_hold(arms, margin):
    a, b = arms
    small, large = (claim("b.m > a.m", margin={"m": each}, a=a, b=b) for each in (margin, 2 * margin + 1 / 64))
    assert large["word"] != "holds" or small["word"] == "holds"
    assert large["P"]["holds"] >= small["P"]["holds"]
    assert large["P"]["fails"] <= small["P"]["fails"]


# Speed


def test_a_whole_catalogue_is_judged_in_about_a_second():
    rng = np.random.default_rng(0)
    arms = ("a", "b", "c", "d", "e")
    studies = [study(*(f"{arm}.m > a.m" for arm in arms[1:]), name=f"s{n}", first_look=5) for n in range(764)]
    observations = {one["name"]: rows(**dict(zip(arms, rng.normal(0, 1, (5, 10)), strict=True))) for one in studies}
    started = time.process_time()
    out = judge(studies, observations)
    assert time.process_time() - started < 4  # a core-second or two; a loop over p-values takes ten
    assert sum(len(record["expectations"]) for record in out["studies"].values()) == 4 * 764
