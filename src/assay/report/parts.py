"""Building only what changed: each part of the report carries a digest of everything it is made from."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from assay.provenance.fingerprints import fingerprint
from assay.storage.files import sha256, write_atomic

NOTES = "pages.json"
RENDERERS = ("jinja2", "markdown-it-py", "matplotlib", "pandas", "pillow", "pyarrow")


@dataclass(frozen=True)
class Part:
    """A page with the files beside it: make(**inputs) returns their contents by path, and reads nothing that is not an input.

    The repr of the inputs must tell any two apart that lead to other files.
    """

    name: str
    inputs: Mapping[str, Any]
    make: Callable[..., dict[str, str | bytes]]


class _Note(BaseModel):
    """What pages.json keeps of a part: the digest of what it was made from, and the sha256 of its files."""

    made_from: str
    files: dict[str, str]


_NOTES = TypeAdapter(dict[str, _Note])


def machinery(entry: str, sheets: Path) -> str:
    """A digest of what all parts are made with: the code behind the entry module, templates and styles, rendering libraries."""
    files = {str(path.relative_to(sheets)): sha256(path) for path in sorted(sheets.rglob("*")) if path.is_file()}
    return _digest(fingerprint(entry), files, {name: version(name) for name in RENDERERS})


def write_parts(out: Path, parts: Iterable[Part], made_with: str) -> list[str]:
    """Write the parts that are new, changed or damaged, remove files of no part, and return the names of those written."""
    before, now, written = _read_notes(out / NOTES), {}, []
    for part in parts:
        made_from = _digest(made_with, part.inputs)
        note = before.get(part.name)
        if not (note and note.made_from == made_from and _intact(out, note)):
            note = _Note(made_from=made_from, files=_write(out, part.make(**part.inputs)))
            written.append(part.name)
        now[part.name] = note
    _remove_others(out, {path for note in now.values() for path in note.files})
    write_atomic(out / NOTES, json.dumps({name: note.model_dump() for name, note in now.items()}, indent=1))
    return written


def _digest(*values: Any) -> str:
    return hashlib.sha256(repr(values).encode()).hexdigest()


def _read_notes(path: Path) -> dict[str, _Note]:
    """Notes that cannot be read are none: everything is then written anew."""
    try:
        return _NOTES.validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return {}


def _intact(out: Path, note: _Note) -> bool:
    return all((out / name).is_file() and sha256(out / name) == digest for name, digest in note.files.items())


def _write(out: Path, files: dict[str, str | bytes]) -> dict[str, str]:
    """Write what differs from what is there; returns the sha256 of each file."""
    contents = {name: content.encode() if isinstance(content, str) else content for name, content in files.items()}
    for name, content in contents.items():
        if not (out / name).is_file() or (out / name).read_bytes() != content:
            write_atomic(out / name, content)
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}


def _remove_others(out: Path, names: set[str]) -> None:
    """Remove files of an earlier report from the folders that this one writes to."""
    for folder in {name.split("/")[0] for name in names if "/" in name} | {"figures", "studies", "worlds"}:
        for path in (out / folder).glob("*"):
            if f"{folder}/{path.name}" not in names:
                path.unlink()
