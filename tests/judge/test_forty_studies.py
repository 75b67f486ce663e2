"""The forty studies as first judged: texts and per-seed effects, kept so that a new judge can be held against them."""

import json
from collections import Counter
from pathlib import Path

import pytest

from assay.judging.statistics import Sample, holm
from assay.judging.verdicts import FINDINGS, finding, p_values
from assay.language.expectations import parse

FORTY = json.loads((Path(__file__).parent / "forty_studies.json").read_text())


def _sample(claim: dict) -> Sample:
    return Sample(tuple(claim["values"]), claim["resolution"], claim["fixed"])


def test_the_file_holds_forty_studies_of_five_seeds_and_163_claims():
    claims = [claim for study in FORTY.values() for claim in study["expect"]]
    assert (len(FORTY), len(claims)) == (40, 163)
    assert {len(claim["values"]) for claim in claims} == {5}


def test_claims_taken_alone_come_out_as_the_first_release_said():
    found: Counter[str] = Counter()
    for study in FORTY.values():
        raw = [p_values(parse(claim["text"]), _sample(claim), claim["margin"]) for claim in study["expect"]]
        families = {name: holm([each[name] for each in raw]) for name in FINDINGS}
        found.update(finding({name: families[name][index] for name in FINDINGS}) for index in range(len(raw)))
    assert found == {"supported": 103, "contradicted": 11, "no effect": 2, "inconclusive": 47}


@pytest.mark.parametrize("study", FORTY)
def test_every_control_of_the_first_release_has_its_mean_where_it_asks(study):
    for control in FORTY[study]["controls"]:
        mean = _sample(control).mean
        assert control["lower"] is None or mean > control["lower"], control["text"]
        assert control["upper"] is None or mean < control["upper"], control["text"]
