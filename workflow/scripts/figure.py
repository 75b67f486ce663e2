"""Draw figures (rules figure and archived_figures)."""

from assay.pipeline.forwarding import forward

forward(snakemake, start=False)  # noqa: F821

from pathlib import Path

from assay.language.studies import load_studies
from assay.pipeline.running import job
from assay.report.reporting import for_each, write_figure

results = Path(snakemake.output[0]).parents[1]  # noqa: F821

with job(snakemake):  # noqa: F821
    studies = load_studies(snakemake.params.scale, only=[Path(path).stem for path in snakemake.output])  # noqa: F821
    for_each(write_figure, studies.values(), results, snakemake.threads)  # noqa: F821
