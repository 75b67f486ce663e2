"""Draw figures and tables for papers (rule figures)."""

from pathlib import Path

from assay.reporting import for_each, write_paper
from assay.running import job
from assay.studies import load_studies

results = Path(snakemake.output[0]).parents[1]  # noqa: F821

with job(snakemake):  # noqa: F821
    studies = load_studies(snakemake.params.scale, only=snakemake.params.studies)  # noqa: F821
    for_each(write_paper, studies.values(), results, snakemake.threads)  # noqa: F821
