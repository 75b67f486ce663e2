"""Draw one study's figure (rule figure)."""

from pathlib import Path

from assay.files import write_atomic
from assay.reporting import draw_figure
from assay.running import job
from assay.studies import load_studies

target = Path(snakemake.output[0])  # noqa: F821

with job(snakemake):  # noqa: F821
    name = snakemake.wildcards.study  # noqa: F821
    study = load_studies(snakemake.params.scale, only=[name])[name]  # noqa: F821
    write_atomic(target, draw_figure(study, target.parents[1]))
