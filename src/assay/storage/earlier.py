"""What an edit replaced, kept so that taking the edit back trains and measures nothing. No torch here.

results/<scale>/networks/<recipe>/earlier/<digest>/      weights and sidecars, of the repetitions that were trained with one code
results/<scale>/cells/<study>/<block>/earlier/<cells>/   measured cells

Each run first brings it back to MOST_BYTES, the oldest going first; `assay clear` frees all of it.
"""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FOLDER = "earlier"
MOST_BYTES = 4 * 10**9  # of one results folder
PLACES = {"networks": f"networks/*/{FOLDER}/*", "measured blocks": f"cells/*/*/{FOLDER}/*"}


@dataclass(frozen=True)
class Freed:
    """How many folders of each kind, and their bytes together."""

    counts: dict[str, int]
    size: int


def clear(results: Path, act: bool = True) -> Freed:
    """Free all that is kept of earlier code in a results folder; with act=False only say what that would be."""
    found = {what: sorted(results.glob(pattern)) for what, pattern in PLACES.items()}
    size = sum(_size(folder) for folders in found.values() for folder in folders)
    if act:
        for folders in found.values():
            _remove(folders)
    return Freed({what: len(folders) for what, folders in found.items()}, size)


def bound(results: Path, most: int = MOST_BYTES) -> None:
    """Remove the oldest of what is kept until the rest has at most so many bytes."""
    found = [folder for pattern in PLACES.values() for folder in results.glob(pattern)]
    total, over = 0, []
    for folder in sorted(found, key=lambda folder: folder.stat().st_mtime_ns, reverse=True):
        total += _size(folder)
        if total > most:
            over.append(folder)
    _remove(over)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _remove(folders: Iterable[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
        if not any(folder.parent.iterdir()):
            folder.parent.rmdir()
