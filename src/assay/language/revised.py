"""Revisions: what a study says of the texts it had when seeds were measured, and where its present text begins.

    revised:
      - {seen: 10, why: "the sign of the second claim was wrong"}

A text that changes after looking gets fresh draws and pays for the looks at the earlier ones: its first repetition is the number
of seeds seen, and its looks go on counting, so that all texts of a study together err as seldom as one that never changed.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from assay.errors import StudyError
from assay.language.looks import looks_at


class Revision(BaseModel):
    """The text was changed after looking at seeds of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seen: Annotated[int, Field(ge=1, strict=True)] = Field(
        description="how many seeds had been measured by then, under this text and those before it"
    )
    why: Annotated[str, Field(pattern=r"\S")] = Field(description="why the text was changed, in a sentence")
    root: str | None = Field(None, description="the root name of these seeds, where it was another than today's")


def check_order(revisions: Sequence[Revision]) -> None:
    """StudyError unless each text was seen with more seeds than those before it under the same root name."""
    seen: dict[str | None, int] = {}
    for number, revision in enumerate(revisions, 1):
        before = seen.get(revision.root, 0)
        if revision.seen <= before:
            raise StudyError(
                f"revised[{number}]: seen: {revision.seen} is not more than the {before} before it; write how many seeds were"
                " measured in all, or leave out a text of which none were"
            )
        seen[revision.root] = revision.seen


def seen_under(revisions: Iterable[Revision], root: str | None = None) -> int:
    """How many seeds the earlier texts were seen with under a root name; None is today's."""
    return max((revision.seen for revision in revisions if revision.root == root), default=0)


def first_repetition(revisions: Iterable[Revision], block: int) -> int:
    """The first repetition that no earlier text was seen with under today's root name, at the beginning of a block."""
    return -(-seen_under(revisions) // block) * block


def looks_before(revisions: Iterable[Revision], first_look: int) -> int:
    """How many looks were made at the earlier texts: of each, those at or below the number of its own seeds."""
    looks, before = 0, {}
    for revision in revisions:
        looks += looks_at(first_look, revision.seen - before.get(revision.root, 0))
        before[revision.root] = revision.seen
    return looks
