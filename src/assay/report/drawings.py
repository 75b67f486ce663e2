"""Drawings kept between runs: what would be drawn from the same evidence by the same code is taken from here.

results/<scale>/cache/<kind>/<name>    "<key> <sha256>" in a line, then the drawing

Snakemake removes a job's outputs before it starts, so a job that draws many studies would draw all of them when one changed. A
file of another key, or whose bytes are not those of its checksum, counts as none. There is one for each name, so none piles up.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from assay.storage.files import write_atomic

LIBRARIES = ("matplotlib", "numpy", "pandas", "pillow")  # what figures are drawn with beside the project's own code


def key_of(*made_from: Any) -> str:
    """A digest of what a drawing is made from, by its repr, and of the libraries that draw."""
    return hashlib.sha256(repr((made_from, _versions())).encode()).hexdigest()


@cache
def _versions() -> list[str]:
    return [version(name) for name in LIBRARIES]


def kept(folder: Path, keys: Mapping[str, str]) -> dict[str, bytes]:
    """The drawings of these names that were made under these keys and are unharmed."""
    found = {name: _read(folder / name, key) for name, key in keys.items()}
    return {name: drawing for name, drawing in found.items() if drawing is not None}


def keep(folder: Path, name: str, key: str, drawing: bytes) -> None:
    """Keep a drawing in the place of an earlier one of its name."""
    write_atomic(folder / name, f"{key} {hashlib.sha256(drawing).hexdigest()}\n".encode() + drawing)


def forget(folder: Path, names: Collection[str]) -> None:
    """Remove what is of none of these names."""
    for path in _files(folder):
        if path.name not in names:
            path.unlink()


def _files(folder: Path) -> Iterable[Path]:
    return (path for path in folder.glob("*") if path.is_file())


def _read(path: Path, key: str) -> bytes | None:
    try:
        head, _, drawing = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    return drawing if head == f"{key} {hashlib.sha256(drawing).hexdigest()}".encode() else None
