"""How long networks take to train: images to work on, over images a second as measured here or as published. No torch.

Estimates leave out measuring, decoding that does not keep up, and time in a queue.
"""

import math
from functools import cache, cached_property
from pathlib import Path
from statistics import median
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from assay.errors import EvidenceError
from assay.language.inputs import parse, read_yaml
from assay.language.recipes import Recipe, plug_name, walk
from assay.storage.files import read_json
from assay.storage.places import PROJECT

TABLE = PROJECT / "config" / "throughputs.yaml"
Positive = Annotated[float, Field(gt=0)]
Side = Annotated[int, Field(ge=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Published(_Strict):
    """A model's published speed of training, at images of this side."""

    size: Side
    images_per_second: Positive


class Counted(_Strict):
    """Multiply-adds of one image, in millions, at images of this side and, where it has one, this width."""

    size: Side
    megamacs: Positive
    width: Side | None = None


class Reference(_Strict):
    """The published model whose arithmetic per second the project's own models are taken to reach."""

    model: str
    megamacs: Positive


class Throughputs(_Strict):
    """The keys of config/throughputs.yaml."""

    gpu: str = Field(description="what the numbers were measured on")
    source: str = Field(description="who measured them")
    models: dict[str, Published]
    own: dict[str, Counted] = Field(description="the project's own models, by their multiply-adds")
    reference_megamacs: Reference
    fastest: Positive = Field(description="images a second that no network exceeds")
    passes: dict[str, Positive] = Field(description="plug -> images worked on for each training image")

    def images_per_second(self, model: dict, size: int) -> float | None:
        """Speed of a canonical model on images of this side, None if the table has no such model.

        Arithmetic grows with the number of pixels, and with the square of the width.
        """
        name = model_name(model)
        if name in self.models:
            row = self.models[name]
            return min(self.fastest, row.images_per_second * (row.size / size) ** 2)
        if name not in self.own:
            return None
        row, reference = self.own[name], self.models[self.reference_megamacs.model]
        wider = (model["parameters"]["width"] / row.width) ** 2 if row.width and "width" in model["parameters"] else 1
        megamacs = row.megamacs * wider * (size / row.size) ** 2
        return min(self.fastest, reference.images_per_second * self.reference_megamacs.megamacs / megamacs)


@cache
def throughputs(path: Path = TABLE) -> Throughputs:
    """The table of reference speeds."""
    return parse(Throughputs, read_yaml(path), path)


def model_name(model: dict) -> str:
    """The model's name without the tag of its weights."""
    return plug_name(model).split(".")[0]


def root_world(recipe: Recipe) -> dict:
    """The canonical world inside all others, the one with the images."""
    world = recipe.data["world"]
    while isinstance(world["parameters"].get("of"), dict):
        world = world["parameters"]["of"]
    return world


class Estimator:
    """Hours of one device that trainings take, from what the trainings in `networks` measured, else from the table of GPUs.

    gpus: whether the trainings are to run on GPUs; on other devices nothing is known but what was measured there.
    """

    def __init__(self, table: Throughputs, networks: Path, gpus: bool):
        self.table, self.networks, self.gpus = table, networks, gpus

    @cached_property
    def measured(self) -> dict[tuple[str, int], float]:
        """Speeds of trainings here. Read when first asked for: a run with nothing to do needs none."""
        return _measured(self.networks, self.table, self.gpus)

    def hours(self, recipe: Recipe) -> float | None:
        """For one repetition; None where nothing is known of the model."""
        if recipe.data["budget"]["epochs"] == 0:
            return 0.0
        rate = self.measured.get(_kind(recipe))
        if rate is None and self.gpus:
            rate = self.table.images_per_second(recipe.data["model"], _kind(recipe)[1])
        images = recipe.data["budget"]["epochs"] * root_world(recipe)["parameters"].get("train", 0) * passes(recipe, self.table)
        return images / rate / 3600 if rate else None

    def is_measured(self, recipe: Recipe) -> bool:
        """Whether networks of this model, at this size, were trained here."""
        return _kind(recipe) in self.measured


def passes(recipe: Recipe, table: Throughputs) -> float:
    """Images a training works on for each image of its world."""
    plugs = [node["plug"] for node in walk([recipe.data["augment"], recipe.data["objective"]]) if "plug" in node]
    return math.prod(table.passes.get(plug, 1) for plug in plugs)


def _kind(recipe: Recipe) -> tuple[str, int]:
    return model_name(recipe.data["model"]), root_world(recipe)["parameters"].get("size", 1)


def _measured(networks: Path, table: Throughputs, gpus: bool) -> dict[tuple[str, int], float]:
    """Median speed by model and image side over the trained networks, in images worked on a second by one process."""
    seen: dict[tuple[str, int], list[float]] = {}
    for path in sorted(networks.glob("*/seed-*.json")):
        try:
            about = read_json(path)
            recipe, speed = Recipe(about["recipe"]), float(about["images_per_second"])
            kind, worked_on = _kind(recipe), speed * passes(recipe, table)
        except (EvidenceError, KeyError, TypeError, ValueError):
            continue  # half-written or of an earlier version: the job will say so, an estimate need not
        if speed > 0 and (about["device"] != "cpu") == gpus:
            seen.setdefault(kind, []).append(worked_on)
    return {kind: median(speeds) for kind, speeds in seen.items()}
