"""A study's claims on other images: where words agree, where they flip, and where the instrument fails there."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay.report.atlas import Entry

if TYPE_CHECKING:
    from assay.overview.elsewhere import Elsewhere

AGREE, FLIP, INVALID, UNDECIDED = "agree", "flip", "invalid", "undecided"
KINDS = (FLIP, AGREE, UNDECIDED, INVALID)
SAID = {"holds": "holds", "fails": "fails", "open": "is open"}


@dataclass(frozen=True)
class Pair:
    """A claim here and at another scale: kind is one of KINDS, sentence says it in words."""

    study: str
    text: str
    number: int
    here: str
    there: str
    kind: str
    sentence: str


@dataclass(frozen=True)
class Twice:
    """A study with its words at another scale, and its claims in pairs; none where a control failed on one side."""

    entry: Entry
    other: "Elsewhere"
    pairs: tuple[Pair, ...]

    @property
    def kind(self) -> str:
        """Of the study: invalid, flip where any claim does, agree where all claims have one word, else undecided."""
        if not self.pairs:
            return INVALID
        kinds = {pair.kind for pair in self.pairs}
        return FLIP if FLIP in kinds else AGREE if kinds == {AGREE} else UNDECIDED

    @property
    def places(self) -> tuple[str, str]:
        """The images here and there; with the scales, where they are called alike."""
        here, there = self.entry.study.images, self.other.images
        return (here, there) if here != there else (f"{here} ({self.entry.scale})", f"{there} ({self.other.scale})")

    @property
    def invalid_on(self) -> str:
        """The images on which a control failed."""
        here, there = self.places
        return there if self.other.word == INVALID else here


def twice(entries: Iterable[Entry]) -> list[Twice]:
    """Every judged study with each other scale at which it is judged, in the order of KINDS and of names."""
    found = [_twice(entry, other) for entry in entries if entry.verdict for other in entry.study.elsewhere]
    return sorted(found, key=lambda each: (KINDS.index(each.kind), each.entry.study.name, each.other.scale))


def of_study(entry: Entry) -> list[Twice]:
    """One study at its other scales."""
    return twice([entry])


def _twice(entry: Entry, other: "Elsewhere") -> Twice:
    if INVALID in (entry.state, other.word):
        return Twice(entry, other, ())
    places = Twice(entry, other, ()).places
    numbered = enumerate(entry.verdict["expectations"], 1)
    pairs = [_pair(entry, number, claim, other.claims[claim["text"]], places) for number, claim in numbered]
    return Twice(entry, other, tuple(pairs))


def _pair(entry: Entry, number: int, claim: dict, there: str, places: tuple[str, str]) -> Pair:
    word = claim["word"]
    if word == there:
        kind, sentence = UNDECIDED if word == "open" else AGREE, f"{SAID[word]} on {places[0]} and on {places[1]}"
    else:
        kind = UNDECIDED if "open" in (word, there) else FLIP
        sentence = f"{SAID[word]} on {places[0]}, {SAID[there]} on {places[1]}"
    return Pair(entry.study.name, claim["text"], number, word, there, kind, sentence)
