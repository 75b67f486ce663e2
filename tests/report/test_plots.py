"""Positions of marks: worked by hand, in percent of the width."""

import math

import pytest

from assay.report import plots


def expectation(**changes) -> dict:
    record = {"text": "b.m > a.m", "kind": "difference", "verdict": "supported", "effect": 1.0, "interval": [0.5, 1.5]}
    return record | {"standardised": 2.0, "margin": 0.0, "values": [0.5, 1.5]} | changes


def only_mark(verdict: str, item: dict) -> plots.Mark:
    ((_, (mark,)),) = plots.forest({"study": {"verdict": verdict, "expectations": [item]}}).rows
    return mark


def test_strip_spans_zero_and_everything_drawn():
    drawn = plots.strip(expectation(effect=5.0, interval=[0.0, 10.0], values=[0.0, 10.0]))
    # 0 to 10 with 6% of room at either end: 11.2 units wide, from -0.6.
    assert drawn.zero == pytest.approx(100 * 0.6 / 11.2, abs=0.01)
    assert drawn.effect == pytest.approx(50.0)
    assert drawn.interval == pytest.approx((drawn.zero, 100 - drawn.zero), abs=0.01)
    assert drawn.seeds == list(drawn.interval)
    assert drawn.band is None


def test_strip_shows_margin_and_bounds_as_band():
    assert plots.tolerance(expectation(margin=0.01)) == (-0.01, 0.01)
    assert plots.tolerance(expectation(kind="equivalence", bounds=[-0.2, 0.1], margin=0.15)) == (-0.2, 0.1)


def test_strip_of_a_single_seed_has_no_interval():
    drawn = plots.strip(expectation(interval=None, values=[1.0]))
    assert drawn.interval is None
    assert len(drawn.seeds) == 1


def test_strip_of_nothing_is_nothing():
    assert plots.strip(expectation(effect=None, interval=None, values=[])) is None
    assert plots.strip(expectation(effect=0.0, interval=[0.0, 0.0], values=[0.0])).zero == 50.0


def test_interval_is_standardised_with_the_same_deviation():
    # effect 1.0 is 2.0 deviations, so a deviation is 0.5 and the interval [0.5, 1.5] is [1, 3].
    assert plots.standardised(expectation()) == pytest.approx((2.0, 1.0, 3.0))
    assert plots.standardised(expectation(effect=-1.0, standardised=-2.0, interval=[-1.5, -0.5])) == pytest.approx(
        (-2.0, -3.0, -1.0)
    )


def test_effect_without_spread_is_left_out_and_named():
    fixed = {"verdict": "supported", "expectations": [expectation(standardised=None)]}
    judged = {"verdict": "supported", "expectations": [expectation()]}
    drawn = plots.forest({"fixed": fixed, "judged": judged})
    assert [name for name, _ in drawn.rows] == ["judged"]
    assert drawn.without == ["fixed"]


def test_forest_is_symmetric_about_zero_and_sorted_by_effect():
    drawn = plots.forest(
        {
            "low": {
                "verdict": "contradicted",
                "expectations": [expectation(effect=-1.0, standardised=-2.0, interval=[-1.5, -0.5])],
            },
            "high": {"verdict": "supported", "expectations": [expectation()]},
        }
    )
    assert [name for name, _ in drawn.rows] == ["high", "low"]
    high, low = (marks[0] for _, marks in drawn.rows)
    assert high.position + low.position == pytest.approx(100)
    assert dict(drawn.ticks)[0] == 50
    assert [tick for tick, _ in drawn.ticks] == [-3, -1, -0.3, 0, 0.3, 1, 3]
    at_three = dict(drawn.ticks)[3]
    assert high.span[1] == pytest.approx(at_three, abs=0.01)
    assert (high.position - 50) / (at_three - 50) == pytest.approx(math.asinh(2) / math.asinh(3), abs=0.001)


def test_enormous_effect_is_clipped_and_said_to_be():
    mark = only_mark("supported", expectation(standardised=5000.0))
    assert mark.clipped
    assert mark.position < 100


def test_failed_control_mutes_all_marks_of_the_study():
    assert only_mark("invalid", expectation()).verdict == "invalid"


def test_nothing_judged_is_an_empty_forest():
    assert plots.forest({}).rows == []
