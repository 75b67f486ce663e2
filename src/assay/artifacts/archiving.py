"""The archive: evidence of the last release in archive/, promoted from results/ and read back.

archive/release.json                    scale, commit, date, seeds, versions, machines
archive/verdicts.json
archive/observations/<study>/           observations.csv, arrays.npz, provenance.json
archive/worlds/<world>/                 card.json, samples.npz

Weights are not archived: seeds and recipes make them again. Nothing in it is ever unpickled.
"""

import json
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from assay.artifacts.folders import pull, push, track
from assay.errors import ArtifactError
from assay.evidence.cards import worlds_of
from assay.evidence.tables import Evidence, read_arrays, read_evidence, staleness
from assay.language.inputs import parse
from assay.language.scales import load_scale, scales
from assay.language.studies import Study, load_studies
from assay.provenance.commits import commit, git
from assay.storage.files import read_json, write_atomic
from assay.storage.manifest import checked, read_manifest
from assay.storage.places import WORK, require_checkout

ARCHIVE = "archive"
EVIDENCE = ("observations.csv", "arrays.npz", "provenance.json")
CARD = ("card.json", "samples.npz")
CODE = ("src", "config", "rules", "workflow", "Snakefile")


class Release(BaseModel):
    """What archive/release.json says of the evidence beside it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scale: str
    commit: str
    date: str
    seeds: int
    studies: int
    versions: dict[str, list[str]]
    machines: list[dict[str, str | list[str]]]

    @property
    def name(self) -> str:
        """The release in a few words."""
        return f"{self.date}, commit {self.commit[:7]}"


def exists(root: Path = WORK) -> bool:
    """Whether anything was ever archived."""
    return (root / f"{ARCHIVE}.sha256").exists()


def open_archive(scale: str, root: Path = WORK) -> Release:
    """Pull the archive; ArtifactError unless it holds evidence at this scale."""
    pull(ARCHIVE, root=root)
    release = read_release(root)
    if release.scale != scale:
        raise ArtifactError(
            f"scale: the archive holds evidence at scale '{release.scale}', not '{scale}'; ask for --config scale={release.scale}"
        )
    return release


def read_release(root: Path = WORK) -> Release:
    """What is archived; ArtifactError if the archive is not there or altered."""
    path = checked("release.json", ARCHIVE, root)
    return parse(Release, read_json(path), path)


def archived(studies: dict[str, Study], root: Path = WORK) -> dict[str, Study]:
    """The studies that the archive has evidence for, by its manifest alone; ArtifactError if there is none of them."""
    if not exists(root):
        raise ArtifactError("evidence: archive: nothing is archived yet (no archive.sha256); run: make archive")
    names = archived_names(root)
    found = {name: study for name, study in studies.items() if name in names}
    if not found:
        raise ArtifactError(f"evidence: archive: has none of the studies {', '.join(studies)}; run them, then: make archive")
    return found


def archived_names(root: Path = WORK) -> set[str]:
    """The names of all studies that the archive has evidence for."""
    return {name.split("/")[1] for name in read_manifest(ARCHIVE, root) if name.startswith("observations/")}


def evidence_folder(study: Study, root: Path = WORK) -> Path:
    """Where evidence of a study lies: results/<scale> if it was recomputed here, else the archive if that holds it."""
    results = root / "results" / study.scale
    if (results / "observations" / study.name / "provenance.json").exists() or not exists(root):
        return results
    if study.name not in archived_names(root):
        return results
    if not (root / ARCHIVE / "observations" / study.name / "provenance.json").exists():
        pull(ARCHIVE, root=root)
    return root / ARCHIVE if read_release(root).scale == study.scale else results


def archived_worlds(studies: Iterable[Study], root: Path = WORK) -> dict[str, dict]:
    """Those of these studies' worlds that the archive has a card of, by the card's name."""
    listed = read_manifest(ARCHIVE, root)
    return {name: spec for name, spec in worlds_of(studies).items() if f"worlds/{name}/card.json" in listed}


def unpack(paths: Iterable[Path], results: Path, root: Path = WORK) -> None:
    """Copy archived files to the same places below a results folder, checked against the manifest."""
    for path in paths:
        source = checked(path.relative_to(results).as_posix(), ARCHIVE, root)
        write_atomic(path, source.read_bytes())


def promote(scale: str, root: Path = WORK) -> Release:
    """Make the results of a scale the archive, track it and push it to the default remote.

    ArtifactError or EvidenceError, in one line, where the results cannot stand for the commit: changed code, a scale that
    concludes nothing, evidence that is missing, stale or lacks a seed, a study without a verdict on it.
    """
    require_checkout("the archive")
    if not load_scale(scale, root / "config").conclusive:
        allowed = [name for name in scales(root / "config") if load_scale(name, root / "config").conclusive]
        raise ArtifactError(f"--scale: nothing can be concluded from '{scale}' (allowed: {', '.join(allowed)})")
    head = _clean_commit(root)
    studies = load_studies(scale, root / "config")
    results = root / "results" / scale
    evidence = {name: _whole(study, results) for name, study in studies.items()}
    _refuse_unjudged(evidence, results)
    release = Release(
        scale=scale,
        commit=head,
        date=datetime.now(UTC).date().isoformat(),
        seeds=load_scale(scale, root / "config").seeds,
        studies=len(studies),
        versions=_versions(evidence.values()),
        machines=_distinct(found.provenance["platform"] for found in evidence.values()),
    )
    staged = root / ".dvc" / "tmp" / ARCHIVE
    shutil.rmtree(staged, ignore_errors=True)
    for path in _files(studies, results):
        write_atomic(staged / path.relative_to(results), path.read_bytes())
    write_atomic(staged / "release.json", release.model_dump_json(indent=1))
    shutil.rmtree(root / ARCHIVE, ignore_errors=True)
    staged.rename(root / ARCHIVE)
    track(ARCHIVE, root)
    push(ARCHIVE, root=root)
    return release


def _clean_commit(root: Path) -> str:
    """The commit that the tree is at. Nothing tracked may differ from it, nor may there be code that it does not have."""
    own = [f":!{ARCHIVE}.dvc", f":!{ARCHIVE}.sha256", ":!dvcstore"]
    head, _ = commit(root)
    if head is None:
        raise ArtifactError(
            f"{root}: its commit cannot be told (no git repository with its top here); evidence is archived with one"
        )
    changed = git(root, "status", "--porcelain", "--untracked-files=no", "--", ".", *own).splitlines()
    changed += git(root, "status", "--porcelain", "--", *CODE).splitlines()
    if changed:
        raise ArtifactError(f"{changed[0][3:]}: differs from the commit; commit it (or take it away), then archive again")
    return head


def _whole(study: Study, results: Path) -> Evidence:
    """The study's evidence, fresh and with every seed."""
    evidence = read_evidence(results / "observations" / study.name)
    stale = staleness(study, evidence.provenance)
    if stale:
        raise ArtifactError(f"{study.name}: evidence is stale: {stale[0]}; run snakemake --config scale={study.scale}")
    for arm in study.arms:
        missing = set(range(study.seeds)) - {row.seed for row in evidence.observations if row.arm == arm}
        if missing:
            raise ArtifactError(f"{study.name}: arm '{arm}' lacks seed {min(missing)} of {study.seeds}; measure it again")
    return evidence


def _refuse_unjudged(evidence: dict[str, Evidence], results: Path) -> None:
    verdicts = read_json(results / "verdicts.json")["studies"]
    for name, found in evidence.items():
        if verdicts.get(name, {}).get("rests_on", {}).get("observations_sha256") != found.provenance["sha256"]:
            raise ArtifactError(f"{name}: no verdict rests on this evidence; run snakemake --config scale={results.name}")


def _files(studies: dict[str, Study], results: Path) -> list[Path]:
    """What is archived, by name, so that nothing else ever is."""
    observations = [results / "observations" / name / file for name in studies for file in EVIDENCE]
    cards = [results / "worlds" / name / file for name in worlds_of(studies.values()) for file in CARD]
    for path in cards:
        if not path.exists():
            raise ArtifactError(f"{path}: does not exist; run snakemake --config scale={results.name}")
        if path.suffix == ".npz":
            read_arrays(path)
    return [results / "verdicts.json", *observations, *cards]


def _versions(evidence: Iterable[Evidence]) -> dict[str, list[str]]:
    """Every version of each package that some evidence was made with."""
    found: dict[str, set[str]] = {}
    for each in evidence:
        for package, version in each.provenance["versions"].items():
            found.setdefault(package, set()).add(version)
    return {package: sorted(versions) for package, versions in sorted(found.items())}


def _distinct(values: Iterable[dict]) -> list[dict]:
    return [json.loads(text) for text in sorted({json.dumps(value, sort_keys=True) for value in values})]
