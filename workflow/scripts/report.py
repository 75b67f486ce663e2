"""Write the report (rule report)."""

from pathlib import Path

from assay.language.studies import load_studies
from assay.pipeline.running import job
from assay.report.reporting import write_manifest, write_report
from assay.storage.files import read_json

manifest = Path(snakemake.output[0])  # noqa: F821
made: list[Path] = []

with job(snakemake, made):  # noqa: F821
    studies = load_studies(snakemake.params.scale, only=snakemake.params.studies)  # noqa: F821
    write_report(list(studies.values()), manifest.parents[1])
    write_manifest(manifest)
    made += [manifest.parent / name for name in read_json(manifest)]
