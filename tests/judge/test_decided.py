"""Expectations that arithmetic decides are refused, and no others: the oracle is evaluation over many tables."""

import random
from fractions import Fraction

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import StudyError
from assay.language.expectations import parse
from assay.storage.places import PROJECT

DECIDED = {
    "a.m + 0 > a.m": "the sides differ by 0",
    "a.m > 0 + a.m": "the sides differ by 0",
    "a.m + 1 > a.m": "the sides differ by 1",
    "a.m - 0.5 > a.m": "the sides differ by -0.5",
    "2 * a.m > a.m + a.m": "the sides differ by 0",
    "a.m * (0.1 + 0.2) > 0.3 * a.m": "the sides differ by 0",
    "a.m / 4 < 0.25 * a.m": "the sides differ by 0",
    "0 * a.m > -1": "the sides differ by 1",
    "a.m + b.m > b.m + a.m": "the sides differ by 0",
    "a.m - b.m > -(b.m - a.m)": "the sides differ by 0",
    "a.m * b.m < b.m * a.m": "the sides differ by 0",
    "(a.m + b.m) * (a.m - b.m) > a.m * a.m - b.m * b.m": "the sides differ by 0",
    "a.m / b.m > a.m * (1 / b.m)": "the sides differ by 0",
    "-1 < a.m - (a.m + 0) < 1": "the middle is 0",
    "a.m[5] > a.m[5.0] + 0": "the sides differ by 0",
    "mean(a.s) + mean(b.s) > mean(a.s + b.s)": "the sides differ by 0",
    "mean(a.s - 1) > mean(a.s)": "the sides differ by -1",
    "slope(a.s + b.s) > slope(b.s + a.s)": "the sides differ by 0",
    "abs(a.m) + 0 > abs(a.m)": "the sides differ by 0",
}
OPEN = (
    "a.m + 0 > b.m",
    "a.m > 2 * a.m",  # whether it is negative
    "a.m * a.m > a.m",
    "a.m[5] > a.m[0]",
    "a.m > a.n",
    "abs(a.m) > a.m",
    "max(a.s) > min(a.s)",
    "slope(a.s) > mean(a.s)",
    "mean(a.s * b.s) > mean(a.s) * mean(b.s)",
    "a.m / b.m > b.m / a.m",
    "(a.m - b.m) / (a.m + b.m) > 0",
    "a.m - 1e-300 * b.m > a.m",
)


@pytest.mark.parametrize("text", DECIDED)
def test_what_arithmetic_decides_is_refused(text):
    with pytest.raises(StudyError) as error:
        parse(text)
    assert f"{DECIDED[text]} whatever is measured" in str(error.value)


@pytest.mark.parametrize("text", OPEN)
def test_what_depends_on_what_is_measured_is_read(text):
    parse(text)


def test_the_studies_of_the_project_are_read():
    texts = [
        text
        for path in sorted((PROJECT / "config/studies").glob("*/*.yaml"))
        for group in ("controls", "expect", "secondary")
        for text in yaml.safe_load(path.read_text()).get(group, ())
    ]
    assert len(texts) > 300
    for text in texts:
        parse(text)


NUMBERS = st.sampled_from(["0", "1", "2", "0.5", "3"])
NAMES = st.sampled_from(["a.m", "b.m", "c.m"])
TERMS = st.recursive(
    NUMBERS | NAMES,
    lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda parts: f"({' '.join(parts)})"),
    max_leaves=6,
)


@settings(max_examples=400)
@given(TERMS, TERMS)
def test_a_difference_of_polynomials_is_refused_exactly_where_it_is_one_number(left, right):
    """Whole numbers drawn from a large range: two different polynomials of this degree agree at none of them but by accident."""
    draws = random.Random(f"{left} {right}")
    points = [{name: draws.randint(10**6, 10**9) for name in "abc"} for _ in range(4)]
    effects = {_value(left, point) - _value(right, point) for point in points}
    measured = any(f"{name}.m" in left + right for name in "abc")
    try:
        parse(f"{left} > {right}")
    except StudyError as error:
        if "whatever is measured" in str(error):
            assert len(effects) == 1, f"{left} > {right} varies, and is refused"
        return
    assert measured
    assert len(effects) > 1, f"{left} > {right} never varies, and is read"


def _value(text: str, point: dict[str, int]) -> Fraction:
    """A polynomial's exact value, by Python's own reading of the text."""
    for name, value in point.items():
        text = text.replace(f"{name}.m", f"Fraction({value})")
    return eval(text.replace("0.5", "Fraction(1, 2)"), {"Fraction": Fraction})
