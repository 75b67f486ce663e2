"""What no verdict may depend on: which arm is named first, the unit, a constant, the order of seeds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judging_cases import claim, judged

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
