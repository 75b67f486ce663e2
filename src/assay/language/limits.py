"""What a value in a study can be meant to be: beyond is a typing error, found before a job runs out of memory or time."""

from collections.abc import Iterable
from typing import Any

from annotated_types import MinLen

from assay.errors import quoted

MOST = 10_000_000  # of whole numbers whose parameter is not named below
LARGEST, SMALLEST = 1e9, 1e-30  # of other numbers, by size: computing is in single precision
MOST_OF = {
    "size": 2048,  # pixels a side
    **dict.fromkeys(("depth", "blocks", "hidden", "heads"), 1_000),
    **dict.fromkeys(("width", "dense", "kernel", "patch", "latents"), 100_000),
    **dict.fromkeys(("steps", "restarts", "samples", "masks", "epochs"), 100_000),
    "batch": 1_000_000,
}


def check_list(values: list, default: Any, marks: Iterable[Any]) -> None:
    """ValueError for a list that names too little, or something twice. default, marks: of the parameter, what annotates it."""
    least = max([mark.min_length for mark in marks if isinstance(mark, MinLen)], default=1 if default != [] else 0)
    if len(values) < least:
        raise ValueError(f"name at least {least}")
    names = [value for value in values if isinstance(value, str)]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"{quoted(twice)} is there twice; keep one of the two")


def check_limits(name: str, value: Any) -> None:
    """ValueError if the value of a parameter of this name, or a number in it, is too large or too small to be meant."""
    match value:
        case dict():
            for each in value.values():
                check_limits(name, each)
        case list():
            for each in value:
                check_limits(name, each)
        case bool():
            return
        case int() if abs(value) > MOST_OF.get(name, MOST):
            raise ValueError(f"whole numbers are at most {MOST_OF.get(name, MOST)} here")
        case float() if abs(value) > LARGEST or 0 < abs(value) < SMALLEST:
            raise ValueError(f"numbers are 0, or from {SMALLEST:g} to {LARGEST:g} by size")
