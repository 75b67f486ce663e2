"""The archive's manifest: what is archived, one line an entry, so that adding a study changes no other line.

archive.jsonl                                          committed; sorted lines, so that merging two branches is their union
archive/<scale>/studies/<study>/<block>-<platform>/    observations.csv, arrays.npz, provenance.json of one block
archive/<scale>/worlds/<card>/                         card.json, samples.npz

A retired entry, <scale>/retired/<study>/<text>, has no files: it says of a text that was changed after looking how many seeds
were seen, and the words that came out.

Branches that added different studies of one world have each drawn its card: of such lines the one archived first counts. Two
lines for one block are an error, since somebody has to choose; but a line that another one says it replaces, which merging may
bring back, does not count.

A line says all that is needed to tell whether evidence is fresh, so that a dry run pulls nothing: the digest of what was
measured, the hashes of the code, commit, date and platform, and the checksums of the files, whose bytes are in a store.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from assay.artifacts.lines import study_of
from assay.errors import ArtifactError
from assay.language.blocks import Block
from assay.language.recipes import canonical
from assay.storage.files import write_atomic
from assay.storage.places import WORK

ARCHIVE = "archive"
MANIFEST = "archive.jsonl"
FORMAT = 1
NAME = r"[a-z0-9][a-z0-9_-]{0,79}"
STUDY_KEY = rf"{NAME}/studies/{NAME}/\d+-\d+-[0-9a-f]{{8}}"
WORLD_KEY = rf"{NAME}/worlds/{NAME}"
RETIRED_KEY = rf"{NAME}/retired/{NAME}/[0-9a-f]{{8}}"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StoredFile(_Strict):
    """A file of an entry: DVC's name of its bytes in a store, what they must hash to, and their number."""

    md5: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0)]


class Entry(_Strict):
    """A line of the manifest: a block of a study, the card of a world, which has neither plan, code nor platform, or a retired
    text of a study.

    judgement: the digest of the expectations, controls and margins that the study was judged by. judged, root: the judged text
    that the block was measured under, and the root name of its seeds. word, claims: what was said of the paper and of each claim
    when the block was archived; what is said today follows from the ledger. seen: of a retired text, the number of seeds by the
    end of it. replaces: digests of the lines that were here before it, under its key.
    """

    format: Literal[1]
    key: Annotated[str, Field(pattern=rf"^({STUDY_KEY}|{WORLD_KEY}|{RETIRED_KEY})$")]
    archived: str
    commit: str
    files: dict[Annotated[str, Field(pattern=r"^[a-z]+\.(csv|npz|json)$")], StoredFile] = {}
    plan: str = ""
    code: dict[str, str] = {}
    platform: dict = {}
    date: str = ""
    judgement: str = ""
    judged: str = ""
    root: str = ""
    word: str = ""
    claims: dict[str, str] = {}
    seen: Annotated[int, Field(ge=0)] = 0
    cost: dict[str, float] = {}
    withdrawn: str = ""
    replaces: tuple[str, ...] = ()

    @property
    def scale(self) -> str:
        return self.key.split("/")[0]

    @property
    def study(self) -> str | None:
        """The study whose block it is; None for another line."""
        return self._named("studies")

    @property
    def world(self) -> str | None:
        """The name of the world's card; None for another line."""
        return self._named("worlds")

    @property
    def retired(self) -> str | None:
        """The study whose earlier text it is; None for another line."""
        return self._named("retired")

    def _named(self, wanted: str) -> str | None:
        _, kind, name, *_ = self.key.split("/")
        return name if kind == wanted else None

    @property
    def block(self) -> Block:
        return Block.named(self.key.split("/")[3].rpartition("-")[0])

    @property
    def platform_key(self) -> str:
        return self.key.rpartition("-")[2]

    @property
    def folder(self) -> str:
        """Where its files lie, from the root of the project."""
        return f"{ARCHIVE}/{self.key}"

    @property
    def line(self) -> str:
        return canonical(self.model_dump(exclude_defaults=True))


def block_key(scale: str, study: str, block: Block, platform: str) -> str:
    """The key of a block measured on a platform."""
    return f"{scale}/studies/{study}/{block.name}-{platform}"


def world_key(scale: str, card: str) -> str:
    """The key of a world's card."""
    return f"{scale}/worlds/{card}"


def retired_key(scale: str, study: str, judged: str, root: str) -> str:
    """The key of a text of a study that was seen under a root name."""
    return f"{scale}/retired/{study}/{hashlib.sha256(f'{root} {judged}'.encode()).hexdigest()[:8]}"


def read_entries(root: Path = WORK, studies: Collection[str] | None = None) -> dict[str, Entry]:
    """All entries by key, in order, or all but those of other studies than these; none before anything was archived.
    ArtifactError names a line that is no entry."""
    try:
        text = (root / MANIFEST).read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{MANIFEST}: cannot be read ({error}); restore it: git checkout {MANIFEST}") from None
    return {key: entry for key, (_, _, entry) in sorted(_lines(text, studies if studies is None else frozenset(studies)).items())}


@cache
def _lines(text: str, studies: frozenset[str] | None = None) -> dict[str, tuple[int, str, Entry]]:
    """The lines that count, by key: number, text and entry. With studies, but for lines that are another study's."""
    found: dict[str, tuple[int, str, Entry]] = {}
    numbered = enumerate(text.splitlines(), 1)
    if studies is not None:
        numbered = ((number, line) for number, line in numbered if study_of(line.encode()) in (None, *studies))
    entries = [(number, line, _entry(number, line)) for number, line in numbered]
    replaced = {(entry.key, gone) for _, _, entry in entries for gone in entry.replaces}
    for number, line, entry in entries:
        if (entry.key, _digest(line)) in replaced:
            continue
        first, seen, other = found.get(entry.key, (number, line, entry))
        if entry.study and seen != line:
            raise ArtifactError(
                f"{MANIFEST}:{number}: a second entry for {entry.key} (the first is in line {first}); keep one of the two lines"
            )
        if (entry.archived, line) <= (other.archived, seen):
            found[entry.key] = (number, line, entry)
    return found


def _digest(line: str) -> str:
    return hashlib.sha256(line.encode()).hexdigest()[:16]


def _entry(number: int, line: str) -> Entry:
    again = f"restore it: git checkout {MANIFEST}"
    try:
        data = json.loads(line)
    except ValueError:
        raise ArtifactError(f"{MANIFEST}:{number}: no entry but {line[:60]!r}; {again}") from None
    if isinstance(data, dict) and data.get("format") != FORMAT:
        raise ArtifactError(
            f"{MANIFEST}:{number}: key 'format': {data.get('format')!r} (allowed: {FORMAT}); it is of another version of assay"
        )
    try:
        return Entry.model_validate(data)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise ArtifactError(f"{MANIFEST}:{number}: key '{where}': {problem['msg'].lower()}; {again}") from None


def write_entries(changed: Mapping[str, Entry | None], root: Path = WORK) -> None:
    """Add or replace entries, or take away those given as None; every other line stays byte for byte.

    ArtifactError, and the file as it was, where it cannot be written.
    """
    path = root / MANIFEST
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    before = _lines(text)
    lines = {key: line for key, (_, line, _) in before.items()}
    lines |= {key: _after(before.get(key), entry).line for key, entry in changed.items() if entry}
    kept = [line for key, line in sorted(lines.items()) if changed.get(key, True)]
    try:
        write_atomic(path, "".join(line + "\n" for line in kept))
    except OSError as error:
        raise ArtifactError(f"{MANIFEST}: cannot be written ({error.strerror}), and is as it was; then archive again") from None


def _after(before: tuple[int, str, Entry] | None, entry: Entry) -> Entry:
    """The entry, saying which lines it replaces."""
    if before is None or before[2] == entry:
        return entry
    _, line, old = before
    return entry.model_copy(update={"replaces": tuple(dict.fromkeys((*old.replaces, _digest(line))))})


def by_study(entries: Iterable[Entry], scale: str) -> dict[str, list[Entry]]:
    """The entries of a scale's blocks and retired texts by study."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        name = entry.study or entry.retired
        if name and entry.scale == scale:
            found.setdefault(name, []).append(entry)
    return found


def blocks_of(entries: Iterable[Entry], scale: str, study: str) -> dict[str, list[Entry]]:
    """A study's entries by platform, each platform's in the order of blocks; the platform that was archived first comes first."""
    found: dict[str, list[Entry]] = {}
    for entry in sorted(entries, key=lambda entry: entry.archived):
        if entry.study == study and entry.scale == scale and not entry.withdrawn:
            found.setdefault(entry.platform_key, []).append(entry)
    return {platform: sorted(each, key=lambda entry: entry.block) for platform, each in found.items()}
