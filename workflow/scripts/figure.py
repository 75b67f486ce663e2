"""Draw figures (rules figure and archived_figures): those that were not drawn before from the same evidence."""

from assay.pipeline.forwarding import forward

forward(snakemake, start=False)  # noqa: F821

import json
from pathlib import Path

from assay.pipeline.running import job
from assay.pipeline.sources import Sources
from assay.report.reporting import drawing_keys, write_figures

results = Path(snakemake.output[0]).parents[1]  # noqa: F821

with job(snakemake) as say:  # noqa: F821
    sources = Sources.read(results)
    keys = drawing_keys(json.loads(snakemake.params.figures), json.loads(snakemake.params.code), sources)  # noqa: F821
    drawn = write_figures(keys, snakemake.params.scale, sources, snakemake.threads)  # noqa: F821
    say(f"drawn: {', '.join(drawn) or 'nothing; all were drawn before'}")
