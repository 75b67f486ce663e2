"""`assay.observations`: what a study measured, as a table, from wherever its evidence lies."""

import pandas as pd

from assay.artifacts.archiving import pull
from assay.errors import EvidenceError
from assay.language.configuration import results_folder
from assay.language.studies import load_studies
from assay.pipeline.deciding import sources_now
from assay.report.page import as_table
from assay.storage.places import WORK


def observations(study: str, scale: str = "laptop") -> pd.DataFrame:
    """The observations that a study's verdict rests on: one row for each arm, seed, metric and coordinate x.

    They are taken from results/ or, where that has none, from the archive, which is pulled from its store if need be. `attrs`
    says where they are from: study, scale, evidence (fresh, unproven or stale), commit and sha256.
    Raises StudyError for a study or scale that does not exist, EvidenceError where nothing was measured.
    """
    compiled = load_studies(scale, only=[study])
    sources = sources_now(compiled, WORK / results_folder(scale), WORK)
    if not sources.places[study]:
        why = "; ".join(sources.lacking.get(study, ())) or "it was not measured"
        raise EvidenceError(f"study '{study}': no evidence at scale {scale}: {why}; snakemake {sources.drawing(study)} makes it")
    pull(keys=[place.key for place in sources.places[study] if place.where == "archive"])
    found = sources.evidence(study)
    table = as_table(found.observations)
    said = {"commit": found.provenance["commit"], "sha256": found.provenance["sha256"]}
    table.attrs = {"study": study, "scale": scale, "evidence": sources.freshness(study).word, **said}
    return table
