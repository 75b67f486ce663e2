"""Measure one study (rule measure)."""

from pathlib import Path

from assay.language.studies import load_studies
from assay.measuring.arm import measure_study
from assay.networks.jobs import set_up
from assay.networks.store import NetworkStore
from assay.pipeline.running import job

folder = Path(snakemake.output.observations).parent  # noqa: F821
networks = folder.parent.parent / "networks"

with job(snakemake) as say:  # noqa: F821
    study = load_studies(snakemake.params.scale, only=[snakemake.wildcards.study])[snakemake.wildcards.study]  # noqa: F821
    device, precision = snakemake.params.device, snakemake.params.precision  # noqa: F821
    store = NetworkStore(networks, set_up(device, snakemake.threads, precision), precision)  # noqa: F821
    measure_study(study, store, folder, say)
