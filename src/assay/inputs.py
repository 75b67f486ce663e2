"""Files that users write: YAML read as plain data, checked against a model, with errors in one line."""

import re
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from assay.errors import StudyError, unknown
from assay.files import ROOT


def read_yaml(path: Path) -> Any:
    """Parse YAML as plain data; duplicate keys are errors (YAML itself lets the last one win)."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise StudyError(f"{shown(path)}{line}: not readable as YAML: {getattr(error, 'problem', error)}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"{shown(path)}: cannot be read: {error}") from None


class _UniqueKeys(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """A safe loader that refuses a key written twice, and reads 1e-3 as the number it is."""


def _mapping_of_unique_keys(loader: yaml.Loader, node: yaml.MappingNode) -> dict:
    seen = set()
    for key, _ in node.value:
        if key.value in seen:
            raise yaml.constructor.ConstructorError(None, None, f"key '{key.value}' is written twice", key.start_mark)
        seen.add(key.value)
    return loader.construct_mapping(node, deep=True)


_UniqueKeys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping_of_unique_keys)
# YAML 1.1 takes 1e-3 for a string because it has no dot.
_UniqueKeys.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def shown(path: Path) -> str:
    """The path as a reader knows it: from the project's root, if it lies there."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def parse(model: type[BaseModel], data: Any, path: Path) -> Any:
    """Check data against a pydantic model; StudyError in one line that names file, key, value and what is allowed."""
    if not isinstance(data, dict):
        raise StudyError(f"{shown(path)}: expected keys and values (allowed keys: {', '.join(model.model_fields)})")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise StudyError(f"{shown(path)}: {_explain(model, error.errors()[0])}") from None


def _explain(model: type[BaseModel], problem: dict) -> str:
    where = ".".join(map(str, problem["loc"]))
    fields = _fields_at(model, problem["loc"][:-1])
    if problem["type"] == "extra_forbidden":
        return unknown("key", where, fields)
    if problem["type"] == "missing":
        return f"key '{where}' is missing: {fields[problem['loc'][-1]].description or 'required'}"
    return f"key '{where}': {problem['msg'].lower()}, got {problem['input']!r}"


def _fields_at(model: type[BaseModel], loc: Iterable) -> dict:
    """The fields at a place; keys of a mapping and positions in a list lead to the model of their values."""
    for key in loc:
        if key in model.model_fields:
            inner = _model_in(model.model_fields[key].annotation)
            if inner is None:
                break
            model = inner
    return model.model_fields


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model an annotation is, or holds: `dict[str, Model]`, `tuple[Model, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, typing.get_args(annotation))), None)
