"""Core seconds that networks and measurements took: as recorded here, else in the archive, else of the same at other sizes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

from assay.artifacts.entries import Entry, read_entries
from assay.errors import EvidenceError
from assay.language.recipes import Recipe, canonical
from assay.language.study import Study
from assay.pipeline.estimates import root_world
from assay.provenance.platforms import platform_key, platform_name
from assay.storage.files import read_json
from assay.storage.places import WORK

# What makes a network the same at another size.
SIDECAR = ("recipe", "core_seconds", "device")
SIZES = {"train", "test", "size", "epochs", "batch"}


def shape(data: Any) -> str:
    """Canonical text of canonical data without sizes."""
    return canonical(_without_sizes(data))


def _without_sizes(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_sizes(item) for key, item in value.items() if key not in SIZES}
    return [_without_sizes(item) for item in value] if isinstance(value, list) else value


def worked_on(recipe: Recipe) -> float:
    """The pixels that a training passes over, on which its time depends at other sizes; one where it trains nothing."""
    world = root_world(recipe)["parameters"]
    return recipe.data["budget"]["epochs"] * world.get("train", 1) * world.get("size", 1) ** 2 or 1.0


def looked_at(study: Study) -> float:
    """The pixels that measuring a repetition of a study passes over, over all cells."""
    if study.trains_inside:
        return math.fsum(worked_on(cell.recipe) for cell in study.cells)
    worlds = [root_world(cell.recipe)["parameters"] for cell in study.cells]
    return math.fsum(world.get("test", 1) * world.get("size", 1) ** 2 for world in worlds)


@dataclass(frozen=True)
class Archived:
    """What a block of a study cost when it was archived, in core seconds of a repetition: each network, and measuring."""

    networks: Mapping[str, float]
    measuring: float


class Here:
    """Records below results/ on this machine. Each is looked up where it is asked for; there may be thousands."""

    def __init__(self, root: Path = WORK):
        self.root = root

    def network(self, recipe: Recipe) -> float | None:
        """Core seconds of one repetition of this very network: the median over those there are."""
        sidecars = (read_record(path, *SIDECAR) for path in self.root.glob(f"results/*/networks/{recipe.name}/seed-*.json"))
        found = [about["core_seconds"] for about in sidecars if about and about["device"] == "cpu"]
        return median(found) if found else None

    def measuring(self, scale: str, study: str) -> float | None:
        """Core seconds of measuring one repetition of a study at a scale."""
        found = []
        for path in self.root.glob(f"results/{scale}*/*/{study}/*/provenance.json"):
            said = read_record(path, "scale", "seeds", "cost")
            if said and said["scale"] == scale:
                found.append(said["cost"]["measure_core_s"] / len(said["seeds"]))
        return median(found) if found else None

    @cached_property
    def rates(self) -> dict[str, float]:
        """Core seconds for a pixel worked on, by the shape of networks trained here."""
        seen: dict[str, list[float]] = {}
        for folder in sorted(self.root.glob("results/*/networks/*/")):
            path = next(folder.glob("seed-*.json"), None)
            about = path and read_record(path, *SIDECAR)
            if about and about["device"] == "cpu":
                recipe = Recipe(about["recipe"])
                seen.setdefault(shape(recipe.data), []).append(about["core_seconds"] / worked_on(recipe))
        return {text: median(rates) for text, rates in seen.items()}


class Archive:
    """Records of the archive. A block's networks are read one by one where its files were pulled, else in equal parts."""

    def __init__(self, root: Path = WORK):
        self.root = root
        self.entries = [entry for entry in read_entries(root).values() if entry.study and entry.cost]

    @cached_property
    def blocks(self) -> dict[tuple[str, str], Archived]:
        """By scale and study; of several blocks the one that comes first."""
        found: dict[tuple[str, str], Archived] = {}
        for entry in self.entries:
            found.setdefault((entry.scale, entry.study), self._archived(entry))
        return found

    @cached_property
    def networks(self) -> dict[str, float]:
        """Core seconds of one repetition by the name of the network."""
        return {name: seconds for block in self.blocks.values() for name, seconds in block.networks.items()}

    def platforms(self, scale: str) -> list[dict]:
        """The platforms of a scale's entries, or of all where it has none, each once."""
        entries = [entry for entry in self.entries if entry.scale == scale] or self.entries
        return list({platform_key(entry.platform): entry.platform for entry in entries}.values())

    def named(self, scale: str) -> str:
        """The platforms in words."""
        return ", ".join(sorted({platform_name(platform).partition(", torch")[0] for platform in self.platforms(scale)}))

    def _archived(self, entry: Entry) -> Archived:
        count = len(entry.block.repetitions)
        said = read_record(self.root / entry.folder / "provenance.json", "cost")
        networks = said["cost"]["networks"] if said else {}
        return Archived(
            {name: seconds / count for name, seconds in networks.items()}, entry.cost.get("measure_core_s", 0.0) / count
        )


def read_record(path: Path, *keys: str) -> dict | None:
    """What a record says; None for one without these keys, half-written or of an earlier version: a job will say so, a forecast
    need not."""
    try:
        found = read_json(path)
    except EvidenceError:
        return None
    return found if all(key in found for key in keys) else None
