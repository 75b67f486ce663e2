"""Binding: what a recipe names as data becomes what computes, plugs as callables with their parameters, recipes as networks."""

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any

from assay.language.plugs import load
from assay.language.recipes import Recipe


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
