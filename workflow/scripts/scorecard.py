"""Compare the models and write the report (rule scorecard of rules/scorecard.smk)."""

from assay.pipeline.forwarding import forward

forward(snakemake, start=False)  # noqa: F821

from pathlib import Path

from assay.pipeline.running import job
from assay.scorecard.pages import write_pages
from assay.scorecard.request import Request

out = Path(snakemake.output[0]).parent  # noqa: F821

with job(snakemake) as say:  # noqa: F821
    write_pages(Request.read(out / "request.json"), out)
    say("written: report.html, metrics.csv, metrics.json, card.md, table.tex")
