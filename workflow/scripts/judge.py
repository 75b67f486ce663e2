"""Judge all studies together (rule judge)."""

import json
from pathlib import Path

from assay.judging.judging import require_evidence, write_verdicts
from assay.pipeline.running import job

with job(snakemake):  # noqa: F821
    judgements = [json.loads(text) for text in snakemake.params.judgements]  # noqa: F821
    results = Path(snakemake.output[0]).parent  # noqa: F821
    require_evidence([judgement["name"] for judgement in judgements], results)
    write_verdicts(judgements, results)
