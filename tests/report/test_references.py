"""Where papers are found: only what a public file says, each with its address."""

import json
import re

import pytest

from assay.errors import StudyError
from assay.language import catalogue, references
from assay.language.references import Reference

ARXIV = {"is": "1710.09412", "source": "owner/name:README.md:4", "agree": 5}


@pytest.fixture(scope="module")
def papers():
    return catalogue.load()


def write(path, rows) -> None:
    path.write_text(json.dumps(rows))


def test_the_references_are_those_of_papers_in_the_catalogue(papers):
    found = references.load()
    assert set(found) <= set(papers)
    mixup = found["P166"]
    assert (mixup.arxiv, mixup.authors[0], mixup.venue, mixup.year) == ("1710.09412", "Hongyi Zhang", "ICLR 2018", 2018)
    assert mixup.address == "https://arxiv.org/abs/1710.09412"
    assert mixup.agree == 5
    assert mixup.by == "Hongyi Zhang et al."


def test_every_fact_has_a_public_address():
    addresses = [references.source_address(source) for each in references.load().values() for source in each.sources.values()]
    assert len(addresses) > 1000
    assert all(re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+/blob/HEAD/\S+", address) for address in addresses)


def test_no_paper_is_another():
    ids = [reference.arxiv for reference in references.load().values() if reference.arxiv]
    assert len(ids) == len(set(ids))


def test_what_the_catalogue_says_is_not_said_again(papers):
    assert [key for key, each in references.load().items() if each.code and papers[key].code] == []


def test_it_is_written_one_paper_a_line():
    text = references.REFERENCES.read_text(encoding="utf-8")
    rows = json.loads(text)
    lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(row, ensure_ascii=False)}" for key, row in rows.items())
    assert text == f"{{\n{lines}\n}}\n"
    assert list(rows) == sorted(rows)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"P166": {"arxif": ARXIV}}, r"P166: unknown field 'arxif'; did you mean 'arxiv'\?"),
        ({"P166": {"arxiv": "1710.09412"}}, r"P166: arxiv: is '1710.09412'; write an object with agree, is, source"),
        ({"P166": {"arxiv": ARXIV | {"is": "mixup"}}}, r"P166: arxiv: is 'mixup'; an id looks like 1710.09412"),
        (
            {"P166": {"arxiv": ARXIV | {"source": "somebody said so"}}},
            r"source is 'somebody said so'; write owner/repository:path",
        ),
        ({"P166": {"authors": {"is": [], "source": "a/b:c"}}}, r"P166: authors: is \[\]; write a list"),
        ({"P166": {"venue": {"is": "ICLR", "source": "a/b:c", "agree": 1}}}, r"P166: venue: is .* object with is, source"),
    ],
)
def test_what_is_not_as_it_should_be_is_named(tmp_path, row, message):
    write(tmp_path / "references.json", row)
    with pytest.raises(StudyError, match=message):
        references.load(tmp_path / "references.json")


def test_a_file_that_is_missing_or_cut_is_named(tmp_path):
    (tmp_path / "cut.json").write_text('{"P1')
    for name in ("cut.json", "none.json"):
        with pytest.raises(StudyError, match=rf"{name}: the references cannot be read"):
            references.load(tmp_path / name)


@pytest.mark.parametrize(
    ("reference", "year"),
    [
        (Reference(arxiv="2012.02189", venue="CVPR 2021"), 2021),
        (Reference(arxiv="2012.02189", venue="NeurIPS Workshop"), 2020),
        (Reference(venue="PNAS 2020"), 2020),
        (Reference(), None),
    ],
)
def test_the_year_is_the_venues_or_that_of_the_first_version(reference, year):
    assert reference.year == year


@pytest.mark.parametrize(
    ("authors", "by"),
    [((), ""), (("Geoffrey Hinton",), "Geoffrey Hinton"), (("A B", "C D"), "A B and C D"), (("A", "B", "C"), "A et al.")],
)
def test_authors_are_cited_as_in_running_text(authors, by):
    assert Reference(authors=authors).by == by


def test_an_address_says_the_line():
    assert references.source_address("a/b:c d/e.md:12") == "https://github.com/a/b/blob/HEAD/c%20d/e.md#L12"
    assert references.source_address("a/b:c.json") == "https://github.com/a/b/blob/HEAD/c.json"


def test_the_entry_for_bibtex_says_what_is_known():
    known = Reference(arxiv="1710.09412", authors=("Hongyi Zhang", "A & {B}"), venue="ICLR 2018")
    assert references.bibtex("P166", "50% of_mixup", known) == (
        "@misc{P166,\n"
        "  title = {{50\\% of\\_mixup}},\n"
        "  author = {Hongyi Zhang and A \\& B},\n"
        "  year = {2018},\n"
        "  eprint = {1710.09412},\n"
        "  archivePrefix = {arXiv},\n"
        "  note = {ICLR 2018}\n"
        "}"
    )
    assert references.bibtex("P1", "T", Reference()) == "@misc{P1,\n  title = {{T}}\n}"
