"""Files that users write: YAML read as plain data, checked against a model, with errors in one line."""

import json
import math
import re
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from assay.errors import StudyError, quoted, unknown
from assay.storage.places import WORK

DEEPEST = 50  # levels of nesting; the loader written in C crashes Python some thousands further down
MOST_VALUES = 100_000  # with every alias written out


def read_yaml(path: Path) -> Any:
    """Parse YAML as plain data. A key is its text, and one written twice is an error (YAML itself lets the last one win); so is a
    number that means another one than it looks like."""
    try:
        text = path.read_text(encoding="utf-8")
        _refuse_bombs(text)
        return yaml.load(text, Loader=_AsWritten)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise StudyError(f"{shown(path)}{line}: not readable as YAML: {getattr(error, 'problem', error)}") from None
    except (OSError, ValueError) as error:  # bytes that are no text, numbers of thousands of digits
        raise StudyError(f"{shown(path)}: cannot be read: {error}") from None


def _refuse_bombs(text: str) -> None:
    """YAMLError for a short text that means a deep or huge structure, before it is built."""
    open_values, sizes = [[None, 0]], {}  # of each level: its anchor, and values so far; of each anchor: values
    for event in yaml.parse(text, Loader=_AsWritten):
        if isinstance(event, yaml.CollectionStartEvent):
            open_values.append([event.anchor, 1])
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_values.pop()
            sizes[anchor] = size
            open_values[-1][1] += size
        elif isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in open_values):
                raise yaml.MarkedYAMLError(None, None, f"'{event.anchor}' contains itself", event.start_mark)
            open_values[-1][1] += sizes.get(event.anchor, 1)
        elif isinstance(event, yaml.ScalarEvent):
            open_values[-1][1] += 1
        if len(open_values) > DEEPEST:
            raise yaml.MarkedYAMLError(None, None, f"nested more than {DEEPEST} deep", event.start_mark)
        if open_values[-1][1] > MOST_VALUES:
            raise yaml.MarkedYAMLError(
                None, None, f"more than {MOST_VALUES} values with all aliases written out", event.start_mark
            )


class _AsWritten(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """A safe loader that refuses a key written twice and numbers that YAML 1.1 takes for others, and reads 1e-3 as a number."""


def _mapping_of_unique_keys(loader: yaml.Loader, node: yaml.MappingNode) -> dict[str, Any]:
    seen = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise yaml.constructor.ConstructorError(None, None, "a key is a name or a number", key.start_mark)
        if key.value in seen:
            raise yaml.constructor.ConstructorError(None, None, f"key '{key.value}' is written twice", key.start_mark)
        seen.add(key.value)
    loader.flatten_mapping(node)
    # As text: no, on and 1 are names as well as false, true and a number.
    return {key.value: loader.construct_object(value, deep=True) for key, value in node.value}


def _number(loader: yaml.Loader, node: yaml.ScalarNode) -> int | float:
    """A decimal number, and an error for what YAML 1.1 also takes for one: octal, base 60, underscores, infinity."""
    text = node.value
    try:
        value = _NUMBERS[node.tag](loader, node)
    except (ValueError, OverflowError) as error:
        raise yaml.constructor.ConstructorError(None, None, f"'{text[:40]}': no number ({error})", node.start_mark) from None
    if isinstance(value, float) and not math.isfinite(value):
        raise yaml.constructor.ConstructorError(None, None, f"'{text[:40]}': not a finite number", node.start_mark)
    if not DECIMAL.fullmatch(text):
        octal = OCTAL.fullmatch(text)
        fix = f"else {octal[1]}{octal[2]}" if octal else "or quote it"
        problem = f"'{text[:40]}': YAML reads it as {value}; write {value} if that is meant, {fix}"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
    return value


DECIMAL = re.compile(r"[-+]?(0|[1-9]\d*|(?=\.\d))(\.\d*)?([eE][-+]?\d+)?")
OCTAL = re.compile(r"([-+]?)0+([0-7]+)")
_NUMBERS = {
    "tag:yaml.org,2002:int": yaml.SafeLoader.construct_yaml_int,
    "tag:yaml.org,2002:float": yaml.SafeLoader.construct_yaml_float,
}
_AsWritten.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping_of_unique_keys)
for tag in _NUMBERS:
    _AsWritten.add_constructor(tag, _number)
# YAML 1.1 takes 1e-3 for a string because it has no dot.
_AsWritten.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def shown(path: Path) -> str:
    """The path as a reader knows it: from the place of work, if it lies there."""
    return str(path.relative_to(WORK)) if path.is_relative_to(WORK) else str(path)


def parse(model: type[BaseModel], data: Any, path: Path) -> Any:
    """Check data against a pydantic model; StudyError in one line that names file, key, value and what is allowed.

    Nothing is taken for what it is not: true for 1, "0.1" for a number, 2.0 for a whole number.
    """
    if not isinstance(data, dict):
        raise StudyError(f"{shown(path)}: expected keys and values (allowed keys: {', '.join(model.model_fields)})")
    try:
        # JSON mode is strict about types yet takes a list for a tuple, which is how YAML writes one. A date stays text.
        return model.model_validate_json(json.dumps(data, default=str), strict=True)
    except ValidationError as error:
        # A key that is misspelt is missing as well; which one was meant is what helps.
        problem = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
        raise StudyError(f"{shown(path)}: {_explain(model, problem)}") from None


def _explain(model: type[BaseModel], problem: dict) -> str:
    where = quoted(".".join(map(str, problem["loc"])))[1:-1]
    fields = _fields_at(model, problem["loc"][:-1])
    if problem["type"] == "extra_forbidden":
        return unknown("key", where, fields)
    if problem["type"] == "missing":
        return f"key '{where}' is missing: {fields[problem['loc'][-1]].description or 'required'}"
    return f"key '{where}': {problem['msg'].lower()}, got {quoted(problem['input'])}"


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
