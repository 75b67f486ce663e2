"""Retrieve one data set (rule retrieve)."""

from assay.datasets.retrieving import retrieve
from assay.pipeline.running import job

with job(snakemake) as say:  # noqa: F821
    retrieve(snakemake.wildcards.dataset, say)  # noqa: F821
