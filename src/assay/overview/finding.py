"""Finding papers, studies and plugs by words: whole ones, so that "ViT" is not found in "invited"."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from assay.language.catalogue import NO_PAPER, Catalogue, Paper
from assay.language.plugs import everything
from assay.language.study import Study

WORD = re.compile(r"[^\W_]+")
BEGINNING = 4  # letters from which on the beginning of a word will do


class Hit(NamedTuple):
    """Something found. kind: study, paper or plug; name: by which it is asked for; text: a line on it."""

    kind: str
    name: str
    text: str


def find(words: Iterable[str], catalogue: Catalogue, studies: Mapping[str, Study]) -> list[Hit]:
    """Studies, papers without one, and plugs that have all these words somewhere in what is said of them, in this order.

    Upper and lower case are the same, and so are "label_noise" and "label noise". A word of four letters and more may be the
    beginning of a longer one.
    """
    wanted = [word for given in words for word in _words(given)]
    studied = {study.file.paper for study in studies.values()}
    hits = [
        *(_hit("study", name, title_of(study, catalogue), _of_study(study, catalogue)) for name, study in studies.items()),
        *(_hit("paper", id, paper.title, _of_paper(paper)) for id, paper in catalogue.items() if id not in studied),
        *(_hit("plug", f"{plug.kind}/{plug.name}", plug.doc.partition("\n")[0], plug.doc) for plug in everything()),
    ]
    return [hit for hit, said in hits if wanted and all(_is_among(word, said) for word in wanted)]


def papers(words: Iterable[str], catalogue: Catalogue) -> list[Paper]:
    """Papers, with a study or without, that have all these words in what is said of them."""
    wanted = [word for given in words for word in _words(given)]
    said = {id: set(_words(_of_paper(paper))) for id, paper in catalogue.items()}
    return [catalogue[id] for id, words in said.items() if wanted and all(_is_among(word, words) for word in wanted)]


def title_of(study: Study, catalogue: Catalogue) -> str:
    """The title of the study's paper; of a study without one, its question."""
    return study.file.question if study.file.paper == NO_PAPER else catalogue[study.file.paper].title


def _hit(kind: str, name: str, text: str, about: str) -> tuple[Hit, set[str]]:
    return Hit(kind, name, text), set(_words(f"{name} {text} {about}"))


def _of_study(study: Study, catalogue: Catalogue) -> str:
    plugs = " ".join(study.plugs)
    return f"{study.file.question} {' '.join(study.file.arms)} {plugs} {_of_paper(catalogue[study.file.paper])}"


def _of_paper(paper: Paper) -> str:
    return " ".join((paper.id, paper.title, paper.method, paper.claim, paper.family, *paper.datasets, *paper.metrics))


def _words(text: str) -> list[str]:
    return WORD.findall(text.lower())


def _is_among(word: str, said: set[str]) -> bool:
    return word in said or (len(word) >= BEGINNING and any(other.startswith(word) for other in said))
