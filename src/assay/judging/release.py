"""The release: the papers that count at a scale, as the committed ledger lists them, and how words changed since the last.

A family is what is released, never what happens to be run: a study that is judged here joins the release alone, in place of
its own line if it has one, and moves no other word. So words hold still while studies are drafted, and a report of three
studies says of them what the report of all says.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from assay.artifacts.ledger import Found, Line, read_ledger, released
from assay.judging.counts import tally
from assay.judging.families import Conclusion, Family, Member

NEW_EVIDENCE, CHANGED_TEXT, OTHER_MEMBERS = "new evidence", "changed text", "other family members"
ADDED, GONE = "not in the last release", "no longer judged"


@dataclass(frozen=True)
class Release:
    """The lines of one scale. tag: the release they are of; empty for the committed ledger as it is."""

    lines: Mapping[str, Line]
    tag: str = ""

    @classmethod
    def at(cls, scale: str, root: Path) -> "Release":
        """What the project's ledger lists at a scale."""
        return cls(_of_scale(read_ledger(root), scale))

    @cached_property
    def family(self) -> Family:
        """All its papers. A study without one is a family of its own."""
        return Family({study: member_of(line) for study, line in self.lines.items() if not line.own})

    def conclusion(self, study: str) -> Conclusion:
        """What the release says of a study."""
        line = self.lines[study]
        family = Family({study: member_of(line)}) if line.own else self.family
        return family.conclusion(study)

    def word_and_count(self, study: str) -> tuple[str, str]:
        """The word on a study and the count of its claims."""
        conclusion = self.conclusion(study)
        if conclusion.word == "invalid":
            return conclusion.word, "a control failed"
        return conclusion.word, tally([(claim.word, claim.reason) for claim in conclusion.claims])

    def told(self, record: Mapping[str, Any]) -> dict[str, Any] | None:
        """How a verdict stands to that of the release: its word and count, and whether evidence and text are the same.

        None for a study that is not released.
        """
        line = self.lines.get(record["study"])
        if line is None:
            return None
        word, count = self.word_and_count(line.study)
        return {
            "word": word,
            "count": count,
            "seeds": line.seeds,
            "same_evidence": line.blocks == record["rests_on"]["blocks"],
            "same_text": line.judgement == record["rests_on"]["judgement"],
        }


def member_of(line: Line) -> Member:
    """A line as a member of its family."""
    return Member(_columns(line.claims), _columns(line.secondary), line.valid, line.retired)


def _columns(found: list[Found]) -> np.ndarray:
    return np.array([claim.p for claim in found]).reshape(-1, 4).T


def _of_scale(lines: Mapping[tuple[str, str], Line], scale: str) -> dict[str, Line]:
    return {study: line for (of, study), line in sorted(lines.items()) if of == scale}


# The last release


def last_release(scale: str, root: Path) -> Release | None:
    """What the ledger of the latest tag lists at a scale; None where there is no tag, or it has no ledger."""
    tag, lines = released(root)
    return None if lines is None else Release(_of_scale(lines, scale), tag)


def changes(before: Release, records: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    """Every word that is not what the release said: {study, claim ("" for the paper's), before, after, cause}.

    records: the verdicts of today. The cause is the first of a changed text, new evidence, and other members of the family. A
    study with another text has other claims; of those, words are compared that are in both.
    """
    found = []
    for study in sorted({*before.lines, *records}):
        line, record = before.lines.get(study), records.get(study)
        old, new = _words_before(before, study), _words_now(record)
        cause = _cause(line, record)
        found += [
            {"study": study, "claim": claim, "before": old.get(claim, ""), "after": new.get(claim, ""), "cause": cause}
            for claim in dict.fromkeys([*old, *new])
            if old.get(claim) != new.get(claim) and (claim == "" or (claim in old and claim in new))
        ]
    return found


def _words_before(release: Release, study: str) -> dict[str, str]:
    if study not in release.lines:
        return {}
    conclusion = release.conclusion(study)
    words = zip(release.lines[study].claims, conclusion.claims, strict=True)
    return {"": conclusion.word} | {claim.text: said(verdict.word, verdict.reason) for claim, verdict in words}


def _words_now(record: Mapping[str, Any] | None) -> dict[str, str]:
    if record is None:
        return {}
    return {"": record["word"]} | {claim["text"]: said(claim["word"], claim["reason"]) for claim in record["expectations"]}


def said(word: str, reason: str | None) -> str:
    """A claim's word with its reason."""
    return f"{word}: {reason}" if reason else word


def _cause(line: Line | None, record: Mapping[str, Any] | None) -> str:
    if line is None:
        return ADDED
    if record is None:
        return GONE
    if line.judgement != record["rests_on"]["judgement"] or line.first != record["first"]:
        return CHANGED_TEXT
    return NEW_EVIDENCE if line.blocks != record["rests_on"]["blocks"] else OTHER_MEMBERS
