"""Recipes: the complete description of how one network comes to be, as canonical data with a hash and a readable name.

In canonical form a plug is `{"plug": "augment/mixup", "parameters": {...}}` with every parameter written out, and another
network is `{"recipe": {...}}`; so a recipe holds its parents. Recipes are equal, and have one name, if they are equal without
what they have by default and without what is only recorded: a new parameter or field, at its default, changes no recipe.
"""

import ast
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from assay.errors import StudyError, quoted, unknown
from assay.language.plugs import Parameter, describe, weights_file

PLUG_FIELDS = {
    "world": "worlds",
    "model": "models",
    "augment": "augment",
    "objective": "objectives",
    "optimizer": "optimizers",
    "schedule": "schedules",
    "sampler": "samplers",
    "surgery": "surgery",
}
LIST_FIELDS = ("augment", "surgery")
AXES = ("world", "init", "order", "augment")
RECORDS = ("margins", "snapshots")
# Shares of a training at which `record: [snapshots]` keeps the weights: the initial ones, then evenly in the logarithm.
SNAPSHOTS = (0.0, 0.01, 0.032, 0.1, 0.32, 1.0)
SNAPSHOT = "snapshot "  # what the record of one share is called, before the share
NAME_LENGTH = 60
# Fields that a study may leave out, with what it then means. World and model have no default, that of the budget is the scale's.
DEFAULTS = {
    "objective": "cross_entropy",
    "optimizer": "sgd",
    "schedule": "cosine",
    "augment": [],
    "surgery": [],
    "start": None,
    "record": [],
    "draws": {},
    "sampler": None,
    "reset": [],
}
# Fields that stand in canonical data only where they are used.
HOOKS = ("sampler", "reset")


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


def weights_in(value: Any) -> set[str]:
    """The local files of weights named in canonical data, as written, parents not included."""
    found: set[str] = set()
    for node in walk(value):
        declared = describe(*node["plug"].split("/")).parameters if "plug" in node else {}
        named = [node["parameters"].get(name) for name, parameter in declared.items() if parameter.weights]
        found.update(name for name in named if name and weights_file(name))
    return found


def parents_in(value: Any) -> list["Recipe"]:
    """The recipes named in canonical data, each once, in order of appearance."""
    return each_once(Recipe(node["recipe"]) for node in walk(value) if "recipe" in node)


def without_defaults(value: Any) -> Any:
    """Canonical data without parameters and fields that have their default, and without what is only recorded: what names and
    digests are made of. That a default changed is seen in the code of its plug."""
    match value:
        case {"plug": str() as plug, "parameters": dict() as given, **others} if not others:
            kept = {name: without_defaults(item) for name, item in given.items()}
            defaults = _defaults(plug)
            return {"plug": plug, "parameters": {name: v for name, v in kept.items() if canonical(v) != defaults.get(name)}}
        case {"recipe": dict() as fields, **others} if not others:
            return {"recipe": _fields_without_defaults(fields)}
        case dict():
            return {key: without_defaults(item) for key, item in value.items()}
        case list():
            return [without_defaults(item) for item in value]
        case _:
            return value


def _fields_without_defaults(fields: dict) -> dict:
    kept = {field: without_defaults(value) for field, value in fields.items() if field != "record"}
    if isinstance(kept.get("draws"), dict):
        kept["draws"] = {axis: draw for axis, draw in kept["draws"].items() if draw != 0}
    return {field: value for field, value in kept.items() if field not in DEFAULTS or value != _default_field(field)}


def _default_field(field: str) -> Any:
    default = DEFAULTS[field]
    return {"plug": f"{PLUG_FIELDS[field]}/{default}", "parameters": {}} if isinstance(default, str) else default


@cache
def _defaults(plug: str) -> dict[str, str]:
    """Canonical JSON of a plug's defaults by parameter, themselves without what they have by default; of a plug that is not
    there, as in foreign data, none is known."""
    try:
        parameters = describe(*plug.split("/", 1)).parameters.values()
    except (StudyError, TypeError):
        return {}
    return {parameter.name: canonical(_default(parameter)) for parameter in parameters if not parameter.required}


def _default(parameter: Parameter) -> Any:
    if parameter.default is None or parameter.parent:
        return parameter.default
    if not parameter.plug:
        return parameter.normalise(parameter.default)
    given = parameter.default
    return [_named(parameter.plug, item) for item in given] if parameter.many else _named(parameter.plug, given)


def _named(kind: str, spec: str | dict) -> dict:
    """A plug written as in a study, in canonical form without defaults."""
    name, given = next(iter(spec.items())) if isinstance(spec, dict) else (spec, None)
    return without_defaults({"plug": f"{kind}/{name}", "parameters": given or {}})


def recorded(given: Any) -> list[str]:
    """What is recorded, as a study lists it, in canonical form: names in order, snapshots by their shares; ValueError says what
    is allowed."""
    items = given if isinstance(given, list) else [given]
    return sorted({name for item in items for name in _recorded(item)})


def _recorded(item: Any) -> list[str]:
    match item:
        case "snapshots":
            return _recorded({"snapshots": list(SNAPSHOTS)})
        case {"snapshots": given, **others} if not others:
            return [f"{SNAPSHOT}{share}" for share in shares(given)]
        case str() if item in RECORDS:
            return [item]
        case str():
            raise ValueError(unknown("record", item, RECORDS))
        case _:
            raise ValueError(f"{quoted(item)} is not allowed; give a list of {', '.join(RECORDS)}")


def resets(given: Any) -> list[float]:
    """The shares of a training at which its optimizers forget, as a study lists them; ValueError says what is allowed."""
    found = shares(given)
    if found and (found[0] == 0 or found[-1] == 1):
        raise ValueError(f"{found} is not allowed; give shares above 0 and below 1, between which there are steps")
    return found


def shares(given: Any) -> list[float]:
    """Shares of a training, each once, ascending; ValueError says what is allowed."""
    items = given if isinstance(given, list) else [given]
    for share in items:
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            raise ValueError(f"{quoted(share)} is not allowed; give shares of the training from 0 to 1, such as [0, 0.1, 1]")
    return sorted({float(share) for share in items})


class Recipe:
    """A recipe in canonical form, `data`; compared and hashed by its `identity`, the canonical JSON of what is not by default."""

    def __init__(self, data: dict):
        self.data = data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recipe) and self.identity == other.identity

    def __hash__(self) -> int:
        return hash(self.identity)

    @cached_property
    def json(self) -> str:
        return canonical(self.data)

    @cached_property
    def identity(self) -> str:
        return canonical(without_defaults(self.reference))

    @property
    def reference(self) -> dict:
        """How other canonical data name this recipe."""
        return {"recipe": self.data}

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(self.identity.encode()).hexdigest()

    @property
    def records(self) -> tuple[str, ...]:
        """What is recorded while it trains."""
        return tuple(self.data.get("record", ()))

    @property
    def snapshots(self) -> tuple[float, ...]:
        """The shares of its training at which its weights are kept, ascending."""
        return tuple(sorted(float(name.removeprefix(SNAPSHOT)) for name in self.records if name.startswith(SNAPSHOT)))

    @property
    def resets(self) -> tuple[float, ...]:
        """The shares of its training at which its optimizers forget."""
        return tuple(self.data.get("reset", ()))

    def recording(self, names: Iterable[str]) -> "Recipe":
        """The same recipe, recording these too."""
        wanted = sorted({*self.records, *names})
        return self if wanted == sorted(self.records) else Recipe({**self.data, "record": wanted})

    def is_met_by(self, data: Any) -> bool:
        """Whether a network made by the recipe of this data, which may be foreign, is one of this recipe with all its records."""
        if data == self.data:
            return True
        try:
            made = Recipe(data)
            return made == self and set(made.records) >= set(self.records)
        except (AttributeError, RecursionError, TypeError, ValueError):
            return False

    @cached_property
    def name(self) -> str:
        """A name to read and to find, e.g. `resnet-shapes-mixup-3f9a2c1e`; the hash makes it unique."""
        parts = [_short(self.data["model"]), _short(self.data["world"])]
        parts += [_short(spec) for spec in self.data["augment"]]
        if self.data["objective"]["plug"] != "objectives/cross_entropy":
            parts.append(_short(self.data["objective"]))
        if self.data.get("sampler"):
            parts.append(_short(self.data["sampler"]))
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
    def reads(self) -> set[str]:
        """The local files of weights that this recipe itself starts from, as written."""
        return weights_in(self.data)

    @cached_property
    def world(self) -> str:
        """What the images depend on besides the repetition: recipes that share it are trained on the same draw."""
        return canonical([without_defaults(self.data["world"]), self.data["draws"]["world"]])

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


def each_once(recipes: Iterable[Recipe]) -> list[Recipe]:
    """Equal recipes once, in order of first appearance, recording what any of them asks for."""
    found: dict[Recipe, Recipe] = {}
    for recipe in recipes:
        found[recipe] = found[recipe].recording(recipe.records) if recipe in found else recipe
    return list(found.values())


def plug_name(spec: dict) -> str:
    """What readers call a canonical plug: the name it takes as a parameter (timm's models, IDX collections), else its own."""
    return str(spec["parameters"].get("name", spec["plug"].split("/")[1]))


def _short(spec: dict) -> str:
    return re.sub("[^a-z0-9]+", "-", plug_name(spec))
