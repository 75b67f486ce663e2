"""Earlier texts of a study in the archive: when their blocks give way to those of the present text, a line with words stays."""

from collections.abc import Iterable
from typing import Any

from assay.artifacts.entries import Entry, retired_key
from assay.data.seeds import ROOT_NAME
from assay.language.study import Study


def is_of_an_earlier_text(study: Study, entry: Entry) -> bool:
    """Whether a block was measured under another text than the study's, or under another root name; of one that names no text
    this is not known."""
    return bool(entry.judged) and (entry.judged, entry.root) != (study.judged_digest, ROOT_NAME)


def retired_texts(study: Study, entries: Iterable[Entry]) -> tuple[dict[str, Any], ...]:
    """What the archive says of the texts that a study had before, by its entries at a scale: seeds seen, the word that came out,
    and the words on claims. Their claims stay in the report's families."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in sorted(entries, key=lambda entry: (entry.seen or entry.block.last + 1, entry.key)):
        if entry.retired or (is_of_an_earlier_text(study, entry) and not entry.withdrawn):
            seen = entry.seen or entry.block.last + 1
            said = {"judged": entry.judged, "root": entry.root, "seen": seen, "word": entry.word, "claims": entry.claims}
            found[entry.judged, entry.root] = said
    return tuple(found.values())


def retired(studies: Iterable[Study], entries: dict[str, Entry], now: str, head: str) -> dict[str, Entry | None]:
    """What becomes of blocks that were archived under earlier texts of these studies, or under another root name: they go, and of
    each text there stays a line with its words and the number of seeds seen."""
    found: dict[str, Entry | None] = {}
    for study in studies:
        own = (entry for entry in entries.values() if entry.study == study.name and entry.scale == study.scale)
        for entry in sorted(own, key=lambda entry: bool(entry.withdrawn)):
            if not is_of_an_earlier_text(study, entry):
                continue
            key = retired_key(study.scale, study.name, entry.judged, entry.root)
            before = found.get(key) or entries.get(key)
            if before is None or before.seen <= entry.block.last:
                found[key] = _retired(key, entry, now, head)
            if not entry.withdrawn:
                found[entry.key] = None
    return found


def _retired(key: str, entry: Entry, now: str, head: str) -> Entry:
    said = entry.model_dump(include={"format", "word", "judgement", "judged", "root", "claims"})
    return Entry(**said, key=key, archived=now, commit=head, seen=entry.block.last + 1)
