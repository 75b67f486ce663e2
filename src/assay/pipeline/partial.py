"""Studies of which an arm failed: what was measured of the other arms, so that they are shown with the failure.

results/<scale>/partial/<study>/<block>/    as evidence, and in provenance.json under `failed` why each failed arm did
results/<scale>/partial/<study>/figure.svg  drawn from it after the run

None of it is an output of a job: the next run finds no evidence there, and measures the study again. No torch here.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from assay.errors import AssayError, EvidenceError, in_a_line
from assay.evidence.freshness import FRESH, freshness
from assay.evidence.tables import Observation, check_evidence, study_code, write_evidence
from assay.language.study import Study
from assay.pipeline.sources import Place, Sources, partial_folder
from assay.storage.files import read_json


def write_partial(
    folder: Path,
    study: Study,
    rows: list[Observation],
    arrays: Mapping[str, np.ndarray],
    provenance: Mapping,
    failed: Mapping[str, Exception],
) -> None:
    """Write what was measured of a block. failed: the errors of its other cells, by label."""
    why = {label: in_a_line(error) for label, error in failed.items()}
    about = {**provenance, "study_sha256": study.digest, "code": study_code(study), "failed": why}
    write_evidence(folder, rows, dict(arrays), about)


def shown_in_part(sources: Sources, studies: Mapping[str, Study]) -> Sources:
    """The sources as they are after a run that failed: of a study that was to be computed, what this run measured, whole or in
    part; nothing where a block has neither, whatever an earlier run left there."""
    places, in_part = dict(sources.places), {}
    for name in dict(sources.computed):
        found = [_found(sources, studies[name], place) for place in sources.places[name]]
        places[name] = () if None in found else sources.places[name]
        failed = {label: why for each in found if each for label, why in each.items()}
        if failed and places[name]:
            in_part[name] = failed
    return replace(sources, places=places, in_part=in_part)


def _found(sources: Sources, study: Study, place: Place) -> dict[str, str] | None:
    """The failed cells of a block, by label, with the reasons: none where it is whole. None where there is nothing of today's."""
    if place.where != "computed":
        return {}
    for folder in (sources.folder(study.name, place.block), partial_folder(sources.results, study.name, place.block)):
        try:
            provenance = check_evidence(folder)
            if freshness(study, provenance).word == FRESH:
                return provenance.get("failed", {})
        except AssayError:
            continue
    return None


def forget_failed_trainings(results: Path) -> None:
    """Take away the manifests of trainings in which a network failed, so that the next run tries again."""
    for manifest in (results / "networks").glob("*.json"):
        try:
            failed = read_json(manifest).get("failed")
        except EvidenceError:
            continue  # the check of all files sees to it
        if failed:
            manifest.unlink(missing_ok=True)
