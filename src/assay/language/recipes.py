"""Recipes: the complete description of how one network comes to be, as canonical data with a hash and a readable name.

In canonical form a plug is `{"plug": "augment/mixup", "parameters": {...}}` with every parameter written out, and another
network is `{"recipe": {...}}`; so a recipe holds its parents, and equal recipes have equal JSON whoever asks for them.
"""

import ast
import hashlib
import json
import re
from collections.abc import Callable, Hashable, Iterator
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from assay.language.plugs import describe, load

PLUG_FIELDS = {
    "world": "worlds",
    "model": "models",
    "augment": "augment",
    "objective": "objectives",
    "optimizer": "optimizers",
    "schedule": "schedules",
    "surgery": "surgery",
}
LIST_FIELDS = ("augment", "surgery")
AXES = ("world", "init", "order", "augment")
RECORDS = ("margins",)
NAME_LENGTH = 60


def canonical(data: Any) -> str:
    """JSON with sorted keys and no spaces: equal data, equal text."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def walk(value: Any) -> Iterator[dict]:
    """Every mapping inside canonical data, without entering parent recipes."""
    if isinstance(value, list):
        for item in value:
            yield from walk(item)
    elif isinstance(value, dict):
        yield value
        if "recipe" not in value:
            for item in value.values():
                yield from walk(item)


def plugs_in(value: Any) -> set[str]:
    """The plugs named in canonical data as "kind/name", parents not included."""
    return {node["plug"] for node in walk(value) if "plug" in node}


def parents_in(value: Any) -> list["Recipe"]:
    """The recipes named in canonical data, each once, in order of appearance."""
    return list(dict.fromkeys(Recipe(node["recipe"]) for node in walk(value) if "recipe" in node))


class Recipe:
    """A recipe in canonical form; compared and hashed by its content."""

    def __init__(self, data: dict):
        self.data = data
        self.json = canonical(data)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recipe) and self.json == other.json

    def __hash__(self) -> int:
        return hash(self.json)

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(self.json.encode()).hexdigest()

    @cached_property
    def name(self) -> str:
        """A name to read and to find, e.g. `resnet-shapes-mixup-3f9a2c1e`; the hash makes it unique."""
        parts = [_short(self.data["model"]), _short(self.data["world"])]
        parts += [_short(spec) for spec in self.data["augment"]]
        if self.data["objective"]["plug"] != "objectives/cross_entropy":
            parts.append(_short(self.data["objective"]))
        if self.data["start"]:
            parts.append("tuned")
        parts += [_short(spec) for spec in self.data["surgery"]]
        return "-".join(parts)[:NAME_LENGTH].rstrip("-") + "-" + self.digest[:8]

    def weights(self, folder: Path, seed: int) -> Path:
        """Where the trained network of one repetition lies below a folder of networks, with a sidecar of suffix .json."""
        return folder / self.name / f"seed-{seed}.safetensors"

    @cached_property
    def parents(self) -> list["Recipe"]:
        """The recipes this one is made from: what it starts from, learns from, or averages."""
        return parents_in(self.data)

    @cached_property
    def plugs(self) -> set[str]:
        """Plugs used by this recipe itself; those of its parents are theirs."""
        return plugs_in(self.data)

    @cached_property
    def world(self) -> str:
        """What the images depend on besides the repetition: recipes that share it are trained on the same draw."""
        return canonical([self.data["world"], self.data["draws"]["world"]])

    @cached_property
    def depth(self) -> int:
        """0 without parents, else one more than the deepest parent."""
        return 1 + max((parent.depth for parent in self.parents), default=-1)

    @cached_property
    def splits(self) -> bool:
        """Whether several processes may share a batch: its loss is the mean of its samples' losses. So it is with a function,
        unless its file says PER_SAMPLE = False; a class keeps state, and says PER_SAMPLE = True if none of it spans samples."""
        info = describe(*self.data["objective"]["plug"].split("/"))
        return info.constants.get("PER_SAMPLE", isinstance(info.definition, ast.FunctionDef))

    @cached_property
    def classifies(self) -> bool:
        """Whether training makes the outputs logits of the world's classes; so it is unless the objective's file says
        CLASSIFIES = False."""
        return describe(*self.data["objective"]["plug"].split("/")).constants.get("CLASSIFIES", True)

    def ancestry(self) -> Iterator["Recipe"]:
        """This recipe and everything it is made from."""
        yield self
        for parent in self.parents:
            yield from parent.ancestry()


def plug_name(spec: dict) -> str:
    """What readers call a canonical plug: the name it takes as a parameter (timm's models, IDX collections), else its own."""
    return str(spec["parameters"].get("name", spec["plug"].split("/")[1]))


def _short(spec: dict) -> str:
    return re.sub("[^a-z0-9]+", "-", plug_name(spec))


def identity(value: Any) -> Hashable:
    """What values that were bound from equal data have in common; objects other than plugs and plain data are their own."""
    match value:
        case partial():
            return value.func, identity(value.args), identity(value.keywords)
        case dict():
            return tuple(sorted((key, identity(item)) for key, item in value.items()))
        case list() | tuple():
            return tuple(identity(item) for item in value)
        case None | bool() | int() | float() | str():
            return type(value), value
        case _:
            return id(value)


def bind(value: Any, load_parent: Callable[[Recipe], Any]) -> Any:
    """Turn canonical data into what plugs take: plugs become callables with their parameters bound, recipes become networks."""
    if isinstance(value, list):
        return [bind(item, load_parent) for item in value]
    if not isinstance(value, dict):
        return value
    if "recipe" in value:
        return load_parent(Recipe(value["recipe"]))
    if "plug" not in value:
        return {key: bind(item, load_parent) for key, item in value.items()}
    parameters = {key: bind(item, load_parent) for key, item in value["parameters"].items()}
    return partial(load(*value["plug"].split("/")), **parameters)
