"""The judge's page: its numbers are those measured and those of this report's verdicts."""

import re
from html import unescape

import pytest
import synthetic

from assay import catalogue, report
from assay.report.judge import Correction, false_support, hochberg_did, holm_did, measured, power_curves


def verdict(p: float, q: float, expectations: list[tuple[float, float]], secondary: list[tuple[float, float]] = ()) -> dict:
    def tier(pairs):
        return [{"p": before, "p_holm": after} for before, after in pairs]

    return {"p": p, "q": q, "expectations": tier(expectations), "secondary": tier(secondary)}


def test_what_each_correction_left():
    verdicts = [verdict(0.01, 0.02, [(0.01, 0.02), (0.03, 0.06)], [(0.05, 0.05)]), verdict(0.04, 0.08, [(0.2, 0.4)])]
    assert holm_did(verdicts, 0.05) == Correction(tests=4, before=3, after=2)
    assert hochberg_did(verdicts, 0.05) == Correction(tests=2, before=2, after=1)


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
    report.build(out / "results" / "laptop", out / "html", studies, catalogue.load())
    assert 'href="judge.html"' in (out / "html" / "index.html").read_text()
    return unescape((out / "html" / "judge.html").read_text())


def test_every_judged_study_is_listed_with_p_and_q(page):
    rows = re.findall(
        r'studies/([\w.-]+).html#expectations".*?class="number">(< 0.001|[\d.]+)</td><td class="number">([\d.]+)</td></tr>', page
    )
    assert {name: (p, q) for name, p, q in rows}.items() >= dict.fromkeys(synthetic.VERDICTS, ("< 0.001", "0.003")).items()
