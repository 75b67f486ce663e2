"""Draw figures and tables for papers (rule figures)."""

from pathlib import Path

from assay.reporting import write_paper
from assay.running import job
from assay.studies import load_studies

folder = Path(snakemake.output[0]).parent  # noqa: F821

with job(snakemake):  # noqa: F821
    studies = load_studies(snakemake.params.scale, only=snakemake.params.studies)  # noqa: F821
    write_paper(list(studies.values()), folder)
