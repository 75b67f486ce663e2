"""The article: every word on its dials is the judge's own, of the study's seeds, and more of them are the same ones again."""

from dataclasses import replace

import pytest
import synthetic

from assay import report
from assay.judging.families import Family
from assay.judging.verdicts import judge
from assay.pipeline.sources import Sources
from assay.report.atlas import Entry
from assay.report.lesson import claims_of, lesson, lesson_parts, tried


@pytest.fixture(scope="module")
def page(results, studies, papers):
    """A page with the record that the judge gives the synthetic observations."""
    study = synthetic.view("mixup", "P166", "training-recipes")
    bare = report.read_page(Sources.read(results), study, papers["P166"])
    return replace(bare, verdict=alone(bare, 5, 0.01))


def alone(page, seeds: int, margin: float) -> dict:
    """The judge's record of the page's first claim, of its five seeds again and again, if it is alone."""
    table = page.observations[page.observations["metric"] == "top1"]
    rows = [
        {"arm": row.arm, "seed": seed, "metric": "top1", "x": "", "value": row.value}
        for row in table.itertuples()
        for seed in range(seeds)
        if seed % 5 == row.seed
    ]
    text = {"name": "s", "paper": "P166", "expect": list(page.study.expect), "margin": {"top1": margin}, "first_look": 5}
    return judge([text], {"s": rows}, release=Family({}))["studies"]["s"] | {"release": None}


def test_each_word_and_interval_is_that_of_the_judge(page):
    (told,), words = lesson(page)
    assert [row[0].seeds for row in told.cells] == [5, 10, 20, 40]
    for row, papers_words in zip(told.cells, words, strict=True):
        for cell, word in zip(row, papers_words, strict=True):
            record = alone(page, cell.seeds, cell.margin)
            (claim,) = record["expectations"]
            assert (cell.word, cell.reason, word) == (claim["word"], claim["reason"] or "", record["word"])
            assert cell.panel.interval == pytest.approx(claim["interval"])


def test_a_margin_beyond_the_effect_takes_the_word_back_and_then_turns_it(page):
    """The synthetic effect is near 0.04 with a spread near 0.01, so five seeds see a margin of 0.004 and refute one of 0.05."""
    (told,), _ = lesson(page)
    words = [cell.word for cell in told.cells[0]]
    assert words[0] == "holds"
    assert words[-1] == "fails"
    assert told.holds_up_to < page.verdict["expectations"][0]["effect"] <= told.fails_from
    order = [("holds", "open", "fails").index(word) for word in words]
    assert order == sorted(order)


def test_more_seeds_of_the_same_kind_narrow_the_interval_on_one_axis(page):
    (told,), _ = lesson(page)
    widths = [row[0].panel.span[1] - row[0].panel.span[0] for row in told.cells]
    assert widths == sorted(widths, reverse=True)
    assert len({(cell.panel.threshold, round(cell.panel.mark, 1)) for row in told.cells for cell in row}) == 1


def test_the_margins_tried_go_from_none_beyond_the_largest_effect():
    found = tried([{"effect": 0.0642}, {"effect": -0.6417}])
    assert found[0] == 0
    assert 0.64 in found
    assert found[-1] == 0.8
    assert found == sorted(set(found))


def test_equalities_claims_without_spread_and_other_texts_are_not_told():
    record = {"kind": "difference", "spread": 0.1, "text": "a.m > b.m"}
    others = [record | {"kind": "equivalence"}, record | {"spread": 0.0}, record | {"text": synthetic.HOSTILE}]
    assert claims_of({"expectations": [*others, record]}) == [record]


def test_without_a_judged_study_there_is_no_article(papers):
    study = synthetic.view("mixup", "P166", "training-recipes")
    assert lesson_parts(None, [Entry(study, papers["P166"], None, None, "laptop")]) == []
