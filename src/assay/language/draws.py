"""The names of draws: `judged` for those that verdicts rest on, any other for trials, on which studies are designed.

A process draws under the name in the variable ASSAY_DRAWS. The Snakefile sets it from the configuration, whatever a shell had
set; jobs inherit it, and compare it with the name in their parameters.
"""

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from assay.errors import StudyError

JUDGED = "judged"
NAME = r"[a-z0-9][a-z0-9_-]{0,31}"
VARIABLE = "ASSAY_DRAWS"


def current() -> str:
    """The name that this process draws under; StudyError for one that is not allowed."""
    return checked(os.environ.get(VARIABLE) or JUDGED, VARIABLE)


def checked(name: str, where: str) -> str:
    """The name; StudyError if draws cannot have it."""
    if not re.fullmatch(NAME, name):
        raise StudyError(f"{where}: {name!r} is not allowed; use at most 32 lower-case letters, digits, - and _, such as 'trial'")
    return name


def require(name: str) -> None:
    """StudyError unless this process draws under the name."""
    if current() != name:
        raise StudyError(f"{VARIABLE}: this job is to draw under '{name}' and its process draws under '{current()}'; unset it")


@contextlib.contextmanager
def drawing(name: str) -> Iterator[None]:
    """Draw under the name in this process and those it starts, then as before."""
    earlier = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = name
    try:
        yield
    finally:
        if earlier is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = earlier


def made_under(record: Mapping[str, Any]) -> str:
    """The draws that a provenance or a network's sidecar names; the judged ones where it is older than there being others."""
    return record.get("draws", JUDGED)
