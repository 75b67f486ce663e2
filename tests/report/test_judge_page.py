"""The judge's page: its numbers are those measured and those of this report's verdicts."""

import re
from html import unescape
from itertools import product

import numpy as np
import pytest
import synthetic
from scipy import stats

from assay import report
from assay.errors import EvidenceError
from assay.judging.verdicts import judge
from assay.language import catalogue
from assay.pipeline.sources import Sources
from assay.report import judge as page_of
from assay.report.judge import COLUMNS, errors, measured, power_curves
from assay.report.rates import corrections, false_findings, flipped, power, powers, signs


def judged(effects: dict[str, list[float]], margin: float = 0.0, controls=(), name: str = "study") -> dict:
    """The record of a study whose arms are above `base`, which varies, by these effects seed by seed; alone in its report."""
    return together({name: effects}, margin, controls)[name]


def together(studies: dict[str, dict[str, list[float]]], margin: float = 0.0, controls=()) -> dict[str, dict]:
    """The records of such studies in one report."""
    texts, observations = [], {}
    for name, effects in studies.items():
        base = [0.1 * seed for seed in range(len(next(iter(effects.values()))))]
        arms = {"base": base} | {arm: [b + e for b, e in zip(base, values, strict=True)] for arm, values in effects.items()}
        text = {"name": name, "paper": "", "expect": [f"{arm}.m > base.m" for arm in effects], "controls": controls}
        texts.append(text | ({"margin": {"m": margin}} if margin else {}))
        observations[name] = [
            {"arm": arm, "seed": seed, "metric": "m", "x": "", "value": value}
            for arm, values in arms.items()
            for seed, value in enumerate(values)
        ]
    return judge(texts, observations)["studies"]


@pytest.mark.parametrize("margin", [0.0, 0.3])
def test_false_findings_are_those_of_the_judge_itself(margin):
    draw = np.random.default_rng(0)
    effects = 1 + draw.standard_normal((3, 5))
    centred = effects - effects.mean(axis=1, keepdims=True)
    found = []
    for pattern in product((1, -1), repeat=5):
        alone = (judged({"arm": list(values)}, margin) for values in centred * np.array(pattern))
        found += [record["expectations"][0]["word"] == "holds" for record in alone]
    assert 0 < sum(found) < 96 or margin
    assert flipped(effects, np.full(3, margin), 5) == sum(found) / 96


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


def test_power_is_that_of_simulated_claims():
    record = judged({"a": [0.5, 0.6, 0.8, 0.9, 0.4]}, 0.1)
    (item,) = record["expectations"]
    effect = 0.1 + 2 * item["spread"]
    draws = np.random.default_rng(0).normal(effect, item["spread"], (20_000, 5))
    p = stats.ttest_1samp(draws, 0.1, axis=1, alternative="greater").pvalue
    assert power(item, effect, looks=1) == pytest.approx((2 * p <= 0.025).mean(), abs=0.01)
    assert power(item, effect, looks=2) == pytest.approx((4 * p <= 0.025).mean(), abs=0.01)
    rows = powers([("study", record)])
    assert [row.claims for row in rows] == [1] * 5
    assert [row.percent for row in rows] == sorted(row.percent for row in rows)
    assert powers([("study", judged({"a": [0.5, 0.6, 0.8]}))]) == []


def test_what_each_correction_left():
    strong, weak = [0.9, 1.0, 1.1, 1.0, 0.95], [0.5, 0.9, 0.2, 1.1, 0.1]  # p of the weak is between 0.0125 and 0.025
    close = [value - 0.12 for value in weak]  # and of this between 0.025 and 0.05
    records = together({"all": {"a": strong, "b": weak}, "near": {"a": close}, "down": {"a": [-value for value in strong]}})
    records["invalid"] = judged({"a": strong}, controls=["base.m > 100"])
    assert 0.025 < records["near"]["expectations"][0]["p"]["holds"][0] <= 0.05
    found = corrections(list(records.items()))
    assert (found.claims, found.controls, found.papers) == (5, 1, 4)
    alone, paid, over_all, gate = found.left
    assert (alone.holds, alone.fails, alone.papers) == (3, 1, 2)
    assert (paid.holds, paid.fails, paid.papers) == (2, 1, 1)
    assert (over_all.holds, over_all.fails, over_all.papers) == (1, 1, 0), "the weak claim is one of two among four: q above 5%"
    assert gate.papers == 0


@pytest.mark.parametrize("content", [None, "", "noise,seeds\nnormal,5\n", "noise,seeds,studies,holds,any\nnormal,5,1,1,1\n"])
def test_a_table_that_is_lost_or_cut_is_one_line_with_the_fix(tmp_path, monkeypatch, content):
    monkeypatch.setattr(page_of, "MEASURED", tmp_path)
    if content is not None:
        (tmp_path / "judge-null.csv").write_text(content)
    with pytest.raises(EvidenceError, match=r"judge-null\.csv: .*python bench/calibrate\.py") as error:
        measured("null")
    assert "\n" not in str(error.value)
    with pytest.raises(EvidenceError, match=r"judge-replication\.csv: .*python bench/replication\.py"):
        measured("replication")


def test_every_table_has_the_columns_that_are_shown():
    for name in COLUMNS:
        assert measured(name)


def test_rates_are_those_of_the_documentation():
    page = (report.site.ASSETS.parent / "docs" / "judge.md").read_text()
    shown = dict(re.findall(r"^\| (normal|skewed|heavy|coarse|accuracy) \| ([\d., ]+) \[[\d., ]+\] \| [\d.]+ \|", page, re.M))
    here: dict[str, list[str]] = {}
    for noise, _, _, (held, *_) in errors(measured("null"), measured("paper")):
        here.setdefault(noise, []).append(f"{held:.1f}")
    assert {noise: ", ".join(rates) for noise, rates in here.items()} == shown
    power = {row[0]: row[1:] for row in re.findall(r"^\| (\d+) \|" + r" (\d+) \|" * 8 + "$", page, re.M)}
    for curve in power_curves(measured("power")):
        points = dict(curve.points)
        assert tuple(f"{points[effect]:.0f}" for effect in (0.5, 0.75, 1, 1.5, 2, 2.5, 3, 4)) == power[str(curve.seeds)]


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    out = tmp_path_factory.mktemp("report")
    studies = synthetic.write_results(out / "results" / "laptop")
    report.build(Sources.read(out / "results" / "laptop"), out / "html", studies, catalogue.load())
    assert 'href="judge.html"' in (out / "html" / "index.html").read_text()
    return unescape((out / "html" / "judge.html").read_text())


def test_every_judged_study_is_listed_with_its_claims_and_the_gate(page):
    rows = re.findall(
        r'studies/([\w.-]+).html#expectations".*?class="number">(< 0.001|[\d.]+)</td><td class="number">(?:< 0.001|[\d.]+)</td>'
        r'<td class="number">([\d.]+)</td></tr>', page
    )  # fmt: skip
    assert {name: (a, cut) for name, a, cut in rows}.items() >= dict.fromkeys(synthetic.VERDICTS, ("< 0.001", "0.031")).items()
    assert "1 of 2 hold, 1 absent" in page


def test_rates_on_the_report_itself_are_shown(page):
    assert re.search(r"a claim that is alone would be said to hold in <b>\d+\.\d%</b> of cases", page)
    assert "5 margins</th>" in page
    assert "6 studies" in page
