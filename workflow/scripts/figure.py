"""Draw one study's figure (rule figure)."""

from pathlib import Path

from assay.reporting import write_figure
from assay.running import job
from assay.studies import load_studies

results = Path(snakemake.output[0]).parents[1]  # noqa: F821

with job(snakemake):  # noqa: F821
    name = snakemake.wildcards.study  # noqa: F821
    write_figure(load_studies(snakemake.params.scale, only=[name])[name], results)  # noqa: F821
