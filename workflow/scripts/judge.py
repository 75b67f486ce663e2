"""Judge studies, each as if it alone joined the release (rule judge)."""

from assay.pipeline.forwarding import forward

forward(snakemake, start=False)  # noqa: F821

import json
from pathlib import Path

from assay.judging.judging import require_evidence, write_verdicts
from assay.pipeline.running import job
from assay.pipeline.sources import Sources
from assay.storage.places import WORK

results = Path(snakemake.output[0]).parent  # noqa: F821

with job(snakemake):  # noqa: F821
    sources = Sources.read(results)
    judgements = [json.loads(line) for line in snakemake.params.judgements.splitlines()]  # noqa: F821
    require_evidence([judgement["name"] for judgement in judgements], sources)
    write_verdicts(judgements, sources, snakemake.params.scale, WORK)  # noqa: F821
