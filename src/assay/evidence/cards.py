"""World cards: what a world holds, a digest of its bytes, and a few samples to look at. Numpy only."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.data.seeds import Draw
from assay.data.stream import Stream, whole
from assay.data.world import Split, World
from assay.evidence.contract import check_world
from assay.evidence.tables import pack_arrays
from assay.language.recipes import canonical, parents_in, without_defaults
from assay.storage.files import write_atomic
from assay.training.binding import bind

if TYPE_CHECKING:
    from assay.language.study import Study

SAMPLES = 24


def card_name(spec: dict) -> str:
    """A readable name for a canonical world, e.g. `shapes-1f3a9c2e`."""
    digest = hashlib.sha256(canonical(without_defaults(spec)).encode()).hexdigest()
    return spec["plug"].split("/")[1].replace("_", "-") + "-" + digest[:8]


def worlds_of(studies: Iterable["Study"]) -> dict[str, dict]:
    """The worlds that studies draw from, by the name of their card; those made from trained networks have none."""
    specs = (cell.recipe.data["world"] for study in studies for cell in study.cells)
    distinct = {canonical(spec): spec for spec in specs}
    return {card_name(spec): spec for spec in distinct.values() if not parents_in(spec)}


def data_digest(world: World) -> str:
    """A hash over images, labels and factors of all splits; streamed images count by their own digest."""
    total = hashlib.sha256()
    for name, split in world.splits().items():
        arrays = {"images": _hashable(split.images), "labels": split.labels, **split.factors}
        for key in sorted(arrays):
            total.update(f"{name}/{key}/{arrays[key].shape}/{arrays[key].dtype}".encode())
            total.update(np.ascontiguousarray(arrays[key]).data)
    return total.hexdigest()


def _hashable(images: np.ndarray | Stream) -> np.ndarray:
    return np.frombuffer(images.digest().encode(), np.uint8) if isinstance(images, Stream) else images


def write_card(spec: dict, folder: Path) -> None:
    """Draw the world's first repetition and write card.json and samples.npz (the first training images with their factors).
    DataError for arrays that are not what a world's are."""
    world = bind(spec, _no_parents)(Draw("world", 0, 0))
    check_world(spec["plug"].split("/")[1], world)
    card = {
        "world": spec,
        "classes": list(world.classes),
        "splits": {name: _describe(split) for name, split in world.splits().items()},
        "sha256": data_digest(world),
    }
    first = world.train.take(np.arange(min(SAMPLES, len(world.train))))
    write_atomic(folder / "samples.npz", pack_arrays({"images": whole(first.images), "labels": first.labels, **first.factors}))
    write_atomic(folder / "card.json", json.dumps(card, indent=1, sort_keys=True))


def _describe(split: Split) -> dict:
    factors = {name: {"shape": list(value.shape[1:]), "dtype": str(value.dtype)} for name, value in split.factors.items()}
    return {"samples": len(split), "image": list(split.images.shape[1:]), "factors": factors}


def _no_parents(recipe) -> None:
    raise NotImplementedError("a world that depends on trained networks has no card of its own")
