"""Measured cells, kept: what each arm of a block came out as, so that after an edit only the arms concerned are measured again.

results/<scale>/cells/<study>/<block>/    observations.csv, arrays.npz, provenance.json: written and checked as evidence is

The last says of every cell, under `cells`, by which key it is known: a digest of all that its numbers rest on. There is one such
folder a block, written anew by every measurement with the cells of its study alone. What that replaces stays in folders beside,
below `earlier/`, until it is cleared (assay.storage.earlier).

What is taken over is what measuring all cells would give, as long as no cell depends on which others were measured before it. A
cell that draws from torch's own generator does; nothing of its block is kept or taken over. That the protocols leave nothing else
behind is a test over all studies.
"""

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from assay import datasets
from assay.data.seeds import seed_of
from assay.errors import EvidenceError
from assay.evidence.tables import FILES, FORMAT, Observation, code_digest, read_evidence, study_code, write_evidence
from assay.language import draws
from assay.language.blocks import Block
from assay.language.recipes import Recipe, canonical
from assay.language.study import Cell, Study
from assay.networks.jobs import device_name
from assay.networks.store import NetworkStore
from assay.provenance.fingerprints import module_path
from assay.provenance.platforms import platform_here, versions
from assay.storage import earlier
from assay.storage.files import read_json, sha256

BEGAN = time.time()  # no later than the first of the methods is imported


@dataclass(frozen=True)
class Measured:
    """One cell of a block, measured: its rows in order, the arrays it kept, digests of the worlds it was given, its share of the
    core seconds, and when it was made at which commit; once it is to be kept, by which key it is known."""

    rows: list[Observation]
    arrays: dict[str, np.ndarray]
    data: dict[str, str]
    core_seconds: float
    made: dict[str, str | bool | None]
    key: str = ""


def _keys_in(notes: Mapping[str, Mapping]) -> set[str]:
    return {each["key"] for each in notes.values()}


NOTES = ("data", "core_seconds", "made", "key")  # of a cell, beside its rows and arrays


@dataclass(frozen=True)
class Kept:
    """Where the cells of a block are kept. code: the digest of the study's code when this run was planned."""

    folder: Path
    code: str

    def read(self, study: Study, keys: Mapping[str, str]) -> dict[str, Measured]:
        """The cells, by label, that are there under these keys, or were before an edit that was taken back; none of a folder in
        which a file is missing, damaged or foreign."""
        found: dict[str, Measured] = {}
        for folder in (self.folder, *sorted(self.folder.glob(f"{earlier.FOLDER}/*"))):
            found |= self._read(folder, [cell for cell in study.cells if cell.label not in found], keys)
        return {cell.label: found[cell.label] for cell in study.cells if cell.label in found}

    def _read(self, folder: Path, cells: Sequence[Cell], keys: Mapping[str, str]) -> dict[str, Measured]:
        try:
            notes = read_json(folder / "provenance.json")["cells"]
            known = [cell for cell in cells if notes.get(cell.label, {}).get("key") == keys.get(cell.label, "none")]
            if not known:
                return {}
            found = read_evidence(folder)
            if found.provenance["cells_sha256"] != _sum(notes):
                return {}
            return {
                cell.label: Measured(
                    rows_of(cell, found.observations), arrays_of(cell, found.arrays), **{n: notes[cell.label][n] for n in NOTES}
                )
                for cell in known
            }
        except (AttributeError, EvidenceError, KeyError, TypeError):
            return {}

    def write(self, study: Study, cells: Mapping[str, Measured]) -> None:
        """Keep these cells, and no others but those of earlier code."""
        notes = {label: {name: getattr(cell, name) for name in NOTES} for label, cell in cells.items()}
        rows = [row for cell in cells.values() for row in cell.rows]
        arrays = {name: array for cell in cells.values() for name, array in cell.arrays.items()}
        about = {"format": FORMAT, "study": study.name, "cells": notes, "cells_sha256": _sum(notes)}
        self._put_by(_keys_in(notes))
        write_evidence(self.folder, rows, arrays, about)
        shutil.rmtree(self._earlier(about), ignore_errors=True)  # what was taken back is no earlier one any more

    def _earlier(self, about: Mapping[str, Any]) -> Path:
        """Where cells go that are replaced."""
        return self.folder / earlier.FOLDER / str(about["cells_sha256"])[:16]

    def clear(self) -> None:
        """Keep nothing of this code."""
        for name in FILES:
            (self.folder / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # not there, or with what is kept of earlier code
            self.folder.rmdir()

    def _put_by(self, keys: Set[str]) -> None:
        """Move what is kept to what is kept of earlier code, if it has cells beyond these keys."""
        try:
            about = read_json(self.folder / "provenance.json")
            by_now, target = _keys_in(about["cells"]), self._earlier(about)
        except (AttributeError, EvidenceError, KeyError, TypeError):
            return
        if by_now <= keys:
            return
        target.mkdir(parents=True, exist_ok=True)
        for file in reversed(FILES):  # without its provenance nothing counts
            os.replace(self.folder / file, target / file)

    def may_keep(self, study: Study) -> bool:
        """Whether the code that ran is the code that keys are made of: nobody edited it since the run was planned."""
        sources = [path for module in study_code(study) if (path := module_path(module))]
        return code_digest(study) == self.code and all(path.stat().st_mtime < BEGAN for path in sources)


def rows_of(cell: Cell, rows: Iterable[Observation]) -> list[Observation]:
    """A cell's rows, in order; 1 and 1.0 are two values of a sweep."""
    mine = (row for row in rows if row.arm == cell.arm)
    return [row for row in mine if cell.x is None or (row.x == cell.x and type(row.x) is type(cell.x))]


def arrays_of(cell: Cell, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays that a cell kept."""
    return {name: array for name, array in arrays.items() if name.startswith(f"{cell.label}/")}


def world_key(recipe: Recipe) -> str:
    """What a session calls the world that a recipe is trained on."""
    return hashlib.sha256(recipe.world.encode()).hexdigest()[:8]


def alone(study: Study, cell: Cell) -> Study:
    """The study with one of its cells: its plan, its plugs and its networks are the cell's."""
    return replace(study, cells=(cell,))


def cell_keys(study: Study, block: Block, store: NetworkStore, threads: int) -> dict[str, str]:
    """By label of each cell, a digest of all that its numbers depend on: what is measured, repetitions and draws, the code behind
    this cell up to what is proven to compute the same, the networks' weights, data sets, versions, processor, device, threads and
    precision. A cell that lacks a network has none."""
    here = {"versions": versions(), "platform": platform_here(device_name(store.device), threads, store.precision)}
    common = here | {"repetitions": list(block.repetitions), "draws": draws.current()}
    keys = {}
    for cell in study.cells:
        own = alone(study, cell)
        networks = {recipe.name: [_network(store.about(recipe, seed)) for seed in block.repetitions] for recipe in own.recipes}
        if all(all(found) for found in networks.values()):
            rests_on = {"plan": own.plan, "code": code_digest(own), "networks": networks, "data_sets": _data_sets(own)}
            keys[cell.label] = _sum(common | rests_on)
    return keys


def _network(about: dict | None) -> list | None:
    """What makes a network the one it is, whoever trained it and when: its weights and records, and the images it is for."""
    return about and [about["sha256"], about["input"]]


def _data_sets(own: Study) -> dict[str, str | None]:
    """The data sets behind a cell, each with the checksum of the marker that says what it holds."""
    recipes = [*own.recipes, *(ancestor for cell in own.cells for ancestor in cell.recipe.ancestry())]
    specs = [*(recipe.data for recipe in recipes), *(cell.protocol for cell in own.cells)]
    markers = {name: datasets.marker(name) for name in datasets.needed(specs)}
    return {name: sha256(path) if path.exists() else None for name, path in markers.items()}


def _sum(data: Any) -> str:
    return hashlib.sha256(canonical(data).encode()).hexdigest()


class Unseeded:
    """Whether measuring drew from torch's own generators as they were seeded for a repetition. Such numbers depend on what was
    drawn before; trainings inside a protocol seed the generators themselves."""

    def __init__(self, study: Study, block: Block, device: torch.device):
        self.seeds = {seed_of("measure", study.name, repetition) for repetition in block.repetitions}
        self.device, self.drawn = device, False

    def watched(self, say: Callable[[str], None]) -> Callable[[str], None]:
        """Look whenever a line is said, as one is at the end of each repetition."""

        def look_and_say(line: str) -> None:
            self.look()
            say(line)

        return look_and_say

    def look(self) -> None:
        """Note whether the generators moved since they were seeded for the repetition at hand."""
        states = {torch.device("cpu"): (torch.initial_seed(), torch.get_rng_state())}
        if self.device.type == "cuda":
            states[self.device] = (torch.cuda.initial_seed(), torch.cuda.get_rng_state(self.device))
        self.drawn |= any(
            found in self.seeds and not torch.equal(state, torch.Generator(on).manual_seed(found).get_state())
            for on, (found, state) in states.items()
        )
