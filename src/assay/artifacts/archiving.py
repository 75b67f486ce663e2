"""Archiving: blocks of evidence become entries of the archive, are withdrawn from it, and are read where they lie.

Weights are not archived: seeds and recipes make them again. Nothing in the archive is ever unpickled.
"""

import contextlib
import fcntl
import json
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from assay.artifacts.entries import (
    ARCHIVE,
    FORMAT,
    MANIFEST,
    Entry,
    StoredFile,
    block_key,
    blocks_of,
    by_study,
    read_entries,
    world_key,
    write_entries,
)
from assay.artifacts.ledger import LEDGER, line_of, write_ledger
from assay.artifacts.retiring import retired
from assay.artifacts.stores import Wanted, bring, md5, opened_project, reached, send
from assay.data.seeds import ROOT_NAME
from assay.errors import ArtifactError, EvidenceError, unknown
from assay.evidence.cards import worlds_of
from assay.evidence.freshness import FRESH, STALE, UNPROVEN, Freshness, freshness
from assay.evidence.tables import FILES, Evidence, check_evidence, read_arrays, read_evidence, unpacked
from assay.language.blocks import Block
from assay.language.configuration import results_folder
from assay.language.draws import JUDGED, made_under
from assay.language.scales import load_scale, scales
from assay.language.studies import load_studies
from assay.language.study import Study, digest_of_judgement
from assay.provenance.commits import commit, git
from assay.provenance.platforms import platform_key
from assay.storage.files import read_json, sha256
from assay.storage.manifest import matches
from assay.storage.places import WORK, config_of, require_checkout

METRICS = "metrics.json"  # follows from the ledger (assay.overview.metrics)
CARD = ("card.json", "samples.npz")
CODE = ("src", "config", "rules", "workflow", "Snakefile")
MISSING, INCOMPLETE, WITHDRAWN = "missing", "incomplete", "withdrawn"


@dataclass(frozen=True)
class Status:
    """How a study stands in the archive: fresh, unproven, stale, withdrawn, missing, or incomplete, where fresh blocks are fewer
    than it has seeds; why; and where it was measured."""

    study: str
    word: str
    reasons: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Found:
    """A block that may be archived: its evidence and the folder it lies in."""

    study: Study
    block: Block
    folder: Path
    evidence: Evidence


def pull(remote: str | None = None, keys: Iterable[str] | None = None, *, force: bool = False, root: Path = WORK) -> bool:
    """Bring the files of all entries, or of those of these keys, to archive/, every byte checked; False if all were there.

    Raises ArtifactError as `assay.artifacts.folders.pull` does.
    """
    entries = read_entries(root)
    wanted = {
        f"{key}/{name}": Wanted(file.md5, file.sha256)
        for key in (entries if keys is None else keys)
        for name, file in entries[key].files.items()
    }
    if all(matches(root / ARCHIVE / name, file.sha256) for name, file in wanted.items()):
        return False
    with _lasting(), opened_project(root) as repo:
        with reached(repo, remote) as store:
            store.fetch([file.md5 for file in wanted.values()])
        bring(repo, store, ARCHIVE, wanted, root, force=force)
    return True


def push(remote: str | None = None, root: Path = WORK) -> int:
    """Send the bytes of all entries from the cache to a remote; the number of objects that were missing there."""
    objects = dict.fromkeys(file.md5 for entry in read_entries(root).values() for file in entry.files.values())
    with _lasting(), opened_project(root) as repo, reached(repo, remote) as store:
        for oid in objects:
            if not store.cached(oid):
                raise ArtifactError(f"object {oid} is not in the cache of this clone; run: assay pull archive")
        missing = [oid for oid in objects if store.lacks(oid)]
        send(store, missing)
    return len(missing)


@contextlib.contextmanager
def _lasting() -> Iterator[None]:
    """Say that an error is about the archive; one of a full disk, too."""
    try:
        yield
    except ArtifactError as error:
        raise ArtifactError(f"{ARCHIVE}: {error}") from None
    except OSError as error:
        raise ArtifactError(f"{ARCHIVE}: {error.filename or 'not written'}: {error.strerror}; nothing was lost") from None


def read_archived(entry: Entry, root: Path = WORK) -> Evidence:
    """The evidence of an archived block; EvidenceError where it is not there, altered, or another than its line says."""
    return unpacked(root / entry.folder, check_archived(entry, root))


def check_archived(entry: Entry, root: Path = WORK) -> dict:
    """The provenance of an archived block that is there, whole; EvidenceError as `read_archived`."""
    folder = root / entry.folder
    for name, file in entry.files.items():
        if not matches(folder / name, file.sha256):
            raise EvidenceError(f"{entry.folder}/{name}: is not the file that {MANIFEST} lists; run: assay pull archive")
    found = check_evidence(folder)
    made = block_key(found["scale"], found["study"], Block.named(found["block"]), platform_key(found["platform"]))
    said = {"plan": found["study_sha256"], "code": found["code"], "key": made}
    for key, value in said.items():
        if getattr(entry, key) != value:
            raise EvidenceError(f"{MANIFEST}: {entry.key}: another '{key}' than its provenance has; git checkout {MANIFEST}")
    return found


def freshness_of(study: Study, entry: Entry) -> Freshness:
    """How an archived block stands to the study and the code as they are now, by its line alone."""
    return freshness(study, {"study_sha256": entry.plan, "code": entry.code, "judged_sha256": entry.judged, "root": entry.root})


def status(scale: str, root: Path = WORK) -> list[Status]:
    """How every study stands in the archive at a scale."""
    entries = by_study(read_entries(root).values(), scale)
    studies = load_studies(scale, config_of(root)).values()
    return [_status(study, {entry.key: entry for entry in entries.get(study.name, ())}) for study in studies]


def _status(study: Study, entries: dict[str, Entry]) -> Status:
    if reasons := _withdrawn(entries, study.scale, study.name):
        return Status(study.name, WITHDRAWN, reasons)
    platforms = own_blocks(study, entries.values())
    if not platforms:
        earlier = blocks_of(entries.values(), study.scale, study.name) and ("what it has is of an earlier text",)
        return Status(study.name, MISSING, tuple(earlier))
    order = (FRESH, INCOMPLETE, UNPROVEN, STALE)
    found = [_word_on(study, each) for each in platforms.values()]
    best = min(found, key=lambda state: order.index(state[0]))
    return Status(study.name, *best, tuple(e.key for each in platforms.values() for e in each))


def _word_on(study: Study, entries: list[Entry]) -> tuple[str, tuple[str, ...]]:
    """The least of the words on the blocks of a platform, or that some are lacking, with the reasons."""
    order = (FRESH, UNPROVEN, STALE)
    least = max((freshness_of(study, entry) for entry in entries), key=lambda state: order.index(state.word))
    lacking = [block.name for block in study.blocks if block not in {entry.block for entry in entries}]
    if least.word != FRESH or not lacking:
        return least.word, least.reasons
    return INCOMPLETE, (f"block {lacking[0]} is not archived", *(f"nor {name}" for name in lacking[1:]))


def own_blocks(study: Study, entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """By platform, the entries of the blocks that the study has: others are of an earlier text."""
    platforms = blocks_of(entries, study.scale, study.name)
    own = {key: [entry for entry in each if entry.block in study.blocks] for key, each in platforms.items()}
    return {key: each for key, each in own.items() if each}


def _withdrawn(entries: dict[str, Entry], scale: str, name: str) -> tuple[str, ...]:
    """Why the study's evidence was withdrawn; empty where it was not, or where other evidence took its place."""
    if blocks_of(entries.values(), scale, name):
        return ()
    reasons = (e.withdrawn for e in entries.values() if e.scale == scale and e.study == name and e.withdrawn)
    return tuple(dict.fromkeys(reasons))


def archive(scale: str, names: Iterable[str] = (), root: Path = WORK) -> list[str]:
    """Add or replace the entries of these studies, or of all that have evidence in results/<scale>; the keys written. What was
    withdrawn comes back only by its name.

    All other lines of the manifest stay byte for byte. ArtifactError or EvidenceError, in one line and before anything is
    written, where results cannot stand for the commit: changed code, a scale that concludes nothing, evidence that is missing,
    incomplete, stale or unproven, drawn for a trial, or without a verdict on it.
    """
    require_checkout("the archive")
    _refuse_inconclusive(scale, root)
    head = _clean_commit(root)
    studies, entries = load_studies(scale, config_of(root)), read_entries(root)
    results = root / results_folder(scale)
    chosen = list(names) or [
        name for name in studies if (results / "observations" / name).exists() and not _withdrawn(entries, scale, name)
    ]
    for name in chosen:
        if name not in studies:
            raise ArtifactError(unknown("study", name, studies))
    if not chosen:
        raise ArtifactError(f"{results.relative_to(root)}: no study has evidence; run snakemake --config scale={scale}")
    with _one_at_a_time(root):
        entries = read_entries(root)
        found = [block for name in chosen for block in _whole(studies[name], results, entries)]
        records = _judged(found, results)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        sources = {block_key(scale, b.study.name, b.block, _platform(b)): b.folder for b in found}
        made = {key: _entry(key, block, records[block.study.name], now, head) for key, block in zip(sources, found, strict=True)}
        gone = retired([studies[name] for name in chosen], entries, now, head)
        for card in worlds_of([studies[name] for name in chosen]):
            key, folder = world_key(scale, card), results / "worlds" / card
            if folder.exists() or key not in entries:
                _check_card(folder, scale)
                sources[key], made[key] = folder, _card(key, folder, now, head)
        _store(made, sources, root)
        write_entries(gone | {key: entry for key, entry in made.items() if not _same(entries.get(key), entry)}, root)
        write_ledger({(scale, name): line_of(records[name], scale) for name in chosen}, root)
    pull(keys=made, force=True, root=root)
    return [key for key, entry in made.items() if entry.study]


def withdraw(scale: str, name: str, why: str, root: Path = WORK) -> list[str]:
    """Take a study's evidence back: its entries keep their keys and the reason, and count no more. The keys withdrawn."""
    if not why.strip():
        raise ArtifactError("--why: is empty; say in a sentence why the evidence is withdrawn")
    head = _clean_commit(root)
    with _one_at_a_time(root):
        entries = blocks_of(read_entries(root).values(), scale, name)
        if not entries:
            raise ArtifactError(f"{name}: nothing of it is archived at scale '{scale}'; see: assay archive --status")
        now = datetime.now(UTC).isoformat(timespec="seconds")
        gone = [entry for each in entries.values() for entry in each]
        write_entries({entry.key: _taken_back(entry, why.strip(), now, head) for entry in gone}, root)
        write_ledger({(scale, name): None}, root)
    return [entry.key for entry in gone]


def _taken_back(entry: Entry, why: str, now: str, head: str) -> Entry:
    """What stays of a withdrawn block: the reason, and the text that its seeds were seen under."""
    return Entry(format=FORMAT, key=entry.key, archived=now, commit=head, withdrawn=why, judged=entry.judged, root=entry.root)


@contextlib.contextmanager
def _one_at_a_time(root: Path) -> Iterator[None]:
    """Two writers of the manifest take turns; the kernel lets go when a process ends, however it ends."""
    folder = root / ".dvc" / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "archive.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _refuse_inconclusive(scale: str, root: Path) -> None:
    if not load_scale(scale, config_of(root)).conclusive:
        config = config_of(root)
        allowed = [name for name in scales(config) if load_scale(name, config).conclusive]
        raise ArtifactError(f"--scale: nothing can be concluded from '{scale}' (allowed: {', '.join(allowed)})")


def _clean_commit(root: Path) -> str:
    """The commit that the tree is at. Nothing tracked may differ from it, nor may there be code that it does not have."""
    own = [f":!{name}" for name in (MANIFEST, LEDGER, METRICS, "dvcstore")]
    head, _ = commit(root)
    if head is None:
        raise ArtifactError(f"{root}: is not the top of a git work tree, so it has no commit; evidence is archived with one")
    try:
        changed = git(root, "status", "--porcelain", "--untracked-files=no", "--", ".", *own).splitlines()
        changed += git(root, "status", "--porcelain", "--", *CODE).splitlines()
    except (OSError, subprocess.CalledProcessError) as error:
        raise ArtifactError(f"{root}: its commit cannot be told ({error}); evidence is archived with one") from None
    if changed:
        raise ArtifactError(f"{changed[0][3:]}: differs from the commit; commit it (or take it away), then archive again")
    return head


def _whole(study: Study, results: Path, entries: dict[str, Entry]) -> list[_Found]:
    """The study's blocks from here, all fresh, and every arm with every repetition. What is missing to the whole study must be in
    the archive already, fresh and of the same platform."""
    folder = results / "observations" / study.name
    found = [_whole_block(study, block, results) for block in study.blocks if (folder / block.name).exists()]
    there = own_blocks(study, entries.values()).get(_platform(found[0]), []) if found else []
    archived = {entry.block for entry in there if freshness_of(study, entry).word == FRESH}
    missing = next((block for block in study.blocks if block not in archived | {each.block for each in found}), None)
    if missing:
        again = f"run snakemake --config scale={study.scale} 'studies=[{study.name}]'"
        raise ArtifactError(f"{study.name}: has no evidence of block {missing.name} in {results.name}; {again}")
    return found


def _whole_block(study: Study, block: Block, results: Path) -> _Found:
    folder = results / "observations" / study.name / block.name
    evidence = read_evidence(folder)
    if (name := made_under(evidence.provenance)) != JUDGED:
        raise ArtifactError(f"{study.name}: evidence is of trial draws ('{name}'), never archived; delete it and run snakemake")
    state = freshness(study, evidence.provenance)
    if state.word != FRESH:
        again = f"run snakemake --config scale={study.scale}"
        raise ArtifactError(f"{study.name}: evidence is {state.word}: {state.reasons[0]}; {again}")
    for arm in study.arms:
        lacking = set(block.repetitions) - {row.seed for row in evidence.observations if row.arm == arm}
        if lacking:
            raise ArtifactError(f"{study.name}: arm '{arm}' lacks seed {min(lacking)} of block {block.name}; measure it again")
    return _Found(study, block, folder, evidence)


def _judged(found: list[_Found], results: Path) -> dict[str, dict]:
    """The record of each study's verdict; ArtifactError for evidence that no verdict rests on, or one on other expectations."""
    verdicts = read_json(results / "verdicts.json")["studies"]
    again = f"run snakemake --config scale={results.name}"
    for block in found:
        name = block.study.name
        resting = verdicts.get(name, {}).get("rests_on", {})
        if resting.get("blocks", {}).get(block.block.name) != block.evidence.provenance["sha256"]:
            raise ArtifactError(f"{name}: no verdict rests on this evidence; {again}")
        if resting.get("judgement") != digest_of_judgement(json.loads(block.study.judgement)):
            raise ArtifactError(f"{name}: expectations, controls or margins changed since it was judged; {again}")
    return verdicts


def _platform(block: _Found) -> str:
    return platform_key(block.evidence.provenance["platform"])


def _entry(key: str, block: _Found, record: dict, now: str, head: str) -> Entry:
    provenance = block.evidence.provenance
    cost = provenance["cost"]
    return Entry(
        format=FORMAT,
        key=key,
        archived=now,
        commit=head,
        files=_files(block.folder, FILES),
        plan=provenance["study_sha256"],
        code=provenance["code"],
        platform=provenance["platform"],
        date=provenance["date"],
        word=record["word"],
        judgement=digest_of_judgement(json.loads(block.study.judgement)),
        judged=block.study.judged_digest,
        root=ROOT_NAME,
        claims={claim["text"]: claim["word"] for claim in record["expectations"]},
        cost={"train_core_s": cost["train_core_s"], "measure_core_s": cost["measure_core_s"]},
    )


def _card(key: str, folder: Path, now: str, head: str) -> Entry:
    return Entry(format=FORMAT, key=key, archived=now, commit=head, files=_files(folder, CARD))


def _check_card(folder: Path, scale: str) -> None:
    for name in CARD:
        if not (folder / name).exists():
            raise ArtifactError(f"{folder / name}: does not exist; run snakemake --config scale={scale}")
    read_arrays(folder / "samples.npz")


def _files(folder: Path, names: Iterable[str]) -> dict[str, StoredFile]:
    return {n: StoredFile(md5=md5(folder / n), sha256=sha256(folder / n), size=(folder / n).stat().st_size) for n in names}


def _same(old: Entry | None, new: Entry) -> bool:
    """Whether an entry says what it said: a card that did not change keeps its day."""
    said = ("files", "withdrawn", "judgement", "judged", "root", "word", "claims")
    return old is not None and all(getattr(old, field) == getattr(new, field) for field in said)


def _store(made: dict[str, Entry], sources: dict[str, Path], root: Path) -> None:
    """Copy the bytes of entries to the cache and to the default remote; nothing counts before the manifest lists it."""
    with _lasting(), opened_project(root) as repo, reached(repo, None) as store:
        for key, entry in made.items():
            for name, file in entry.files.items():
                if not store.cached(file.md5):
                    store.keep(sources[key] / name, file.md5)
        objects = dict.fromkeys(file.md5 for entry in made.values() for file in entry.files.values())
        send(store, [oid for oid in objects if store.lacks(oid)])
