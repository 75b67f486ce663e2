"""Judge studies of a scale on their evidence, each as if it alone joined what is released, and write verdicts.json."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from assay.errors import EvidenceError
from assay.evidence.tables import Evidence
from assay.judging.release import Release, changes, last_release
from assay.judging.verdicts import judge
from assay.language.expectations import parse
from assay.language.study import digest_of_judgement
from assay.provenance.fingerprints import digest
from assay.storage.files import write_atomic


class Shelf(Protocol):
    """What is asked where evidence lies: see `assay.pipeline.sources.Sources`."""

    results: Path
    retired: Mapping[str, Sequence[dict]]

    def evidence(self, study: str) -> Evidence: ...

    def withdraw(self, study: str) -> None: ...

    def failure(self, study: str) -> dict | None: ...


def judge_results(judgements: Iterable[dict], shelf: Shelf, release: Release, last: Release | None = None) -> dict:
    """Verdicts of the studies whose evidence is there; the others are listed as failed, with the stage and the reason.

    judgements: what to judge, one mapping a study (name, paper, controls, expect, margin, and what else `case_of` reads). Claims
    of its earlier texts, as the archive has them, go on counting. release: what counts at the scale. last: the last release,
    against which changed words are listed; None where there is none.
    """
    ready, observations, failed, partial = [], {}, {}, {}
    for judgement in judgements:
        name = judgement["name"]
        try:
            evidence = shelf.evidence(name)
        except EvidenceError as error:
            failed[name] = _failure(shelf, name, error)
            continue
        counted = judgement | {"retired": sum(len(text["claims"]) for text in shelf.retired.get(name, ()))}
        if lost := evidence.provenance.get("failed"):
            failed[name] = _failure(shelf, name, lost)
            partial[name] = _judge_part(counted, evidence, {label.partition("@")[0] for label in lost}, release)
            continue
        observations[name] = [row._asdict() for row in evidence.observations]
        rests_on = _rests_on(evidence) | {"judgement": digest_of_judgement(judgement)}
        ready.append({**counted, "rests_on": rests_on})
    verdicts = judge(ready, observations, release.family)
    for record in verdicts["studies"].values():
        record["release"] = release.told(record)
    since = None if last is None else {"tag": last.tag, "changes": changes(last, verdicts["studies"])}
    return {**verdicts, "failed": {**failed, **verdicts["failed"]}, "since": since} | ({"partial": partial} if partial else {})


def _judge_part(judgement: dict, evidence: Evidence, lost: set[str], release: Release) -> dict:
    """What can be said of a study of which these arms failed: the expectations and controls that need none of them, the
    former corrected as among all the study has. Its paper gets no word, and it is not listed among the judged."""
    needed = {group: judgement.get(group, []) for group in ("controls", "expect", "secondary")}
    read = {group: [text for text in texts if not _arms(text) & lost] for group, texts in needed.items()}
    unread = {group: [text for text in texts if _arms(text) & lost] for group, texts in needed.items()}
    part = {**judgement, **read, "unread": unread, "retired": judgement["retired"] + len(unread["expect"])}
    name, rows = judgement["name"], [row._asdict() for row in evidence.observations]
    found = judge([part], {name: rows}, release.family)["studies"].get(name)
    # What is left may not make a whole, such as a curve without some of its points.
    return found | {"word": "", "count": "", "unread": unread} if found else {}


def _arms(text: str) -> set[str]:
    return {reference.arm for reference in parse(text).references()}


def require_evidence(studies: Iterable[str], shelf: Shelf) -> None:
    """Check the evidence of all studies; EvidenceError for the first that is damaged.

    Evidence from here that is damaged is withdrawn, so that the next run measures it again.
    """
    errors = []
    for name in studies:
        try:
            shelf.evidence(name)
        except EvidenceError as error:
            shelf.withdraw(name)
            errors.append(error)
    if errors:
        raise errors[0]


def write_verdicts(judgements: Iterable[dict], shelf: Shelf, scale: str, root: Path, name: str = "verdicts.json") -> None:
    """Judge and write results/<scale>/<name>. root: the project whose ledger says what is released."""
    verdicts = judge_results(judgements, shelf, Release.at(scale, root), last_release(scale, root))
    text = json.dumps(verdicts, indent=1, sort_keys=True, allow_nan=False)
    write_atomic(shelf.results / name, text)


def _rests_on(evidence: Evidence) -> dict:
    """What a verdict depends on, so that it can be told fresh from stale without Snakemake's own records."""
    provenance = evidence.provenance
    return {
        "study_sha256": provenance["study_sha256"],
        "code": digest(provenance["code"]),
        "data": provenance["data"],
        "blocks": provenance["blocks"],
        "observations_sha256": provenance["sha256"],
        "versions": provenance["versions"],
    }


def _failure(shelf: Shelf, name: str, error: EvidenceError | dict) -> dict:
    """Why a study has no evidence: what one of its jobs left, or that the evidence is unreadable."""
    return shelf.failure(name) or {"stage": "measure", "error": str(error), "log": str(shelf.results / "logs" / "measure" / name)}
