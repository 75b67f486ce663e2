"""Texts: what seeds of a study were measured under, by the archive and by what lies here, and what its file must say of that.

A text that changes after looking gets fresh draws, and its looks go on counting (assay.language.revised). That nobody forgets
this is checked here: `assay check` and a run of judged draws refuse a study whose file says less than is known.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from assay.artifacts.entries import Entry, read_entries
from assay.errors import EvidenceError, StudyError
from assay.language.blocks import Block
from assay.language.configuration import Config, results_folder
from assay.language.draws import JUDGED, made_under
from assay.language.inputs import shown
from assay.language.looks import next_look
from assay.language.plugs import constants_of
from assay.language.revised import seen_under
from assay.language.scales import load_scale, scales
from assay.language.seeds import seeds_path
from assay.language.study import Study
from assay.storage.files import read_json
from assay.storage.places import CONFIG, PACKAGE, WORK


@cache
def root_name() -> str:
    """ROOT_NAME of assay.data.seeds, from its source: to import it takes numpy, which takes longer than checking a study."""
    return constants_of(PACKAGE / "data" / "seeds.py")["ROOT_NAME"]


@dataclass(frozen=True)
class Seen:
    """Seeds of a study were measured at a scale, under a judged text and a root name, up to the repetition before `until`.
    Evidence that names neither counts as that of today's."""

    scale: str
    judged: str
    root: str
    until: int

    def is_of_text(self, study: Study) -> bool:
        return self.judged in ("", study.judged_digest)

    @property
    def is_of_root(self) -> bool:
        return self.root in ("", root_name())


class Texts:
    """What is known of a project's studies, or of these. Scales that conclude nothing do not count, nor do trial draws."""

    def __init__(self, config: Path = CONFIG, root: Path = WORK, only: Collection[str] | None = None):
        self.config, self.root, self.only = config, root, only
        self._conclusive: dict[str, bool] = {}  # scales whose files were read: most have nothing measured here

    @cached_property
    def _scales(self) -> list[str]:
        return scales(self.config)

    def _concludes(self, scale: str) -> bool:
        if scale not in self._conclusive:
            self._conclusive[scale] = load_scale(scale, self.config).conclusive
        return self._conclusive[scale]

    @cached_property
    def _archived(self) -> dict[str, list[Entry]]:
        found: dict[str, list[Entry]] = {}
        for entry in read_entries(self.root, self.only).values():
            if name := entry.study or entry.retired:
                found.setdefault(name, []).append(entry)
        return found

    def seen(self, study: str) -> list[Seen]:
        """What was measured of a study, at any scale."""
        archived = [
            Seen(entry.scale, entry.judged, entry.root, entry.seen or entry.block.last + 1)
            for entry in self._archived.get(study, ())
        ]
        return [*archived, *self._here(study)]

    def _here(self, study: str) -> Iterator[Seen]:
        for scale in self._scales:
            found = sorted((self.root / results_folder(scale) / "observations" / study).glob("*-*/provenance.json"))
            for path in found if found and self._concludes(scale) else ():
                try:
                    said, block = read_json(path), Block.named(path.parent.name)
                except (EvidenceError, StudyError):
                    continue  # damaged: a run says so
                if made_under(said) == JUDGED:
                    yield Seen(scale, _text(said, "judged_sha256"), _text(said, "root"), block.last + 1)

    def check(self, study: Study) -> None:
        """StudyError where a study's file says less of earlier texts than is known, or where its scale's file asks for fewer
        seeds than were measured."""
        if not study.conclusive:
            return
        seen = self.seen(study.name)
        self._check_revisions(study, seen)
        self._check_seeds(study, seen)

    def _check_revisions(self, study: Study, seen: list[Seen]) -> None:
        earlier = [each for each in seen if not (each.is_of_text(study) and each.is_of_root)]
        for root in dict.fromkeys(each.root for each in earlier):
            most = max((each for each in earlier if each.root == root), key=lambda each: each.until)
            today = most.is_of_root
            said = seen_under(study.file.revised, None if today else root)
            if said < most.until:
                raise StudyError(f"{shown(study.path)}: revised: {_lacking(most, said, today)}")

    def _check_seeds(self, study: Study, seen: list[Seen]) -> None:
        own = [each.until for each in seen if each.scale == study.scale and each.is_of_text(study) and each.is_of_root]
        measured = max(own, default=0) - study.first
        if measured > study.seeds:
            fitting = next_look(study.first_look, measured - 1)
            raise StudyError(
                f"{shown(seeds_path(study.scale, self.config))}: {study.name}: {study.seeds} seeds are fewer than the {measured}"
                f" that were measured, and what was seen counts; write {study.name}: {fitting}"
            )


def _lacking(most: Seen, said: int, today: bool) -> str:
    """What is wrong with a list of revisions that goes up to fewer seeds than were seen."""
    root = "" if today else f", root: {most.root!r}"
    under = "under another text than this" if today else f"under the root name {most.root!r}"
    restore = "restore the text, or " if today and not said else ""
    goes = f"seen: {said} is below that; " if said else ""
    return (
        f"{most.until} seed{' was' if most.until == 1 else 's were'} measured at scale {most.scale} {under};"
        f" {goes}{restore}add to its list {{seen: {most.until}{root}, why: ...}}"
    )


def _text(said: dict[str, Any], key: str) -> str:
    value = said.get(key)
    return value if isinstance(value, str) else ""


def refuse_unrevised(run: Config, studies: Collection[Study], config: Path = CONFIG, root: Path = WORK) -> None:
    """StudyError if a run that judges at a scale that concludes something has a study whose text changed after looking, and whose
    file does not say so, or fewer seeds of it than were measured."""
    if run.draws != JUDGED or run.evidence == "archive":
        return
    texts = Texts(config, root)
    for study in studies:
        texts.check(study)
