"""Train the networks of one bundle (rule train)."""

import json
from pathlib import Path

from assay.jobs import choose_device, train_bundle
from assay.recipes import Recipe
from assay.running import job
from assay.store import NetworkStore

manifest = Path(snakemake.output[0])  # noqa: F821

with job(snakemake) as say:  # noqa: F821
    store = NetworkStore(manifest.parent, choose_device(snakemake.params.device))  # noqa: F821
    recipes = [Recipe(data) for data in json.loads(snakemake.params.recipes)]  # noqa: F821
    train_bundle(recipes, snakemake.params.seeds, store, manifest, say)  # noqa: F821
