"""Rechecking: a few archived studies are computed again, so that a report can say first thing whether this machine and this code
get what the archive has.

results/<scale>/recheck.json                       what is rechecked, for which platform and code: chosen once
results/<scale>/recheck/<study>/<block>/           the block computed here, and agreement.json: how well it agrees

What is computed here stays apart: it never changes a word. Which studies it is rotates with the commit, within a budget of core
seconds as the archive recorded them.
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from assay.artifacts.archiving import read_archived
from assay.artifacts.entries import Entry, blocks_of, read_entries
from assay.errors import EvidenceError, StudyError, unknown
from assay.evidence.agreement import Agreement, compare, explained
from assay.evidence.tables import Evidence, read_evidence, study_code
from assay.language.blocks import Block
from assay.language.configuration import results_folder
from assay.language.expectations import parse
from assay.language.studies import load_studies
from assay.language.study import Study
from assay.pipeline.sources import Sources
from assay.provenance.fingerprints import digest
from assay.provenance.platforms import platform_key, platform_name
from assay.storage.files import read_json, write_atomic
from assay.storage.places import WORK, config_of

CHOSEN = "recheck.json"
FOLDER = "recheck"
RESULT = "agreement.json"
FORMAT = 1


@dataclass(frozen=True)
class Recheck:
    """What came out for one block: the word of `assay.evidence.agreement`, on the platform of the archive or on another, and the
    shift of a mean that would have been seen, in the unit of the metrics that the claims are about; None where it is exact."""

    study: str
    block: str
    word: str
    same_platform: bool
    archived_on: str
    here: str
    shift: float | None
    differing: int
    means: int

    @property
    def told(self) -> str:
        """What came out, in words for a page of the study."""
        seen = f"; a shift of {self.shift:.2g} would have been seen" if self.shift is not None and not self.same_platform else ""
        return f"{self.word} on {'the same' if self.same_platform else 'another'} platform{seen}"


def choose(
    asked: float | Collection[str],
    sources: Sources,
    studies: Mapping[str, Study],
    platform: dict,
    commit: str | None,
    root: Path = WORK,
) -> tuple[tuple[str, Block], ...]:
    """The blocks to compute again: the first ones of the studies asked for by name, or of as many archived studies as fit into
    that many core minutes.

    What was chosen for this platform and code stays chosen, so that a second report has nothing to do. EvidenceError for a name
    without archived evidence.
    """
    entries = read_entries(root)
    archived = {name: entries[sources.places[name][0].key] for name in sources.shown if sources.from_archive(name)}
    if isinstance(asked, int | float):
        terms = _terms(asked, archived, studies, platform)
        names = _chosen_for(terms, sources.results / CHOSEN) or _within(60 * asked, archived, commit)
        return tuple((name, archived[name].block) for name in names if name in archived)
    for name in asked:
        if name not in archived:
            raise EvidenceError(f"{name}: nothing of it is archived that could be computed again; see: assay archive --status")
    return tuple((name, archived[name].block) for name in asked)


def keep_choice(asked: float, sources: Sources, studies: Mapping[str, Study], platform: dict) -> None:
    """Note what the run computes again, for the next one on this platform and code."""
    archived = [name for name in sources.shown if sources.from_archive(name)]
    terms = _terms(asked, archived, studies, platform)
    write_atomic(sources.results / CHOSEN, json.dumps(terms | {"studies": [name for name, _ in sources.rechecked]}, indent=1))


def _terms(asked: float, archived: Iterable[str], studies: Mapping[str, Study], platform: dict) -> dict:
    """What a choice holds for: budget, platform and the code behind all archived studies."""
    code = digest({f"{name}/{module}": sha for name in archived for module, sha in study_code(studies[name]).items()})
    return {"format": FORMAT, "core_minutes": asked, "platform": platform_key(platform), "code": code}


def _chosen_for(terms: dict, path: Path) -> list[str]:
    """The studies that were chosen on these terms before; none if there is no such choice."""
    try:
        earlier = read_json(path)
    except EvidenceError:
        return []
    return earlier["studies"] if {key: earlier.get(key) for key in terms} == terms else []


def _within(core_seconds: float, archived: Mapping[str, Entry], commit: str | None) -> list[str]:
    """Studies in an order that rotates with the commit, as long as they fit into what is left of the budget."""
    chosen = []
    for name in sorted(archived, key=lambda name: hashlib.sha256(f"{commit}/{name}".encode()).hexdigest()):
        cost = sum(archived[name].cost.values())
        if cost <= core_seconds:
            chosen.append(name)
            core_seconds -= cost
    return sorted(chosen)


def compare_with_archive(study: Study, block: Block, folder: Path, root: Path = WORK) -> Recheck:
    """Compare a block that was computed again, in the folder, with the archive's, and write down what came out."""
    sources = Sources.read(folder.parents[2])
    place = next(place for place in sources.places[study.name] if place.block == block)
    archived = read_archived(read_entries(root)[place.key], root)
    here = read_evidence(folder)
    agreement = compare(here, archived)
    platforms = [evidence.provenance["platform"] for evidence in (archived, here)]
    same = platform_key(platforms[0]) == platform_key(platforms[1])
    found = Recheck(
        study=study.name,
        block=block.name,
        word=agreement.word,
        same_platform=same,
        archived_on=platform_name(platforms[0]),
        here=platform_name(platforms[1]),
        shift=_visible_shift(study, agreement, archived, here),
        differing=agreement.differing,
        means=agreement.means,
    )
    write_atomic(folder / RESULT, json.dumps({"format": FORMAT, **asdict(found)}, indent=1))
    return found


def _visible_shift(study: Study, agreement: Agreement, archived: Evidence, here: Evidence) -> float | None:
    """How far a mean of the claims' metrics may lie off before it is called drift: the largest such distance over arms."""
    if not agreement.means:
        return None
    metrics = {metric for text in study.file.expect for metric in parse(text).metrics}
    values: dict[tuple, tuple[list[float], list[float]]] = {}
    for side, evidence in enumerate((archived, here)):
        for row in evidence.observations:
            if row.metric in metrics:
                values.setdefault((row.arm, row.metric, row.x), ([], []))[side].append(row.value)
    return max((explained(*both, agreement.means) for both in values.values()), default=None)


def recheck_now(study: str, scale: str, root: Path = WORK) -> Recheck:
    """Compute the first archived block of a study again, in a run of Snakemake, and say what came out.

    StudyError or EvidenceError, in a line, where there is nothing to compute again or the run failed.
    """
    studies = load_studies(scale, config_of(root))
    if study not in studies:
        raise StudyError(unknown("study", study, studies))
    entries = blocks_of(read_entries(root).values(), scale, study)
    if not entries:
        raise EvidenceError(f"{study}: nothing of it is archived at scale '{scale}'; see: assay archive --status")
    results = root / results_folder(scale)
    target = results / FOLDER / study / next(iter(entries.values()))[0].block.name / RESULT
    terms = ["--config", f"scale={scale}", f"studies=[{study}]", f"recheck=[{study}]"]
    # What stands behind --config is taken for more of it.
    command = [str(Path(sys.executable).with_name("snakemake")), str(target.relative_to(root)), "--cores", "all", *terms]
    if subprocess.run(command, cwd=root, check=False).returncode:
        raise EvidenceError(f"{study}: could not be computed again; what failed is said above and in {results.name}/logs")
    return _read(target)


def read_rechecks(sources: Sources) -> list[Recheck]:
    """What came out of the blocks that this run computed again."""
    return [_read(sources.results / FOLDER / study / block.name / RESULT) for study, block in sources.rechecked]


def _read(path: Path) -> Recheck:
    data = read_json(path)
    if data.get("format") != FORMAT:
        said = f"key 'format': {data.get('format')!r} (allowed: {FORMAT})"
        raise EvidenceError(f"{path}: {said}; delete it and run snakemake again")
    return Recheck(**{key: value for key, value in data.items() if key != "format"})


def summary(found: Collection[Recheck]) -> list[str]:
    """What came out, a line for each kind of platform: "same platform: 4 of 4 identical"."""
    return [line for same in (True, False) if (line := _line([each for each in found if each.same_platform == same], same))]


def _line(found: Collection[Recheck], same: bool) -> str:
    if not found:
        return ""
    where = "same platform" if same else "another platform"
    words = ["identical"] if same else ["identical", "within seed noise"]
    good = sum(each.word in words for each in found)
    shifts = [each.shift for each in found if each.shift is not None]
    seen = f"; a shift of {max(shifts):.2g} would have been seen" if shifts and not same else ""
    others = [f"{each.study} {each.word}" for each in found if each.word not in words]
    return f"{where}: {good} of {len(found)} {words[-1]}{seen}" + (f"; {', '.join(others)}" if others else "")
