"""Every rule of the judge on records written by hand, and what must not change a verdict."""

import json
import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judging_cases import A, claim, judged, rows, shifted, study
from scipy import stats

from assay.judging.families import Family, Member
from assay.judging.verdicts import judge

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
