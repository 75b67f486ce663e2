"""Positions of marks: worked by hand, in percent of the width."""

import math

import pytest

from assay.report import plots


def expectation(**changes) -> dict:
    record = {"text": "b.m > a.m", "kind": "difference", "word": "holds", "effect": 1.0, "interval": [0.5, 1.5]}
    return record | {"spread": 0.5, "margin": 0.0, "values": [0.5, 1.5]} | changes


def only_mark(word: str, item: dict) -> plots.Mark:
    ((_, (mark,)),) = plots.forest({"study": {"word": word, "expectations": [item]}}).rows
    return mark


def test_the_margin_or_the_bounds_are_what_counts_as_none():
    assert plots.tolerance(expectation(margin=0.01)) == (-0.01, 0.01)
    assert plots.tolerance(expectation(kind="equivalence", bounds=[-0.2, 0.1], margin=0.15)) == (-0.2, 0.1)


def test_effects_are_standardised_by_the_spread_over_seeds():
    assert plots.standardised(expectation()) == 2.0
    assert plots.standardised(expectation(spread=0.0)) is None


def test_every_effect_is_drawn_in_its_own_unit_with_the_interval_of_its_data():
    drawn = plots.forest({
        "wide": {"word": "open", "expectations": [expectation(effect=0.04, interval=[-0.1, 0.18])]},
        "narrow": {"word": "supported", "expectations": [expectation(effect=0.05, interval=[0.045, 0.055])]},
        "fixed": {"word": "supported", "expectations": [expectation(effect=0.02, interval=[0.02, 0.02], spread=0.0)]},
        "one seed": {"word": "open", "expectations": [expectation(effect=0.01, interval=None)]},
    })  # fmt: skip
    marks = {name: found[0] for name, found in drawn.rows}
    assert list(marks) == ["narrow", "wide", "fixed", "one seed"]
    assert [marks[name].effect for name in marks] == [0.05, 0.04, 0.02, 0.01]
    widths = {name: mark.span[1] - mark.span[0] for name, mark in marks.items() if mark.span}
    assert widths["wide"] > 10 * widths["narrow"] > 0 == widths["fixed"]
    assert marks["wide"].interval == (-0.1, 0.18)
    assert marks["one seed"].interval is marks["one seed"].span is None


def test_the_band_is_the_margin_or_the_bounds():
    low, high = only_mark("supported", expectation(margin=0.1)).band
    assert low + high == pytest.approx(100)
    at = dict(plots.forest({"s": {"word": "open", "expectations": [expectation(margin=0.1)]}}).ticks)
    assert (low, high) == (at[-0.1], at[0.1])
    low, high = only_mark("supported", expectation(kind="equivalence", bounds=[0.0, 0.1])).band
    assert low == 50 < high
    assert only_mark("supported", expectation()).band is None


def test_forest_is_symmetric_about_zero_and_sorted_by_effect():
    drawn = plots.forest({
        "low": {"word": "not supported", "expectations": [expectation(effect=-1.0, interval=[-1.5, -0.5])]},
        "high": {"word": "supported", "expectations": [expectation()]},
    })  # fmt: skip
    assert [name for name, _ in drawn.rows] == ["high", "low"]
    high, low = (marks[0] for _, marks in drawn.rows)
    assert high.position + low.position == pytest.approx(100)
    assert dict(drawn.ticks)[0] == 50
    assert [tick for tick, _ in drawn.ticks] == [-10, -1, -0.1, -0.01, 0, 0.01, 0.1, 1, 10]
    at_ten = dict(drawn.ticks)[10]
    assert (high.position - 50) / (at_ten - 50) == pytest.approx(math.asinh(1 / 0.01) / math.asinh(10 / 0.01), abs=0.001)


def test_enormous_effect_is_clipped_and_said_to_be():
    mark = only_mark("supported", expectation(effect=5000.0))
    assert mark.clipped
    assert mark.position < 100


def test_failed_control_mutes_all_marks_of_the_study():
    assert only_mark("invalid", expectation()).word == "invalid"


def test_nothing_judged_is_an_empty_forest():
    assert plots.forest({}).rows == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("mixup.memorised < erm.memorised", "claim-mixup.memorised-under-erm.memorised"),
        ("erm.top1 > 0.3", "claim-erm.top1-over-0.3"),
        ("a.m[0.5] > b.m[0.5]", "claim-a.m-0.5-over-b.m-0.5-feca0b"),
    ],
)
def test_a_claim_has_a_place_of_its_own_that_only_its_text_decides(text, found):
    assert plots.anchor(text) == found


def test_claims_that_differ_in_signs_alone_have_places_of_their_own():
    texts = ["a.m - b.m > 0.1", "a.m + b.m > 0.1", "a.m * b.m > 0.1", "a.m[b.m] > 0.1", "-0.1 < a.m < 0.1", "0.1 < a.m < 0.1"]
    assert len({plots.anchor(text) for text in texts}) == len(texts)
