"""Collections whose images a scale makes larger or smaller, though the study says nothing of it. No torch."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

from assay.language.plugs import describe
from assay.language.recipes import walk
from assay.language.scales import single
from assay.language.study import Study


def stretched(study: Study) -> list[str]:
    """A line for each collection that is drawn at a size which is not its images' own, and which the study does not set.

    A world is a collection if it says how many images it has (MOST); their own size is the default of its parameter `size`.
    """
    recipes = (ancestor for cell in study.cells for recipe in cell.recipes for ancestor in recipe.ancestry())
    sizes = {found: None for data in (*(r.data for r in recipes), *(c.protocol for c in study.cells)) for found in _sizes(data)}
    said = set(_said(study))
    return [
        f"{study.name}: world {name} has images of {own} px, and scale {study.scale} draws them at {size}; set {name}.size, to"
        f" {own} or as you mean it"
        for name, own, size in sizes
        if (name, size) not in said
    ]


def _sizes(data: Any) -> Iterator[tuple[str, int, int]]:
    """The collections in canonical data that are not drawn at their own size: name, that size, the size drawn."""
    for node in walk(data):
        kind, _, name = node.get("plug", "").partition("/")
        if kind == "worlds" and "MOST" in describe(kind, name).constants and "size" in node["parameters"]:
            own, size = describe(kind, name).parameters["size"].default, node["parameters"]["size"]
            if size != own:
                yield name, own, size


def _said(study: Study) -> Iterator[tuple[str, Any]]:
    """The sizes that the study's text sets, with the plug that it sets them of; a swept one is set for all it is swept over."""
    file = study.file
    texts = [file.base, *file.arms.values(), *file.networks.values(), file.protocol]
    for name, parameters in _plugs_in(texts):
        yield name, parameters.get("size")
        yield from ((name, value) for path, values in file.sweep.items() if path == "world.size" for value in values)


def _plugs_in(value: Any) -> Iterator[tuple[str, dict]]:
    """All plugs in a study's text that are written with parameters, or as a name."""
    items: Iterable = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if isinstance(value, str | dict):
        with contextlib.suppress(ValueError):
            yield single(value)
    for item in items:
        yield from _plugs_in(item)
