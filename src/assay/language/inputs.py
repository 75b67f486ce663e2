"""Files that users write: YAML read as plain data, checked against a model, with errors in one line."""

import json
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from assay.errors import StudyError, quoted, unknown
from assay.language.reading import read_yaml, shown

__all__ = ["parse", "read_yaml", "shown"]


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
