"""Unpack archived evidence and world cards (rule unpack)."""

from pathlib import Path

from assay.artifacts.archiving import unpack
from assay.pipeline.running import job

with job(snakemake):  # noqa: F821
    unpack(map(Path, snakemake.output), Path(snakemake.log[0]).parents[1])  # noqa: F821
