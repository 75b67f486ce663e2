"""Measure a block of a study (rule measure), or measure an archived one again (rule recheck)."""

from assay.pipeline.forwarding import forward

forward(snakemake)  # noqa: F821

from pathlib import Path

from assay.language.blocks import Block
from assay.language.studies import load_studies
from assay.networks.jobs import set_up
from assay.networks.store import NetworkStore
from assay.pipeline.cells import Kept
from assay.pipeline.measurement import measure_block
from assay.pipeline.running import job
from assay.pipeline.sources import partial_folder

folder = Path(snakemake.output.observations).parent  # noqa: F821
networks = folder.parents[2] / "networks"
name, block = folder.parent.name, Block.named(folder.name)

with job(snakemake) as say:  # noqa: F821
    study = load_studies(snakemake.params.scale, only=[name])[name]  # noqa: F821
    device, precision = snakemake.params.device, snakemake.params.precision  # noqa: F821
    store = NetworkStore(networks, set_up(device, snakemake.threads, precision), precision)  # noqa: F821
    again = snakemake.rule == "recheck"  # noqa: F821
    # What is measured to be compared with the archive takes nothing over.
    kept = None if again else Kept(folder.parents[2] / "cells" / name / block.name, snakemake.params.code)  # noqa: F821
    partial = None if again else partial_folder(folder.parents[2], name, block)
    measure_block(study, block, store, folder, snakemake.threads, say, kept, partial)  # noqa: F821
    if again:
        from assay.pipeline.rechecking import compare_with_archive

        say(f"compared with the archive: {compare_with_archive(study, block, folder).word}")
