"""Write the report (rule report)."""

from pathlib import Path

from assay.reporting import write_manifest, write_report
from assay.running import job
from assay.studies import load_studies

with job(snakemake):  # noqa: F821
    studies = load_studies(snakemake.params.scale, only=snakemake.params.studies)  # noqa: F821
    write_report(list(studies.values()), Path(snakemake.output[0]).parents[1])  # noqa: F821
    write_manifest(Path(snakemake.output[0]))  # noqa: F821
