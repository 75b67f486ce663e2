"""Train the networks of one bundle (rule train)."""

from assay.pipeline.forwarding import forward

forward(snakemake)  # noqa: F821

import json
import sys
from pathlib import Path

from assay.errors import reason
from assay.networks.launch import TrainingJob, run
from assay.pipeline.running import job, note_failure
from assay.storage.receipts import networks_listed

made: list[Path] = []

with job(snakemake, made) as say:  # noqa: F821
    params, gpus = snakemake.params, snakemake.resources.get("gpu", 0)  # noqa: F821
    asked = TrainingJob(
        json.loads(params.recipes),
        params.block,
        params.device,
        snakemake.output[0],  # noqa: F821
        snakemake.threads,  # noqa: F821
        params.precision,
    )
    try:
        run(asked, max(1, gpus), Path(snakemake.log[0]), say)  # noqa: F821
    except Exception as error:
        if not Path(asked.manifest).exists():
            raise
        # What is trained is measured, and measuring then fails for what is not.
        note_failure(Path(snakemake.log[0]), snakemake.rule, error)  # noqa: F821
        print(f"{snakemake.rule}: {reason(error)}", file=sys.stderr)  # noqa: F821
    made += networks_listed(Path(asked.manifest))
