"""The forty studies as they were when this judge was chosen: texts and per-seed effects, and what it says of them."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from assay.judging.claims import Claims, corrected, p_values
from assay.judging.families import Family, Member
from assay.judging.statistics import Samples, interval
from assay.language.expectations import parse

FORTY = json.loads((Path(__file__).parent / "forty_studies.json").read_text())


def _passed(control: dict) -> bool:
    """Whether the one-sided 95% bounds are where the control asks."""
    low, high = interval(Samples.of(control["values"], control["resolution"], control["fixed"]), 0.9)
    lower, upper = (control[end] if control[end] is not None else sign for end, sign in (("lower", -np.inf), ("upper", np.inf)))
    return bool(lower < low and high < upper)


def _claims(texts: list[dict]) -> Claims:
    expectations = [parse(each["text"]) for each in texts]
    equivalence = np.array([expectation.kind == "equivalence" for expectation in expectations])
    margins = np.array([each["margin"] or 0.0 for each in texts])
    return Claims(
        effects=np.array([each["values"] for each in texts]),
        lower=np.where(equivalence, [expectation.lower for expectation in expectations], -margins),
        upper=np.where(equivalence, [expectation.upper for expectation in expectations], margins),
        equivalence=equivalence,
        resolution=np.array([[each["resolution"]] * 5 for each in texts]),
        fixed=np.array([[each["fixed"]] * 5 for each in texts]),
    )


@pytest.fixture(scope="module")
def family() -> Family:
    members = {}
    for name, study in FORTY.items():
        p = corrected(p_values(_claims(study["expect"]), first_look=5))
        members[name] = Member(p, np.empty((4, 0)), valid=all(map(_passed, study["controls"])))
    return Family(members)


def test_the_file_holds_forty_studies_of_five_seeds_and_163_claims():
    claims = [claim for study in FORTY.values() for claim in study["expect"]]
    assert (len(FORTY), len(claims)) == (40, 163)
    assert {len(claim["values"]) for claim in claims} == {5}


def test_the_words_on_claims(family):
    claims = [claim for name in FORTY for claim in family.conclusion(name).claims]
    assert Counter(claim.word for claim in claims) == {"holds": 109, "fails": 12, "open": 42}
    assert Counter(claim.reason for claim in claims if claim.reason) == {"reversed": 7, "absent": 1, "smaller": 4}


def test_the_words_on_papers(family):
    words = Counter(family.conclusion(name).word for name in FORTY)
    assert words == {"supported": 10, "partly": 8, "not supported": 1, "open": 21}


@pytest.mark.parametrize("study", FORTY)
def test_every_control_is_established(study):
    assert all(map(_passed, FORTY[study]["controls"]))
