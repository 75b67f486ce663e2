"""What a study's page says of its trial: effects, and what twice the budget makes of them."""

import re
import shutil
from dataclasses import replace

import pytest
import synthetic

from assay import report
from assay.language.frozen import Claim
from assay.pipeline.sources import Sources


def cells(html: str) -> list[list[str]]:
    """The rows of the trial's table, head included."""
    table = html.split('id="trial"')[1].split("</table>")[0]
    return [re.sub(r"<[^>]+>", "\t", row).split() for row in table.split("<tr>")[1:]]


def page_of(trial, results, site, studies, papers, folder) -> str:
    shutil.copytree(site, folder)
    study = replace(next(study for study in studies if study.name == "mixup"), trial=trial)
    others = [study for study in studies if study.name != "mixup"]
    report.build(Sources.read(results), folder, [*others, study], papers, synthetic.METHODS)
    return (folder / "studies" / "mixup.html").read_text()


def test_a_page_shows_what_twice_the_budget_makes_of_each_claim(results, site, studies, papers, tmp_path):
    """Allowed is half of the spread, 0.02, as the margin is smaller; the noise of two means of two is 0.04 times 1."""
    claim = Claim(text="a > b", mean=0.25, deviation=0.04, margin=0.01, once=0.2, twice=0.17, repetitions=2)
    page = page_of((claim,), results, site, studies, papers, tmp_path / "out")
    head, row = cells(page)
    assert "twice" in head
    assert list(map(float, row[-8:])) == pytest.approx([0.25, 0.04, 0.01, 0.2, 0.17, 0.03, 0.02, 0.04])


def test_a_trial_of_before_longer_budgets_were_measured_has_no_such_columns(results, site, studies, papers, tmp_path):
    page = page_of(
        (Claim(text="a > b", mean=0.25, deviation=0.04, margin=0.01),), results, site, studies, papers, tmp_path / "out"
    )
    head, row = cells(page)
    assert "twice" not in head
    assert list(map(float, row[-3:])) == pytest.approx([0.25, 0.04, 0.01])


def test_a_study_without_a_trial_has_no_such_section(results, site, studies, papers, tmp_path):
    assert 'id="trial"' not in page_of((), results, site, studies, papers, tmp_path / "out")
