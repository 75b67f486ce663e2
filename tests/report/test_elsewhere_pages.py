"""Claims on other images, in the report: on entries made by hand, and on pages as people read them."""

import html
import re
from dataclasses import replace

import pytest
import synthetic

from assay import report
from assay.language import catalogue
from assay.overview.elsewhere import Elsewhere
from assay.pipeline.sources import Sources
from assay.report.atlas import Entry
from assay.report.elsewhere import of_study, twice
from assay.report.page import Page, as_table

PAPERS = catalogue.load()
FIRST, SECOND = "treated.top1 > erm.top1", "-0.01 < shuffled.top1 - erm.top1 < 0.01"


def there(first: str = "holds", second: str = "holds", **changes) -> Elsewhere:
    terms = {"scale": "real", "images": "Fashion-MNIST", "word": "partly", "count": "1 of 2"} | changes
    return Elsewhere(**terms, claims={FIRST: first, SECOND: second})


def entry(word: str, *others: Elsewhere, name: str = "mixup", images: str = "shapes") -> Entry:
    study = synthetic.view(name, "P166", "training-recipes", images=images, elsewhere=others)
    page = Page(study, PAPERS["P166"], as_table([]), {}, synthetic.judged(study, word), {})
    return Entry(study, PAPERS["P166"], page, None, "laptop")


@pytest.mark.parametrize(
    ("word", "other", "kind", "sentence"),
    [
        ("supported", "holds", "agree", "holds on shapes and on Fashion-MNIST"),
        ("partly", "fails", "agree", "fails on shapes and on Fashion-MNIST"),
        ("supported", "fails", "flip", "holds on shapes, fails on Fashion-MNIST"),
        ("partly", "holds", "flip", "fails on shapes, holds on Fashion-MNIST"),
        ("supported", "open", "undecided", "holds on shapes, is open on Fashion-MNIST"),
        ("open", "open", "undecided", "is open on shapes and on Fashion-MNIST"),
    ],
)
def test_two_words_on_a_claim_in_a_sentence(word, other, kind, sentence):
    (found,) = of_study(entry(word, there(other)))
    assert (found.pairs[0].text, found.pairs[0].kind, found.pairs[0].sentence) == (FIRST, kind, sentence)


@pytest.mark.parametrize(
    ("word", "words", "kind"),
    [
        ("supported", ("holds", "holds"), "agree"),
        ("supported", ("holds", "open"), "undecided"),
        ("supported", ("fails", "open"), "flip"),  # one claim that flips is a finding, whatever the others do
    ],
)
def test_a_study_agrees_only_where_all_its_claims_do(word, words, kind):
    (found,) = of_study(entry(word, there(*words)))
    assert found.kind == kind


def test_nothing_is_compared_where_a_control_failed_on_one_side():
    (here,) = of_study(entry("invalid", there()))
    (other,) = of_study(entry("supported", there(word="invalid")))
    assert (here.kind, here.pairs, here.invalid_on) == ("invalid", (), "shapes")
    assert (other.kind, other.pairs, other.invalid_on) == ("invalid", (), "Fashion-MNIST")


def test_images_of_one_name_are_told_apart_by_scale():
    (found,) = of_study(entry("supported", there(scale="gpu", images="shapes")))
    assert found.pairs[0].sentence == "holds on shapes (laptop) and on shapes (gpu)"


def test_flips_come_first():
    entries = [entry("supported", there(), name="a"), entry("supported", there("fails"), name="b"), entry("supported", name="c")]
    assert [(each.entry.study.name, each.kind) for each in twice(entries)] == [("b", "flip"), ("a", "agree")]


@pytest.fixture(scope="module")
def pages(results, studies, papers, tmp_path_factory) -> dict[str, str]:
    """The index, and the pages of two studies as text."""
    others = {
        "mixup": (there("fails"),),  # supported here
        "odin": (there(word="invalid", controls=("erm.top1 > 0.3",)),),
    }
    shown = [replace(study, images="shapes", elsewhere=others.get(study.name, ())) for study in studies]
    out = tmp_path_factory.mktemp("elsewhere")
    left_out = {"zoom": "shapes: needs factor <mask>"}
    report.build(Sources.read(results), out, shown, papers, left_out=left_out)
    paths = {"index": out / "index.html"} | {name: out / "studies" / f"{name}.html" for name in ("mixup", "odin", "augmix")}
    return {name: text_of(path.read_text()) for name, path in paths.items()}


def text_of(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", page, flags=re.S)).split())


def test_the_index_says_what_flips_what_agrees_and_where_it_cannot_tell(pages):
    index = pages["index"]
    assert f"Claims that flip: 1 mixup {FIRST} holds on shapes, fails on Fashion-MNIST" in index
    assert f"Claims that agree: 1 mixup {SECOND} holds on shapes and on Fashion-MNIST" in index
    assert "Not comparable, since a control fails: 1 odin invalid on Fashion-MNIST" in index


def test_the_index_says_which_studies_the_scale_leaves_out_and_why(pages):
    assert "Not at this scale: 1" in pages["index"]
    assert "zoom keeps shapes: needs factor <mask>" in pages["index"]


def test_a_study_page_shows_its_claims_in_two_settings(pages):
    assert f"Claim shapes Fashion-MNIST {FIRST} holds fails {SECOND} holds holds" in pages["mixup"]
    assert "invalid on Fashion-MNIST: erm.top1 > 0.3 . The instrument cannot tell there" in pages["odin"]
    assert "The same claims on other images" not in pages["augmix"]


def test_a_report_without_another_scale_has_no_such_list(site):
    assert "The same claims on other images" not in (site / "index.html").read_text()
