"""Answers in sentences: each worked by hand from a claim, its means, and its word."""

from itertools import pairwise

import pytest

from assay.judging.answers import answer, sentences
from assay.judging.verdicts import judge
from assay.language.expectations import compared

METRICS = {
    "top1": "Test accuracy [0 to 1, higher is better]: share of test images classified correctly",
    "ssim": "SSIM [0 to 1, higher is better]: likeness of images",
    "gap": "Background gap [0 to 1, neither is better]: what the background is worth",
}


def claim(text, word="holds", sides=(0.7, 0.6), reason=None, **more):
    kind = "equivalence" if "bounds" in more else "difference"
    record = {"text": text, "word": word, "reason": reason, "kind": kind, "sides": list(sides), "effect": 0.1, "margin": 0.02}
    return record | {"interval": [-0.04, 0.02]} | more


def said(*claims) -> str:
    return "; ".join(sentences(claims, METRICS))


@pytest.mark.parametrize(
    ("text", "sides", "sentence"),
    [
        ("a.top1 > b.top1", (0.7, 0.6), "a is above b in test accuracy (0.700 against 0.600)"),
        ("a.top1 < b.top1", (0.6, 0.7), "a is below b in test accuracy (0.600 against 0.700)"),
        ("a.top1 > 0.3", (0.7,), "a is above 0.3 in test accuracy (0.700)"),
        ("0.3 < a.top1", (0.7,), "a is above 0.3 in test accuracy (0.700)"),
        ("-0.3 > a.top1", (-0.7,), "a is below -0.3 in test accuracy (-0.700)"),
        ("a.ssim[5] > b.ssim[5]", (0.7, 0.6), "a is above b in SSIM at 5 (0.700 against 0.600)"),
        ('a.gap["far"] > b.gap["far"]', (0.7, 0.6), "a is above b in background gap at far (0.700 against 0.600)"),
        ("slope(a.top1) < 0", (-0.02,), "a is below 0 in slope of test accuracy (-0.0200)"),
        ("mean(a.top1) > mean(b.top1)", (0.7, 0.6), "a is above b in mean test accuracy (0.700 against 0.600)"),
        ("a.top1 > a.gap", (0.7, 0.6), "In a, test accuracy is above background gap (0.700 against 0.600)"),
        ("a.top1 - b.top1 > c.top1", (0.7, 0.6), "'a.top1 - b.top1 > c.top1' holds (effect 0.1)"),
        ("a.top1 > mean(b.top1)", (0.7, 0.6), "'a.top1 > mean(b.top1)' holds (effect 0.1)"),
        ("a.top1[1] > b.top1[2]", (0.7, 0.6), "'a.top1[1] > b.top1[2]' holds (effect 0.1)"),
        ("a.top1 > b.top1", (0.70001, 0.69999), "a is above b in test accuracy (0.7000 against 0.7000)"),
        ("a.gap > b.gap", (1234.5, 12.0), "a is above b in background gap (1234 against 12)"),
        ("a.gap > b.gap", (0.0, 0.0), "a is above b in background gap (0.00 against 0.00)"),
    ],
)
def test_a_claim_that_holds(text, sides, sentence):
    assert said(claim(text, sides=sides)) == sentence


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ("reversed", "a is below, not above, b in test accuracy (0.700 against 0.600)"),
        ("absent", "a is within 0.02 of, not above, b in test accuracy (0.700 against 0.600)"),
        ("smaller", "a is not above b by 0.02 in test accuracy (0.700 against 0.600)"),
    ],
)
def test_a_claim_that_fails_says_how(reason, sentence):
    assert said(claim("a.top1 > b.top1", "fails", reason=reason)) == sentence


@pytest.mark.parametrize(
    ("text", "bounds", "word", "sides", "sentence"),
    [
        ("-0.1 < a.top1 - b.top1 < 0.1", [-0.1, 0.1], "holds", (0.7, 0.6), "a is within 0.1 of b in"),
        ("-0.1 < a.top1 - b.top1 < 0.1", [-0.1, 0.1], "fails", (0.9, 0.6), "a is not within 0.1 of b in"),
        ("0 < a.top1 - b.top1 < 0.2", [0, 0.2], "holds", (0.7, 0.6), "a is 0 to 0.2 above b in"),
        ("0.3 < a.top1 < 0.8", [0.3, 0.8], "holds", (0.7,), "a is between 0.3 and 0.8 in"),
        ("0.3 < a.top1 < 0.8", [0.3, 0.8], "fails", (0.9,), "a is not between 0.3 and 0.8 in"),
    ],
)
def test_an_equivalence(text, bounds, word, sides, sentence):
    values = " against ".join(f"{side:.3f}" for side in sides)
    assert said(claim(text, word, sides=sides, bounds=bounds)) == f"{sentence} test accuracy ({values})"


def test_an_open_claim_is_no_statement_and_says_how_well_it_is_known():
    sentence = "whether a is above b in test accuracy (0.700 against 0.600, known to within 0.03)"
    assert said(claim("a.top1 > b.top1", "open")) == sentence
    assert said(claim("a.top1 > b.top1", "open", interval=None)) == sentence.replace(", known to within 0.03", "")


def test_claims_that_differ_in_subject_or_metric_alone_share_a_sentence_and_keep_their_numbers():
    two = (claim("a.top1 > c.top1"), claim("b.top1 > c.top1", sides=(0.8, 0.6)))
    assert said(*two) == "a and b are above c in test accuracy (0.700 against 0.600; 0.800 against 0.600)"
    metrics = (claim("a.top1 > c.top1"), claim("a.ssim > c.ssim", sides=(0.8, 0.6)))
    assert said(*metrics) == "a is above c in test accuracy (0.700 against 0.600) and SSIM (0.800 against 0.600)"
    apart = (claim("a.top1 > c.top1"), claim("b.ssim > c.ssim"))
    assert len(sentences(apart, METRICS)) == 2
    against = (claim("a.top1 > c.top1"), claim("a.top1 > b.top1"))
    assert len(sentences(against, METRICS)) == 2
    crossed = (*two, claim("a.ssim > c.ssim"))
    assert len(sentences(crossed, METRICS)) == 2


def test_an_answer_has_what_holds_first_what_is_open_last_and_counts_what_it_leaves_out():
    names = "pqrstuv"
    claims = [claim(f"{x}.top1 > {y}.top1", "holds") for x, y in pairwise(names)]
    claims = [claim("a.ssim > b.ssim", "open"), claim("a.gap > b.gap", "fails", reason="reversed"), *claims]
    told = answer({"word": "open", "expectations": claims, "controls": []}, METRICS, most=2)
    first, second, left, failed, open_ = told.split(". ")
    assert (first[:12], second[:12]) == ("p is above q", "q is above r")
    assert left == "4 more hold"
    assert failed.startswith("a is below, not above, b in background gap")
    assert open_.startswith("Open: whether a is above b in SSIM")
    assert told.endswith(").")
    assert "1 more holds." in answer({"word": "supported", "expectations": claims[2:5], "controls": []}, METRICS, most=2)


def test_an_instrument_that_did_not_work_answers_nothing():
    controls = [
        {"text": "a.top1 > 0.8", "passed": False, "mean": 0.7, "interval": [0.65, 0.75]},
        {"text": "b.top1 > 0.8", "passed": True, "mean": 0.9, "interval": [0.85, 0.95]},
    ]
    told = answer({"word": "invalid", "expectations": [claim("a.top1 > b.top1")], "controls": controls}, METRICS)
    assert told == "Cannot be told here: 'a.top1 > 0.8' did not pass (0.7, 95% bounds 0.65 to 0.75)."


def test_what_cannot_be_read_any_more_is_quoted():
    assert said(claim("a.gone > b.gone")) == "a is above b in gone (0.700 against 0.600)"
    assert said(claim("<b>'{{ 7 * 7 }}", sides=())) == "'<b>'{{ 7 * 7 }}' holds (effect 0.1)"


def test_the_judge_records_the_mean_of_each_side():
    values = {"a": (0.7, 0.8, 0.9), "b": (0.1, 0.2, 0.6)}
    rows = [
        {"arm": arm, "seed": seed, "metric": "top1", "x": x, "value": value + (x or 0)}
        for arm, each in values.items()
        for seed, value in enumerate(each)
        for x in (0, 1)
    ]
    texts = ["a.top1[1] > b.top1[0]", "0.2 < mean(a.top1)", "0 < a.top1[0] - b.top1[0] < 1", "a.top1[0] > 2 * b.top1[0] - 0.1"]
    (record,) = judge([{"name": "one", "paper": "P1", "expect": texts}], {"one": rows})["studies"].values()
    sides = [each["sides"] for each in record["expectations"]]
    assert sides == [pytest.approx(each) for each in ([1.8, 0.3], [1.3], [0.8, 0.3], [0.8, 0.5])]


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("a.m  >  b.m", ["a.m", "b.m"]),
        ("0.3 < a.m", ["a.m"]),
        ("-1 < a.m - b.m < 1", ["a.m", "b.m"]),
        ("-1 < a.m / b.m < 1", ["a.m / b.m"]),
        ("-1 < a.m - 0.5 < 1", ["a.m - 0.5"]),
    ],
)
def test_what_a_text_compares(text, texts):
    assert [side.text for side in compared(text)] == texts
