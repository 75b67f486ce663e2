"""Measure a group of metrics on a model (rule score of rules/scorecard.smk)."""

from assay.pipeline.forwarding import forward

forward(snakemake)  # noqa: F821

from pathlib import Path

from assay.pipeline.running import job
from assay.scorecard.jobs import measure
from assay.scorecard.request import Request

folder = Path(snakemake.output[0]).parent  # noqa: F821

with job(snakemake) as say:  # noqa: F821
    out, model = folder.parents[2], folder.parent.name
    request, shown = Request.read(out / "request.json"), Path(snakemake.input[0]).parent  # noqa: F821
    measure(request, model, folder.name, shown, out / "answers" / model, folder, say)
