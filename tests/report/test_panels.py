"""Claim charts: which claims share an axis, where marks stand, and what is claimed, worked by hand."""

import math

import pytest

from assay.language.published import Published, PublishedNumber
from assay.report import panels

METRICS = {
    "top1": "Test accuracy [0 to 1, higher is better]: share classified correctly",
    "memorised": "Wrong labels memorised [0 to 1, lower is better]: share",
    "ssim": "SSIM [0 to 1, neither is better]: similarity",
}


def claim(text: str, sides: list[float], effect: float, **changes) -> dict:
    record = {"text": text, "kind": "difference", "word": "holds", "reason": None, "effect": effect, "margin": 0.0}
    return record | {"interval": [effect - 0.1, effect + 0.1], "values": [effect], "spread": 0.1, "sides": sides} | changes


def only(claims: dict, published=(), **more) -> tuple[panels.Group, panels.Panel]:
    (group,) = panels.groups([claims], METRICS, published, **more)
    return group, group.panels[0]


def printed(metric: str, value: float, setting: str = "CIFAR-10", **more) -> Published:
    return Published(PublishedNumber(metric=metric, value=value, source="table 1", setting=setting, **more), False)


def test_a_difference_is_the_first_thing_less_the_second_whatever_is_claimed():
    """The judge's effect is positive as expected; on the metric's own axis fewer memorised labels lie to the left."""
    group, panel = only(claim("mixup.memorised < erm.memorised", [0.3, 0.9], 0.6, margin=0.02))
    assert panel.quantity == "mixup \u2212 erm"
    assert panel.value == pytest.approx(-0.6)
    assert panel.interval == pytest.approx((-0.7, -0.5))
    assert panel.things == (("mixup", 0.3), ("erm", 0.9))
    assert panel.wanted == "claimed lower by more than 0.02"
    assert panel.mark < panel.threshold
    assert panel.span[0] < panel.mark < panel.span[1]
    assert panel.claimed[0] == 0
    assert panel.claimed[1] == panel.band[0] < panel.threshold < panel.band[1]
    assert (group.label, group.unit, group.better) == ("Difference in wrong labels memorised", "0 to 1, lower is better", -1)
    assert panel.better == "mixup better"


def test_the_axis_is_linear_with_room_at_both_ends():
    """-0.7 to 0.02 is 0.72; with 5% at either end the axis is 0.792 wide and begins at -0.736."""
    group, panel = only(claim("mixup.memorised < erm.memorised", [0.3, 0.9], 0.6, margin=0.02))
    assert panel.mark == pytest.approx(100 * (-0.6 + 0.736) / 0.792, abs=0.01)
    assert panel.threshold == pytest.approx(100 * 0.736 / 0.792, abs=0.01)
    assert dict(group.ticks)["\u22120.4"] == pytest.approx(100 * (-0.4 + 0.736) / 0.792, abs=0.01)


@pytest.mark.parametrize(
    ("text", "effect", "value", "wanted", "upward"),
    [
        ("a.top1 > 0.3", 0.2, 0.5, "claimed above 0.3", True),
        ("0.3 < a.top1", 0.2, 0.5, "claimed above 0.3", True),
        ("a.top1 < 0.3", -0.2, 0.5, "claimed below 0.3", False),
        ("a.top1 > -0.3", 0.8, 0.5, "claimed above \u22120.3", True),
    ],
)
def test_a_value_against_a_number_is_shown_as_itself(text, effect, value, wanted, upward):
    group, panel = only(claim(text, [0.5], effect))
    assert panel.value == pytest.approx(value)
    assert (panel.quantity, panel.wanted) == ("a", wanted)
    assert panel.claimed == ((panel.threshold, 100) if upward else (0, panel.threshold))
    assert (group.label, panel.better) == ("Test accuracy", "better")


@pytest.mark.parametrize(
    ("text", "wanted", "names"),
    [
        ("-0.1 < a.top1 - b.top1 < 0.1", "claimed within 0.1 of each other", 2),
        ("-0.2 < a.top1 - b.top1 < 0.1", "claimed between \u22120.2 and 0.1", 2),
        ("-0.1 < a.top1 < 0.1", "claimed between \u22120.1 and 0.1", 1),
    ],
)
def test_an_equivalence_has_a_ground_and_no_side(text, wanted, names):
    bounds = [-0.2 if "-0.2" in text else -0.1, 0.1]
    _, panel = only(claim(text, [0.5, 0.48][:names], 0.02, kind="equivalence", bounds=bounds, margin=0.1))
    assert panel.value == pytest.approx(0.02)
    assert panel.threshold is panel.band is None
    assert 0 < panel.claimed[0] < panel.mark < panel.claimed[1] < 100
    assert (panel.wanted, len(panel.things)) == (wanted, names)


def test_claims_of_one_metric_share_an_axis_and_others_do_not():
    claims = [
        claim("a.top1 > b.top1", [0.5, 0.4], 0.1),
        claim("a.memorised < b.memorised", [0.5, 0.6], 0.1),
        claim("c.top1[5] > 0.5 * b.top1[5]", [0.9, 0.2], 0.7),
        claim("a.top1 > 0.3", [0.5], 0.2),
        claim("slope(a.top1) < 0", [-0.5], 0.5),
        claim("slope(b.top1) < 0", [-0.2], 0.2),
        claim("a.top1 - a.ssim > b.top1 - b.ssim", [0.2, 0.1], 0.1),
    ]
    found = panels.groups(claims, METRICS)
    assert [[panel.record["text"] for panel in group.panels] for group in found] == [
        [claims[0]["text"], claims[2]["text"]],
        [claims[1]["text"]],
        [claims[3]["text"]],
        [claims[4]["text"], claims[5]["text"]],
        [claims[6]["text"]],
    ]
    first, second = found[0].panels
    assert first.threshold == second.threshold
    assert first.mark < second.mark
    assert second.quantity == "c at 5 \u2212 (0.5 * b.top1[5])"
    assert [group.label for group in found][3:] == ["Slope of test accuracy", "SSIM and test accuracy"]
    assert found[4].unit == found[4].panels[0].better == ""


def test_two_metrics_of_one_arm_are_told_apart():
    _, panel = only(claim("a.top1 > a.memorised", [0.5, 0.4], 0.1))
    assert [name for name, _ in panel.things] == ["test accuracy in a", "wrong labels memorised in a"]


def test_the_papers_own_effect_is_shown_where_it_prints_both_numbers_for_one_setting():
    text = claim("b.top1 > a.top1", [0.5, 0.4], 0.1)
    _, panel = only(text, [printed("a.top1", 0.944), printed("b.top1", 0.958), printed("c.top1", 0.1)])
    (paper,) = panel.papers
    assert paper.value == pytest.approx(0.014)
    assert paper.text == "CIFAR-10; table 1"
    assert panel.threshold < paper.position < panel.mark
    for lacking in (
        [printed("b.top1", 0.958)],
        [printed("a.top1", 0.944), printed("b.top1", 0.7, "ImageNet")],
        [printed("a.top1[1]", 0.944), printed("b.top1[1]", 0.958)],
        [printed("a.memorised", 0.944), printed("b.memorised", 0.958)],
    ):
        assert only(text, lacking)[1].papers == ()


def test_settings_in_other_words_are_one_where_they_name_the_same_world_and_model():
    same = {"same_as": {"world": {"idx": {"name": "mnist"}}}}
    numbers = [printed("a.top1", 0.9, "MNIST, two layers", **same), printed("b.top1", 0.95, "the same", **same)]
    (paper,) = only(claim("b.top1 > a.top1", [0.5, 0.4], 0.1), numbers)[1].papers
    assert (paper.value, paper.text) == (pytest.approx(0.05), "MNIST, two layers; the same; table 1")


def test_a_printed_difference_and_several_settings_stand_side_by_side():
    numbers = [printed("b.top1 - a.top1", 0.02), printed("b.top1-a.top1", 0.05, "ImageNet"), printed("a.top1 - b.top1", 0.5, "x")]
    _, panel = only(claim("b.top1 > a.top1", [0.5, 0.4], 0.1), numbers)
    assert [paper.value for paper in panel.papers] == [0.02, 0.05]


def test_a_series_is_not_made_of_the_one_point_that_is_printed():
    assert only(claim("mean(a.top1) > 0.3", [0.5], 0.2), [printed("a.top1[1]", 0.9)])[1].papers == ()


def test_where_a_control_failed_no_effect_looks_like_a_finding():
    assert only(claim("a.top1 > b.top1", [0.5, 0.4], 0.1), muted=True)[1].word == "invalid"


def test_one_seed_has_no_interval_and_nothing_measured_no_chart():
    _, panel = only(claim("a.top1 > b.top1", [0.5, 0.4], 0.1, interval=None))
    assert panel.interval is panel.span is None
    assert panels.groups([claim("a.top1 > b.top1", [], math.nan, values=[])], METRICS) == []


def test_a_text_that_is_no_comparison_is_shown_by_its_effect():
    group, panel = only(claim("<b>&", [0.5, 0.4], 0.1))
    assert (group.label, panel.value, panel.things) == ("Effect", 0.1, (("<b>&", None),))


def test_without_a_spread_of_values_there_is_still_an_axis():
    group, panel = only(claim("a.top1 > 0", [0.0], 0.0, interval=[0.0, 0.0]))
    assert (panel.mark, group.ticks[0][1] < 50 < group.ticks[-1][1]) == (50, True)


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (-0.01, 0.1, ["0.00", "0.02", "0.04", "0.06", "0.08", "0.10"]),
        (-1200, 30, ["\u22121,000", "\u2212500", "0"]),
        (0.98, 1.01, ["0.980", "0.985", "0.990", "0.995", "1.000", "1.005", "1.010"]),
    ],
)
def test_ticks_are_round_numbers_with_as_many_decimals_each(low, high, texts):
    found = panels.ticks(low, high)
    assert [text for _, text in found] == texts
    assert all(low <= value <= high for value, _ in found)
