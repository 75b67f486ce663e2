"""Judge all studies of a scale on their evidence and write verdicts.json."""

import json
from collections.abc import Iterable
from pathlib import Path

from assay.errors import EvidenceError
from assay.evidence.tables import Evidence, read_evidence
from assay.judging.verdicts import judge
from assay.provenance.fingerprints import digest
from assay.storage.files import read_json, write_atomic


def judge_results(judgements: Iterable[dict], results: Path) -> dict:
    """Verdicts of the studies whose evidence is there; the others are listed as failed, with the stage and the reason.

    judgements: what to judge, one mapping a study (name, paper, controls, expect, margin).
    """
    ready, observations, failed = [], {}, {}
    for judgement in judgements:
        name = judgement["name"]
        try:
            evidence = read_evidence(results / "observations" / name)
        except EvidenceError as error:
            failed[name] = _failure(results, name, error)
            continue
        observations[name] = [row._asdict() for row in evidence.observations]
        ready.append({**judgement, "rests_on": _rests_on(evidence)})
    verdicts = judge(ready, observations)
    return {**verdicts, "failed": {**failed, **verdicts["failed"]}}


def require_evidence(studies: Iterable[str], results: Path) -> None:
    """Check the evidence of all studies; EvidenceError for the first that is damaged.

    The provenance of damaged evidence is removed, since it no longer vouches for it: the next run measures it again.
    """
    errors = []
    for name in studies:
        try:
            read_evidence(results / "observations" / name)
        except EvidenceError as error:
            (results / "observations" / name / "provenance.json").unlink(missing_ok=True)
            errors.append(error)
    if errors:
        raise errors[0]


def write_verdicts(judgements: Iterable[dict], results: Path, name: str = "verdicts.json") -> None:
    """Judge and write results/<scale>/<name>."""
    text = json.dumps(judge_results(judgements, results), indent=1, sort_keys=True, allow_nan=False)
    write_atomic(results / name, text)


def _rests_on(evidence: Evidence) -> dict:
    """What a verdict depends on, so that it can be told fresh from stale without Snakemake's own records."""
    provenance = evidence.provenance
    return {
        "study_sha256": provenance["study_sha256"],
        "code": digest(provenance["code"]),
        "data": provenance["data"],
        "observations_sha256": provenance["sha256"],
        "versions": provenance["versions"],
    }


def _failure(results: Path, name: str, error: EvidenceError) -> dict:
    """Why a study has no evidence: what its own measurement or one of its trainings left, or that the evidence is unreadable."""
    for path in (results / "logs" / "measure" / f"{name}.failed.json", *_training_failures(results, name)):
        if path.exists():
            return read_json(path)
    return {"stage": "measure", "error": str(error), "log": str(results / "logs" / "measure" / f"{name}.log")}


def _training_failures(results: Path, name: str) -> list[Path]:
    """Failures of the trainings this study waits for, by the list that planning left."""
    needs = results / "plan.json"
    bundles = read_json(needs).get(name, []) if needs.exists() else []
    return [results / "logs" / "train" / f"{bundle}.failed.json" for bundle in bundles]
