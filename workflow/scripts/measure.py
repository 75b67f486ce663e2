"""Measure one study (rule measure)."""

from pathlib import Path

from assay.language.studies import load_studies
from assay.measuring.arm import measure_study
from assay.networks.jobs import choose_device
from assay.networks.store import NetworkStore
from assay.pipeline.running import job

folder = Path(snakemake.output.observations).parent  # noqa: F821
networks = folder.parent.parent / "networks"

with job(snakemake) as say:  # noqa: F821
    study = load_studies(snakemake.params.scale, only=[snakemake.wildcards.study])[snakemake.wildcards.study]  # noqa: F821
    measure_study(study, NetworkStore(networks, choose_device(snakemake.params.device)), folder, say)  # noqa: F821
