"""What one measuring job does: observe a block of a study, and write its evidence with what it rests on."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from assay.evidence.tables import FORMAT, TRAINING_LOSS, study_code, write_evidence
from assay.evidence.tested import tested
from assay.language import draws
from assay.language.blocks import Block
from assay.language.plugs import load_all
from assay.language.study import Study
from assay.measuring.observing import observe
from assay.networks.jobs import device_name
from assay.networks.store import NetworkStore
from assay.provenance.commits import commit
from assay.provenance.platforms import platform_here, versions
from assay.storage.places import PROJECT


def measure_block(
    study: Study, block: Block, store: NetworkStore, folder: Path, threads: int = 1, say: Callable[[str], None] = print
) -> None:
    """Observe a block of a study with this many threads and write its evidence to the folder."""
    load_all(study.plugs)
    started = time.process_time()
    rows, session = observe(study, block, store, say)
    spent = time.process_time() - started
    arrays = session.arrays | training_losses(study, block, store)
    write_evidence(folder, rows, arrays, provenance(study, block, store, threads, spent, session.data_digests()))


def training_losses(study: Study, block: Block, store: NetworkStore) -> dict[str, np.ndarray]:
    """Mean training loss (seeds, epochs) of each measured network, by "<arm>/training_loss"."""
    trained = set(study.recipes)
    measured = [cell for cell in study.cells if cell.recipe in trained and cell.recipe.data["budget"]["epochs"]]
    return {
        f"{cell.label}/{TRAINING_LOSS}": np.stack([store.loss(cell.recipe, seed) for seed in block.repetitions])
        for cell in measured
    }


def provenance(
    study: Study, block: Block, store: NetworkStore, threads: int, measure_core_seconds: float, data: dict[str, str]
) -> dict:
    """What a block's observations rest on: study, code, networks, versions, platform, cost."""
    head, dirty = commit(PROJECT)
    networks = {recipe: [store.about(recipe, seed) for seed in block.repetitions] for recipe in study.recipes}
    return {
        "format": FORMAT,
        "study": study.name,
        "scale": study.scale,
        "block": block.name,
        "draws": draws.current(),
        "seeds": list(block.repetitions),
        "study_sha256": study.digest,
        "code": study_code(study),
        "recipes": {recipe.name: [about["sha256"] for about in found] for recipe, found in networks.items()},
        "tested": tested(study, {recipe: [about["parameters"] for about in found] for recipe, found in networks.items()}),
        "versions": versions(),
        "platform": platform_here(device_name(store.device), threads, store.precision),
        "trained_on": sorted({f"{a['processes']} x {a['device']}" for found in networks.values() for a in found}),
        "data": data,
        "commit": head,
        "dirty": dirty,
        "date": datetime.now(UTC).date().isoformat(),
        "cost": {
            "train_core_s": round(sum(about["core_seconds"] for found in networks.values() for about in found), 1),
            "networks": {recipe.name: round(sum(a["core_seconds"] for a in found), 1) for recipe, found in networks.items()},
            "measure_core_s": round(measure_core_seconds, 1),
        },
    }
