"""YAML that users write, read as plain data: nothing in it is taken for what it does not look like. No pydantic."""

import math
import re
from pathlib import Path
from typing import Any

import yaml

from assay.errors import StudyError
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
