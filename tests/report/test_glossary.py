"""The glossary is led to at first use; what is cited says what it rests on; the preview card says the answer."""

import re
from html import unescape

import pytest
import synthetic

from assay import report
from assay.language.references import Reference
from assay.pipeline.sources import Sources
from assay.report import citing, glossary

LEADING = ("index", "effects", "judge", "methods", "worlds", "across", "studies/mixup")


def terms(site, page: str) -> list[tuple[str, str]]:
    """(address, words) of the links to the glossary, in order."""
    return re.findall(r'<a class="term" href="([^"]*)">([^<]*)</a>', (site / f"{page}.html").read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", LEADING)
def test_each_page_leads_to_a_term_once_where_it_first_uses_it(site, page):
    found = [address for address, _ in terms(site, page)]
    root = "../" if "/" in page else ""
    explained = set(re.findall(r'<dt id="([^"]+)"', (site / "glossary.html").read_text(encoding="utf-8")))
    assert found
    assert len(found) == len(set(found))
    assert {address.removeprefix(f"{root}glossary.html#") for address in found} <= explained


def test_the_words_of_a_study_are_all_explained(site):
    """What a newcomer to the page meets: claims, margins, arms, controls, worlds, plugs, seeds and looks."""
    found = {address.split("#")[1] for address, _ in terms(site, "studies/mixup")}
    assert {"claim", "margin", "arm", "control", "world", "plug", "seed", "look", "p-and-q", "baseline"} <= found


def test_the_glossary_says_each_term_once_in_the_order_of_the_alphabet(site):
    names = re.findall(r"<dt id=[^>]*>([^<]+)</dt>", (site / "glossary.html").read_text(encoding="utf-8"))
    assert names == sorted(glossary.TERMS, key=str.lower)


def test_a_term_that_nobody_explains_is_refused():
    with pytest.raises(KeyError, match="margins"):
        glossary.term("margins")


def test_words_of_a_page_are_text():
    assert glossary.term("look", "../", "<b>") == '<a class="term" href="../glossary.html#look">&lt;b&gt;</a>'


def test_a_verdict_is_cited_with_its_word_its_release_and_what_it_rests_on(results, studies, papers):
    study = synthetic.view("mixup", "P166", "training-recipes", release="2026-11-29, commit c0ffee1")
    verdict = synthetic.judged(study, "supported")
    page = report.read_page(Sources.read(results), study, papers["P166"], verdict)
    paper, own = citing.entries(page, Reference(arxiv="1710.09412"), "laptop")
    assert paper[1].startswith("@misc{P166,\n  title = {{mixup: Beyond Empirical Risk Minimization}},")
    assert own[1] == (
        "@misc{assay-mixup,\n"
        "  title = {{Verdict on ``mixup: Beyond Empirical Risk Minimization'': supported (2 of 2 hold)}},\n"
        "  author = {{The assay authors}},\n"
        "  year = {2026},\n"
        "  howpublished = {assay, study mixup, scale laptop, 5 seeds},\n"
        "  note = {archive of 2026-11-29, commit c0ffee1; measured at commit 868a97f; "
        f"observations sha256 {page.provenance['sha256']}}}\n"
        "}"
    )


def test_what_is_not_judged_has_no_verdict_to_cite(results, studies, papers):
    study = synthetic.view("mixup", "P166", "training-recipes")
    page = report.read_page(Sources.read(results), study, papers["P166"])
    assert [what for what, _ in citing.entries(page, Reference(), "laptop")] == ["The paper"]


def test_the_preview_card_says_the_answer(site):
    text = (site / "studies/mixup.html").read_text(encoding="utf-8")
    card = dict(re.findall(r'<meta property="og:(\w+)" content="([^"]*)">', text))
    assert card["title"] == "mixup: Beyond Empirical Risk Minimization: supported"
    (answer,) = re.findall(r'<p class="headline">([^<]*)</p>', text)
    assert unescape(card["description"]) == unescape(answer)
    assert "10 of 12 claims decided" in (site / "index.html").read_text(encoding="utf-8")


def test_the_power_curve_has_both_axes(site):
    (curve,) = re.findall(r'<svg class="power".*?</svg>', (site / "judge.html").read_text(encoding="utf-8"), re.DOTALL)
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", curve)
    assert {"0", "4", "0%", "80%", "100%", "true effect beyond the margin, in standard deviations"} <= set(texts)
