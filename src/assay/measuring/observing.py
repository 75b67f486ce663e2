"""Observing: run a study's protocol on every arm and value of the sweep, repetition by repetition, and collect observations."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from assay.data.seeds import seed_of
from assay.errors import EvidenceError, unknown
from assay.evidence.tables import Observation
from assay.language.blocks import Block
from assay.measuring.arm import CellArm, Session
from assay.networks.store import NetworkStore
from assay.training.binding import bind

if TYPE_CHECKING:
    from assay.language.study import Cell, Study


def observe(
    study: "Study", block: Block, store: NetworkStore, say: Callable[[str], None] = print
) -> tuple[list[Observation], Session]:
    """All observations of a block of a study. A repetition's numbers depend on nothing that another one left behind."""
    session = Session(study, store)
    rows: dict[tuple[int, int], list[Observation]] = {}
    for seed in block.repetitions:
        torch.manual_seed(seed_of("measure", study.name, seed))
        for place, cell in enumerate(study.cells):
            rows[place, seed] = _measure(session, cell, seed)
        session.forget_shared()
        say(f"{study.name}: repetition {seed} of {block.name} measured")
    return [row for key in sorted(rows) for row in rows[key]], session


def _measure(session: Session, cell: "Cell", seed: int) -> list[Observation]:
    study = session.study
    protocol = bind(cell.protocol, lambda recipe: session.trained(recipe, seed))
    rows: dict[tuple[str, Any], Observation] = {}
    for metric, *x, value in protocol(CellArm(session, cell, seed)):
        if metric not in study.metrics:
            raise EvidenceError(
                f"{study.name}: protocol {study.protocol}: {unknown('metric', metric, study.metrics)}; declare it in METRICS"
            )
        if x and cell.x is not None:
            raise EvidenceError(
                f"{study.name}: metric '{metric}' has an x of its own, so the study cannot be swept; drop the sweep"
            )
        row = Observation(study.name, cell.arm, seed, metric, x[0] if x else cell.x, float(value))
        if (metric, row.x) in rows:
            raise EvidenceError(f"{study.name}: protocol {study.protocol} yields metric '{metric}' twice at x = {row.x}")
        rows[metric, row.x] = row
    if not rows:
        raise EvidenceError(f"{study.name}: protocol {study.protocol} yields no observation for arm '{cell.arm}'")
    return list(rows.values())
