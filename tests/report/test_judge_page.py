"""The judge's page: its numbers are those measured and those of this report's verdicts."""

import re
from html import unescape
from itertools import product

import numpy as np
import pytest
import synthetic

from assay import report
from assay.errors import EvidenceError
from assay.judging.calibration import alone, observed
from assay.language import catalogue
from assay.pipeline.sources import Sources
from assay.report import judge
from assay.report.judge import false_support, measured, power_curves
from assay.report.rates import corrections, false_findings, flipped, p_supported, power, powers, signs


def judged(effects: dict[str, list[float]], margin: float = 0.0, controls=(), expect=None) -> dict:
    """The record of a study whose arms are above `base`, which varies, by these effects seed by seed."""
    seeds = len(next(iter(effects.values())))
    base = [0.1 * seed for seed in range(seeds)]
    arms = {"base": base} | {arm: [b + e for b, e in zip(base, values, strict=True)] for arm, values in effects.items()}
    study = {"name": "study", "paper": "", "expect": expect or [f"{arm}.m > base.m" for arm in effects], "controls": controls}
    return alone(study | ({"margin": {"m": margin}} if margin else {}), observed(arms))


@pytest.mark.parametrize("margin", [0.0, 0.3])
def test_false_findings_are_those_of_the_judge_itself(margin):
    draw = np.random.default_rng(0)
    effects = 1 + draw.standard_normal((3, 5))
    centred = effects - effects.mean(axis=1, keepdims=True)
    found = []
    for pattern in product((1, -1), repeat=5):
        record = judged({f"arm{k}": list(values) for k, values in enumerate(centred * np.array(pattern))}, margin)
        found.append(any(item["verdict"] in ("supported", "contradicted") for item in record["expectations"]))
    assert 0 < sum(found) < 32 or margin
    assert flipped(effects, np.full(3, margin)) == sum(found) / 32


def test_flips_are_all_sign_patterns_until_there_are_too_many():
    assert len({tuple(row) for row in signs(5)}) == 32
    assert signs(20).shape == (256, 20)
    assert set(np.unique(signs(20))) == {-1, 1}


def test_margins_and_true_effects_do_not_add_false_findings():
    draw = np.random.default_rng(1)
    arms = [{"a": list(5 + draw.standard_normal(5)), "b": list(draw.standard_normal(5))} for _ in range(30)]
    records = [(str(k), judged(effects, 0.5)) for k, effects in enumerate(arms)]
    found = false_findings(records)
    assert found.flips == 30 * 32
    assert found.margins.percent <= found.hardest.percent
    assert found.hardest.low <= found.normal <= found.hardest.high
    assert false_findings([("fixed", judged({"a": [1.0] * 5}))]) is None
    assert false_findings([]) is None


def test_power_at_the_detectable_effect_is_eighty_percent():
    record = judged({"a": [0.5, 0.6, 0.8, 0.9, 0.4], "b": [0.1, 0.2, 0.1, 0.3, 0.2]}, 0.1)
    for item in record["expectations"]:
        assert power(item, item["detectable"], 2) == pytest.approx(0.8, abs=1e-6)
    rows = powers([("study", record)])
    assert [row.expectations for row in rows] == [2] * 5
    assert [row.percent for row in rows] == sorted(row.percent for row in rows)
    assert powers([("study", judged({"a": [0.5, 0.6, 0.8]}))]) == []


def test_what_each_correction_left():
    close = {"a": [0.9, 1.0, 1.1, 1.0, 0.95], "b": [0.5, 0.9, 0.2, 1.1, 0.1]}  # p of b is between 0.025 and 0.05
    both, valid = judged(close), judged({"a": close["a"]})
    invalid = judged({"a": close["a"]}, controls=["base.m > 100"])
    weak = both["expectations"][1]
    assert 0.025 < weak["p"] <= 0.05
    found = corrections([("both", both), ("valid", valid), ("invalid", invalid)])
    assert (found.expectations, found.tests, found.controls) == (4, 12, 1)
    assert (found.supported_alone, found.supported_holm) == (3, 3), "Holm tests the weaker one at its full level"
    assert (found.studies, found.studies_alone, found.studies_holm, found.studies_both) == (3, 2, 2, 2)
    twice = judged({"a": close["b"], "b": close["b"]})
    found = corrections([("twice", twice)])
    assert (found.supported_alone, found.supported_holm, found.studies_alone, found.studies_holm) == (2, 0, 1, 0)


@pytest.mark.parametrize("effects", [{"a": [1.0, 1.1, 0.9, 1.05, 1.2]}, {"a": [1.0] * 5}, {"a": [-1.0, -2.0, -1.5, -1.2, -1.1]}])
@pytest.mark.parametrize("expect", [["a.m > base.m"], ["0.5 < a.m - base.m < 2"]])
def test_p_values_are_read_back_from_the_record(effects, expect):
    record = judged(effects, expect=expect)
    (item,) = record["expectations"]
    if item["verdict"] == "supported":
        assert p_supported(item) == pytest.approx(item["p"], rel=1e-9)
    else:
        assert p_supported(item) > 0.05


@pytest.mark.parametrize("content", [None, "", "noise,seeds\nnormal,5\n", "noise,seeds,null,studies,supported\nnormal,5\n"])
def test_a_table_that_is_lost_or_cut_is_one_line_with_the_fix(tmp_path, monkeypatch, content):
    monkeypatch.setattr(judge, "MEASURED", tmp_path)
    if content is not None:
        (tmp_path / "judge-null.csv").write_text(content)
    with pytest.raises(EvidenceError, match=r"judge-null\.csv: .*python bench/calibrate\.py") as error:
        measured("null")
    assert "\n" not in str(error.value)


def test_rates_are_those_of_the_documentation():
    page = (report.site.ASSETS.parent / "docs" / "judge.md").read_text()
    shown = re.findall(
        r"^\| (normal|skewed|heavy|coarse) \| (\d+) \| ([\d.]+) \[[\d., ]+\] \| [\d.]+ \[[\d., ]+\] \|$", page, re.M
    )
    assert [(noise, str(n), f"{100 * (wrong / all_):.1f}") for noise, n, wrong, all_ in false_support(measured("null"))] == shown
    power = {row[0]: row[1:] for row in re.findall(r"^\| (\d+) \|" + r" (\d+) \|" * 7 + "$", page, re.M)}
    for curve in power_curves(measured("power")):
        points = dict(curve.points)
        assert tuple(f"{points[effect]:.0f}" for effect in (0.5, 1, 1.5, 2, 2.5, 3, 4)) == power[str(curve.seeds)]


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    out = tmp_path_factory.mktemp("report")
    studies = synthetic.write_results(out / "results" / "laptop")
    report.build(Sources.read(out / "results" / "laptop"), out / "html", studies, catalogue.load())
    assert 'href="judge.html"' in (out / "html" / "index.html").read_text()
    return unescape((out / "html" / "judge.html").read_text())


def test_every_judged_study_is_listed_with_p_and_q(page):
    rows = re.findall(
        r'studies/([\w.-]+).html#expectations".*?class="number">(< 0.001|[\d.]+)</td><td class="number">([\d.]+)</td></tr>', page
    )
    assert {name: (p, q) for name, p, q in rows}.items() >= dict.fromkeys(synthetic.VERDICTS, ("< 0.001", "0.003")).items()


def test_rates_on_the_report_itself_are_shown(page):
    assert re.search(r"the judge would give a direction to some expectation in <b>\d+\.\d%</b> of studies", page)
    assert "5 margins</th>" in page
    assert "6 studies" in page
