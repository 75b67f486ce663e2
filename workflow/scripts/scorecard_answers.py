"""Let a model answer all images (rule answers of rules/scorecard.smk)."""

from assay.pipeline.forwarding import forward

forward(snakemake)  # noqa: F821

from pathlib import Path

from assay.pipeline.running import job
from assay.scorecard.jobs import answer
from assay.scorecard.request import Request

folder = Path(snakemake.output[0]).parent  # noqa: F821

with job(snakemake) as say:  # noqa: F821
    request = Request.read(folder.parents[1] / "request.json")
    answer(request, folder.name, Path(snakemake.input[0]).parent, folder, say)  # noqa: F821
