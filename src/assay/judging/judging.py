"""Judge all studies of a scale on their evidence and write verdicts.json."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from assay.errors import EvidenceError
from assay.evidence.tables import Evidence
from assay.judging.verdicts import judge
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


def judge_results(judgements: Iterable[dict], shelf: Shelf) -> dict:
    """Verdicts of the studies whose evidence is there; the others are listed as failed, with the stage and the reason.

    judgements: what to judge, one mapping a study (name, paper, controls, expect, margin; first, first_look, earlier). With it
    goes what the archive says of its earlier texts (`retired`).
    """
    ready, observations, failed = [], {}, {}
    for judgement in judgements:
        name = judgement["name"]
        try:
            evidence = shelf.evidence(name)
        except EvidenceError as error:
            failed[name] = _failure(shelf, name, error)
            continue
        observations[name] = [row._asdict() for row in evidence.observations]
        earlier = {"retired": list(shelf.retired.get(name, ()))}
        ready.append({**judgement, **earlier, "rests_on": _rests_on(evidence) | {"judgement": digest_of_judgement(judgement)}})
    verdicts = judge(ready, observations)
    return {**verdicts, "failed": {**failed, **verdicts["failed"]}}


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


def write_verdicts(judgements: Iterable[dict], shelf: Shelf, name: str = "verdicts.json") -> None:
    """Judge and write results/<scale>/<name>."""
    text = json.dumps(judge_results(judgements, shelf), indent=1, sort_keys=True, allow_nan=False)
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


def _failure(shelf: Shelf, name: str, error: EvidenceError) -> dict:
    """Why a study has no evidence: what one of its jobs left, or that the evidence is unreadable."""
    return shelf.failure(name) or {"stage": "measure", "error": str(error), "log": str(shelf.results / "logs" / "measure" / name)}
