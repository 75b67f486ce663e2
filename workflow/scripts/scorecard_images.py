"""Draw and decode the images that models are shown (rule images of rules/scorecard.smk)."""

from assay.pipeline.forwarding import forward

forward(snakemake)  # noqa: F821

from pathlib import Path

from assay.pipeline.running import job
from assay.scorecard.jobs import draw_images
from assay.scorecard.request import Request

folder = Path(snakemake.output[0]).parent  # noqa: F821

with job(snakemake) as say:  # noqa: F821
    draw_images(Request.read(folder.parents[1] / "request.json"), folder.name, folder, say)
