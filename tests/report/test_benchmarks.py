"""The page of benchmarks: every bar with its limit, whether it is met, and how it was measured."""

import json
from html import unescape

import pytest

from assay.errors import EvidenceError
from assay.report.benchmarks import benchmark_parts, read_bars
from assay.report.site import make_environment

BAR = {
    "topic": "report",
    "name": "report of 160 studies <against> 40",
    "value": 2.1,
    "limit": 2.5,
    "sense": "at most",
    "measured": {"40 studies": 30.5, "160 studies": 64.0},
    "unit": "core-s",
    "how": "core-seconds of a cold run",
}


def bars(*found):
    return {"commit": "c0ffee1", "date": "2026-01-02", "machine": "a processor, 2 cores", "bars": list(found)}


@pytest.fixture
def page(tmp_path):
    def written(*found):
        path = tmp_path / "bars.json"
        path.write_text(json.dumps(bars(*found)))
        (part,) = benchmark_parts(make_environment(), read_bars(path))
        return part.make(**part.inputs)["benchmarks.html"]

    return written


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "met"),
        ({"value": 2.6}, "not met"),
        ({"sense": "at least"}, "not met"),
        ({"sense": "at least", "value": 2.5}, "met"),
        ({"value": 2.5}, "met"),
    ],
)
def test_a_bar_says_whether_it_is_met(page, changes, said):
    html = page(BAR | changes)
    assert f'{"passed" if said == "met" else "not-passed"}">{said}</span>' in html
    assert f"{int(said == 'met')} of 1 bar met" in html


def test_bars_stand_by_topic_with_what_was_measured(page):
    html = page(BAR, BAR | {"topic": "start_up", "date": "2025-12-31", "commit": "0ddba11", "machine": "another"})
    assert "&lt;against&gt;" in html
    text = unescape(html)
    assert "40 studies 30.5 core-s" in text
    assert text.index('id="report"') < text.index('id="start_up"')
    assert "2025-12-31, commit <code>0ddba11</code>, another" in text


def test_without_bars_there_is_no_page(tmp_path):
    assert benchmark_parts(make_environment(), read_bars(tmp_path / "bars.json")) == []


@pytest.mark.parametrize("text", ["{", json.dumps(bars(BAR | {"value": "much"})), json.dumps(bars(BAR | {"sense": "about"}))])
def test_damaged_bars_are_one_line_with_the_fix(tmp_path, text):
    path = tmp_path / "bars.json"
    path.write_text(text)
    with pytest.raises(EvidenceError, match=r"bars\.json.*make bench"):
        read_bars(path)
