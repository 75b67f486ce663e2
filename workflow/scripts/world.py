"""Write the card of one world (rule world)."""

from assay.pipeline.forwarding import forward

forward(snakemake)  # noqa: F821

import json
from pathlib import Path

from assay.evidence.cards import write_card
from assay.pipeline.running import job

with job(snakemake):  # noqa: F821
    write_card(json.loads(snakemake.params.world), Path(snakemake.output.card).parent)  # noqa: F821
