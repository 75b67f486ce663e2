"""Runs that can be compared: what lies here, in the archive today or at another commit, what an edit replaced, any folder.

here         results/<scale>
archive      the archive as it is committed in the working tree
archive@REV  the archive at another commit: a tag, a branch, the first digits
earlier      what the last edit of a method or study replaced, as far as it is kept (assay.storage.earlier)
SCALE        results/<scale> of another scale, or the archive where nothing lies there
FOLDER       a results folder, of trial draws or from elsewhere
"""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.artifacts.archiving import pull
from assay.artifacts.entries import by_study, read_entries
from assay.artifacts.retiring import retired_texts
from assay.errors import ArtifactError, AssayError, EvidenceError, StudyError, unknown
from assay.evidence.tables import Evidence, Observation, read_evidence
from assay.judging.release import Release
from assay.judging.verdicts import judge
from assay.language.blocks import Block
from assay.language.configuration import results_folder
from assay.language.draws import JUDGED, made_under
from assay.language.scales import scales
from assay.language.studies import load_studies
from assay.language.study import Study
from assay.pipeline.deciding import decide
from assay.pipeline.sources import Place, Sources
from assay.pipeline.worktrees import full_name, worktree
from assay.storage import earlier
from assay.storage.files import read_json
from assay.storage.places import WORK, config_of, place

HERE, ARCHIVE, EARLIER = "here", "archive", "earlier"


@dataclass(frozen=True)
class Run:
    """One study of a side. study: its text as the side has it; made: what is said of its evidence; verdict: what that says by the
    study's text and the side's release, None, with the reason, where it cannot be judged."""

    study: Study
    rows: list[Observation]
    made: Mapping[str, Any]
    where: str
    verdict: dict[str, Any] | None
    unjudged: str = ""


@dataclass(frozen=True)
class Side:
    """What is compared. names: its studies with evidence; read: one of them, AssayError if it cannot be used."""

    name: str
    names: tuple[str, ...]
    read: Callable[[str], Run] = field(repr=False)


@contextlib.contextmanager
def side(written: str, scale: str, root: Path = WORK) -> Iterator[Side]:
    """The side that a person's words name, as long as the context lasts. StudyError or ArtifactError for one there is not."""
    known = scales(config_of(root))
    if scale not in known:
        raise StudyError(unknown("scale", scale, known))
    kind, _, revision = written.partition("@")
    if revision and kind == ARCHIVE:
        with _at(revision, written, root) as tree:
            yield _of_a_commit(written, scale, tree)
    elif written == ARCHIVE:
        yield _archived(written, scale, root)
    elif written == EARLIER:
        yield _replaced(scale, root)
    elif written in (HERE, *known):
        yield _lying(written, scale if written == HERE else written, root)
    elif (folder := place(written)).joinpath("observations").is_dir():
        yield Side(written, _studies_in(folder), lambda name: _read_folder(folder, name, root))
    else:
        allowed = (HERE, ARCHIVE, f"{ARCHIVE}@COMMIT", EARLIER, *known, "a results folder")
        raise StudyError(unknown("side", written, allowed))


@contextlib.contextmanager
def _at(revision: str, written: str, root: Path) -> Iterator[Path]:
    commit = full_name(revision, root)
    if commit is None:
        raise ArtifactError(f"{written}: this clone has no commit '{revision}'; name a tag, a branch or a commit, or git fetch")
    with worktree(commit, root) as tree:
        yield tree


def _of_a_commit(written: str, scale: str, tree: Path) -> Side:
    """The archive of a commit that is checked out. ArtifactError for one of a version whose archive this one cannot read."""
    try:
        return _archived(written, scale, tree)
    except AssayError as error:
        said = str(error).partition(";")[0]  # what follows would mend the file of today
        raise ArtifactError(f"{written}: this version of assay cannot read that archive ({said}); name a later commit") from None


# What lies in folders


def _lying(written: str, scale: str, root: Path) -> Side:
    """What was measured here, or, for a scale that is asked for by name, else what is archived of it."""
    folder = root / results_folder(scale)
    own = _studies_in(folder)
    if written == HERE:
        return Side(written, own, lambda name: _read_folder(folder, name, root))
    archived = _archived(written, scale, root)

    def read(name: str) -> Run:
        return _read_folder(folder, name, root) if name in own else archived.read(name)

    return Side(written, tuple(sorted({*own, *archived.names})), read)


def _studies_in(folder: Path) -> tuple[str, ...]:
    return tuple(sorted({path.parents[1].name for path in folder.glob("observations/*/*-*/provenance.json")}))


def _read_folder(folder: Path, name: str, root: Path) -> Run:
    """A study's blocks in a results folder that are of the text it has now, from its first repetition to the first gap."""
    said = next((read_json(path) for path in sorted(folder.glob(f"observations/{name}/*-*/provenance.json"))), None)
    if said is None:
        raise EvidenceError(f"{name}: nothing of it was measured in {_short(folder, root)}")
    study = _study(said["scale"], name, root)
    study = study if made_under(said) == JUDGED else study.tried
    there = [block for block in study.blocks if (folder / "observations" / name / block.name / "provenance.json").exists()]
    if not there or there[0] != study.blocks[0]:
        lacking = f"block {study.blocks[0].name}, the first of its text now"
        raise EvidenceError(f"{name}: {_short(folder, root)} has no {lacking}; run snakemake --config 'studies=[{name}]'")
    whole = [block for number, block in enumerate(there) if block == study.blocks[number]]
    evidence = Sources(folder, {name: tuple(Place(block, "here") for block in whole)}, {}, {}).evidence(name, root)
    return _run(study, evidence, _short(folder, root), root)


def _replaced(scale: str, root: Path) -> Side:
    """What an edit replaced: of each block what was put by last."""
    cells = root / results_folder(scale) / "cells"
    names = tuple(sorted({path.parents[1].name for path in cells.glob(f"*/*/{earlier.FOLDER}")}))

    def read(name: str) -> Run:
        study = _study(scale, name, root)
        found = {block: _put_by_last(cells / name / block.name) for block in study.blocks}
        if None in found.values():
            raise EvidenceError(f"{name}: nothing that an edit replaced is kept of every block in {_short(cells, root)}")
        parts = [read_evidence(folder) for folder in found.values()]
        notes = [cell["made"] for part in parts for cell in part.provenance["cells"].values()]
        made = {**max(notes, key=lambda each: each["date"]), "seeds": _seeds(found)}
        rows = [row for part in parts for row in part.observations]
        return _run(study, Evidence(rows, {}, made), f"{_short(cells / name, root)}/*/{earlier.FOLDER}", root)

    return Side(EARLIER, names, read)


def _put_by_last(folder: Path) -> Path | None:
    found = [path.parent for path in folder.glob(f"{earlier.FOLDER}/*/provenance.json")]
    return max(found, key=lambda path: path.stat().st_mtime_ns, default=None)


def _seeds(blocks: Mapping[Block, Any]) -> list[int]:
    return [seed for block in blocks for seed in block.repetitions]


# What is archived


def _archived(written: str, scale: str, root: Path) -> Side:
    """The archive of a project, which may be another commit of this one in a folder of its own."""
    entries = by_study(read_entries(root).values(), scale)
    names = tuple(name for name, each in entries.items() if any(entry.study and not entry.withdrawn for entry in each))

    def read(name: str) -> Run:
        study = _study(scale, name, root)
        sources = decide({name: study}, (), "archive", root / results_folder(scale), {}, root)
        pull(keys=[found.key for found in sources.places[name]], root=root)
        return _run(study, sources.evidence(name, root), written, root)

    return Side(written, tuple(sorted(names)), read)


# Both


def _study(scale: str, name: str, root: Path) -> Study:
    return load_studies(scale, config_of(root), only=[name])[name]


def _short(folder: Path, root: Path) -> str:
    return str(folder.relative_to(root)) if folder.is_relative_to(root) else str(folder)


def _run(study: Study, evidence: Evidence, where: str, root: Path) -> Run:
    """The study with what its evidence says, judged as if it alone joined what is released."""
    name = study.name
    texts = retired_texts(study, by_study(read_entries(root).values(), study.scale).get(name, ()))
    judgement = json.loads(study.judgement) | {"retired": sum(len(text["claims"]) for text in texts)}
    rows = [row._asdict() for row in evidence.observations]
    try:
        judged = judge([judgement], {name: rows}, Release.at(study.scale, root).family)
    except AssayError as error:
        return Run(study, evidence.observations, evidence.provenance, where, None, str(error))
    why = judged["failed"].get(name, {}).get("error", "")
    return Run(study, evidence.observations, evidence.provenance, where, judged["studies"].get(name), why)
