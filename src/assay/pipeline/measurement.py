"""What one measuring job does: observe what of a block was not observed before, and write its evidence with what it rests on."""

import shutil
import time
import traceback
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from assay.data.seeds import ROOT_NAME
from assay.errors import PreemptedError, TrainingError
from assay.evidence.tables import FORMAT, TRAINING_LOSS, check_finite, study_code, write_evidence
from assay.evidence.tested import tested
from assay.language import draws
from assay.language.blocks import Block
from assay.language.plugs import load_all
from assay.language.study import Study
from assay.measuring.observing import observe
from assay.networks.jobs import OF_THE_MACHINE, device_name
from assay.networks.store import NetworkStore
from assay.pipeline.cells import Kept, Measured, Unseeded, alone, arrays_of, cell_keys, rows_of, world_key
from assay.pipeline.partial import write_partial
from assay.provenance.commits import commit
from assay.provenance.platforms import platform_here, versions
from assay.storage.places import PROJECT


def measure_block(
    study: Study,
    block: Block,
    store: NetworkStore,
    folder: Path,
    threads: int = 1,
    say: Callable[[str], None] = print,
    kept: Kept | None = None,
    partial: Path | None = None,
) -> None:
    """Observe a block of a study with this many threads and write its evidence to the folder.

    kept: where cells that were measured before are taken from, and all are left for later; without it all are measured.
    partial: where the evidence of the other cells goes if some fail, by which the study is shown. The first error is raised then.
    """
    if partial:
        shutil.rmtree(partial, ignore_errors=True)
    failed = unmeasurable(study, block, store)
    able = _without(study, failed)
    keys = cell_keys(able, block, store, threads) if kept else {}
    before = kept.read(able, keys) if kept else {}
    unseeded = Unseeded(study, block, store.device)
    say = unseeded.watched(say)
    now, raised = observed(_without(able, before), block, store, say)
    alike = not unseeded.drawn
    if before and not alike:
        say(f"{study.name}: its protocol draws from torch's own generator, so all its arms are measured together")
        before = {}
        now, raised = observed(able, block, store, say)
    if before:
        say(f"{study.name}: taken over, since nothing that they rest on changed: {', '.join(before)}")
    failed |= raised
    cells = {cell.label: (before | now)[cell.label] for cell in study.cells if cell.label not in failed}
    if not cells:
        raise next(iter(failed.values()))
    if kept and alike and kept.may_keep(study):
        kept.write(study, {label: replace(cells[label], key=key) for label, key in keys.items() if label in cells})
    elif kept:
        kept.clear()
    rows = [row for cell in cells.values() for row in cell.rows]
    arrays = {name: array for cell in cells.values() for name, array in cell.arrays.items()}
    whole = _without(study, failed)
    arrays |= training_losses(whole, block, store)
    about = provenance(whole, block, store, threads, cells, set(before))
    if not failed:
        write_evidence(folder, rows, arrays, about)
        return
    if partial:
        write_partial(partial, study, rows, arrays, about, failed)
    raise next(iter(failed.values()))


def unmeasurable(study: Study, block: Block, store: NetworkStore) -> dict[str, Exception]:
    """The cells, by label, of which a method cannot be loaded or a network could not be trained, each with the error."""
    failed: dict[str, Exception] = {}
    untrained = store.failures(block.repetitions)
    for cell in study.cells:
        own = alone(study, cell)
        try:
            load_all(own.plugs)
        except Exception as error:
            failed[cell.label] = error
            continue
        if lacking := next((recipe.name for recipe in own.recipes if recipe.name in untrained), None):
            why = f"training {lacking} failed: {untrained[lacking]}"
            failed[cell.label] = TrainingError(f"{study.name}: arm '{cell.label}': {why}")
    return failed


def _without(study: Study, before: Collection[str]) -> Study:
    """The study with those of its cells that are to be measured."""
    return replace(study, cells=tuple(cell for cell in study.cells if cell.label not in before)) if before else study


def observed(
    study: Study, block: Block, store: NetworkStore, say: Callable[[str], None]
) -> tuple[dict[str, Measured], dict[str, Exception]]:
    """All cells of a study, measured now, by label; where one fails, each by itself, which gives the same numbers, and the errors
    of those that fail. What says nothing of a method is raised."""
    try:
        return _observed(study, block, store, say), {}
    except (*OF_THE_MACHINE, PreemptedError):
        raise
    except Exception as error:
        say(f"{study.name}: an arm failed; each is measured by itself\n{traceback.format_exc()}")
        if len(study.cells) == 1:
            return {}, {study.cells[0].label: error}
    found: dict[str, Measured] = {}
    failed: dict[str, Exception] = {}
    for cell in study.cells:
        now, raised = observed(alone(study, cell), block, store, say)
        found, failed = found | now, failed | raised
    return found, failed


def _observed(study: Study, block: Block, store: NetworkStore, say: Callable[[str], None]) -> dict[str, Measured]:
    """All cells, of the time, which they share, each charged an equal part. EvidenceError for a value that is no number."""
    if not study.cells:
        return {}
    started = time.process_time()
    rows, session = observe(study, block, store, say)
    spent = time.process_time() - started
    check_finite(rows)
    data, made = session.data_digests(), made_now()
    return {
        cell.label: Measured(
            rows=rows_of(cell, rows),
            arrays=arrays_of(cell, session.arrays),
            data={name: digest for name, digest in data.items() if name.startswith(f"{world_key(cell.recipe)}/")},
            core_seconds=spent / len(study.cells),
            made=made,
        )
        for cell in study.cells
    }


def training_losses(study: Study, block: Block, store: NetworkStore) -> dict[str, np.ndarray]:
    """Mean training loss (seeds, epochs) of each measured network, by "<arm>/training_loss"."""
    trained = set(study.recipes)
    measured = [cell for cell in study.cells if cell.recipe in trained and cell.recipe.data["budget"]["epochs"]]
    return {
        f"{cell.label}/{TRAINING_LOSS}": np.stack([store.loss(cell.recipe, seed) for seed in block.repetitions])
        for cell in measured
    }


def provenance(
    study: Study, block: Block, store: NetworkStore, threads: int, cells: Mapping[str, Measured], before: Collection[str]
) -> dict:
    """What a block's observations rest on: study, code, networks, versions, platform, cost; and of the cells that were measured
    before, when and at which commit."""
    networks = {recipe: [store.about(recipe, seed) for seed in block.repetitions] for recipe in study.recipes}
    return {
        "format": FORMAT,
        "study": study.name,
        "scale": study.scale,
        "block": block.name,
        "draws": draws.current(),
        "seeds": list(block.repetitions),
        "study_sha256": study.digest,
        "judged_sha256": study.judged_digest,
        "root": ROOT_NAME,
        "code": study_code(study),
        "recipes": {recipe.name: [about["sha256"] for about in found] for recipe, found in networks.items()},
        "tested": tested(study, {recipe: [about["parameters"] for about in found] for recipe, found in networks.items()}),
        "versions": versions(),
        "platform": platform_here(device_name(store.device), threads, store.precision),
        "trained_on": sorted({f"{a['processes']} x {a['device']}" for found in networks.values() for a in found}),
        "data": dict(sorted(each for cell in cells.values() for each in cell.data.items())),
        **made_now(),
        "measured_before": {f"{block.name}/{label}": cells[label].made for label in sorted(before)},
        "cost": {
            "train_core_s": round(sum(about["core_seconds"] for found in networks.values() for about in found), 1),
            "networks": {recipe.name: round(sum(a["core_seconds"] for a in found), 1) for recipe, found in networks.items()},
            "measure_core_s": round(sum(cell.core_seconds for cell in cells.values()), 1),
        },
    }


def made_now() -> dict[str, str | bool | None]:
    """When something is made, and at which commit."""
    head, dirty = commit(PROJECT)
    return {"commit": head, "dirty": dirty, "date": datetime.now(UTC).date().isoformat()}
