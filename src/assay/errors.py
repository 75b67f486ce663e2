"""Errors a user can act on: one line that names the file, the key, the value seen, the values allowed and the fix."""

from collections.abc import Iterable
from difflib import get_close_matches

LONGEST = 80  # characters of a value that are shown


class AssayError(Exception):
    """An error of the user's input or of stored data, said in one line; shown without a traceback."""


class StudyError(AssayError):
    """A study, scale or config file that cannot be used as written."""


class EvidenceError(AssayError):
    """Stored evidence that is missing, truncated, altered or not a number."""


class DataError(AssayError):
    """A data set that is missing, truncated, altered or too large for what is asked of it."""


class ArtifactError(AssayError):
    """Versioned data or evidence that cannot be pulled, pushed or trusted."""


class TrainingError(AssayError):
    """A training that cannot go on."""


class PreemptedError(AssayError):
    """A training that was asked to stop and can go on from its checkpoint."""


def quoted(value: object) -> str:
    """A value as it was written, cut where it is long."""
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."


def unknown(what: str, name: object, allowed: Iterable[str]) -> str:
    """Phrase "unknown <what> 'nmae'; did you mean 'name'? (allowed: ...)" with the nearest allowed name."""
    names = sorted(map(str, allowed))
    near = get_close_matches(str(name)[:LONGEST], names, n=1, cutoff=0.5)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return f"unknown {what} {quoted(str(name))}{hint} (allowed: {', '.join(names) or 'none'})"


def reason(error: Exception) -> str:
    """What an error says, from its first line that says something; by its kind alone where it says nothing."""
    text = str(error).strip()
    if isinstance(error, AssayError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def in_a_line(error: Exception) -> str:
    """The first line of what an error says."""
    return reason(error).splitlines()[0].rstrip()
