"""Words and numbers: a verdict's sentence says what its counts say, and links lead only where a browser may go."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from assay.evidence.summary import summarise
from assay.report import words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.123456, "0.123"),
        (-0.5, "−0.500"),
        (12.345, "12.3"),
        (123.4, "123"),
        (45678.9, "45,679"),
        (0.00001234, "1.2e−05"),
        (0.0, "0"),
        (-0.0, "0"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (math.nan, "–"),
        (None, "–"),
    ],
)
def test_numbers_have_three_digits(value, text):
    assert words.number(value) == text


def test_small_formats():
    assert words.signed(0.25) == "+0.250"
    assert words.signed(-0.25) == "−0.250"
    assert words.exact(0.01) == "0.01"
    assert words.interval([0.1, 0.2]) == "[0.100, 0.200]"
    assert words.interval(None) == words.interval([math.nan, 1.0]) == "–"
    assert [words.probability(p) for p in (0.0009, 0.001, 0.04, 1.0, None)] == ["< 0.001", "0.001", "0.040", "1.000", "–"]
    assert [words.seconds(s) for s in (3.2, 42.4, 90, 7200, None)] == ["3.2 s", "42 s", "1.5 min", "2.0 h", "–"]
    assert words.setting({"mixup": {"alpha": 1.0}}) == "{mixup: {alpha: 1.0}}"
    assert [words.setting(v) for v in ("resnet", None, True, [1, 2])] == ["resnet", "null", "true", "[1, 2]"]


@pytest.mark.parametrize("url", ["https://github.com/a/b", "http://example.org/x?y=1#z"])
def test_web_addresses_may_be_followed(url):
    assert words.safe_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "JAVASCRIPT:alert(1)", " javascript:alert(1)", "java\nscript:alert(1)", "data:text/html,x", "file:///etc/passwd",
        "//example.org", "/path", "https:", "https://", "http://[broken", "", None, "vbscript:x",
    ],
)  # fmt: skip
def test_other_addresses_may_not(url):
    assert words.safe_url(url) is None


def verdict(word: str, count: str, failed: tuple[str, ...] = (), note: str = "") -> dict:
    controls = [{"text": "erm.top1 > 0.3", "passed": True}, *({"text": text, "passed": False} for text in failed)]
    return {"word": word, "count": count, "controls": controls, "note": note}


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        (verdict("supported", "4 of 4 hold"), "Holds at this size: 4 of 4 hold."),
        (verdict("partly", "3 of 4 hold, 1 reversed"), "Holds in part at this size: 3 of 4 hold, 1 reversed."),
        (verdict("not supported", "0 of 3 hold, 2 fail, 1 open"), "Does not hold at this size: 0 of 3 hold, 2 fail, 1 open."),
        (
            verdict("open", "1 open: effect between -0.05 and +0.03; about 17 seeds would tell"),
            "Undecided at this size: 1 open: effect between \N{MINUS SIGN}0.05 and +0.03; about 17 seeds would tell.",
        ),
        (
            verdict("open", "2 of 2 hold, but not past the gate", note="all claims hold, but (P = 0.04) is too much"),
            "Undecided at this size: 2 of 2 hold, but not past the gate. All claims hold, but (P = 0.04) is too much.",
        ),
        (verdict("invalid", "", failed=("erm.x > 1",)), "Cannot be judged: 1 control failed (erm.x > 1)."),
    ],
)
def test_headline_says_what_the_counts_say(record, sentence):
    assert words.headline(record) == sentence


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        ({"word": "holds", "kind": "difference", "reason": None}, ""),
        ({"word": "open", "kind": "difference", "reason": None}, ""),
        ({"word": "fails", "kind": "difference", "reason": "absent"}, "no effect"),
        ({"word": "fails", "kind": "equivalence", "reason": "reversed"}, "outside its bounds"),
    ],
)
def test_a_claim_that_fails_says_why(claim, reason):
    assert words.reason(claim) == reason


def test_summary_is_the_mean_with_students_interval():
    values = np.array([0.61, 0.64, 0.60, 0.66, 0.63])
    table = pd.DataFrame({"arm": "a", "metric": "m", "x": np.nan, "seed": range(5), "value": values})
    row = summarise(table).iloc[0]
    low, high = stats.t.interval(0.95, 4, loc=values.mean(), scale=stats.sem(values))
    assert row["mean"] == pytest.approx(values.mean())
    assert (row["low"], row["high"]) == pytest.approx((low, high))
    assert row["seeds"] == 5


def test_one_seed_has_no_interval():
    row = summarise(pd.DataFrame({"arm": ["a"], "metric": ["m"], "x": [2.0], "seed": [0], "value": [0.5]})).iloc[0]
    assert row["mean"] == 0.5
    assert math.isnan(row["low"])
    assert math.isnan(row["high"])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((1, "seed"), "1 seed"),
        ((0, "seed"), "0 seeds"),
        ((1536, "image"), "1,536 images"),
        ((1, "class", "classes"), "1 class"),
        ((2, "class", "classes"), "2 classes"),
    ],
)
def test_counts_agree_with_their_noun(arguments, text):
    assert words.plural(*arguments) == text
