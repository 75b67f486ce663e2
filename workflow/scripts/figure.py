"""Draw one study's figure (rule figure)."""

from pathlib import Path

from assay.language.studies import load_studies
from assay.pipeline.running import job
from assay.report.reporting import write_figure

results = Path(snakemake.output[0]).parents[1]  # noqa: F821

with job(snakemake):  # noqa: F821
    name = snakemake.wildcards.study  # noqa: F821
    write_figure(load_studies(snakemake.params.scale, only=[name])[name], results)  # noqa: F821
