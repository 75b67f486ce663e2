"""Checksum manifests: `<folder>.sha256` lists every file of a versioned folder with its SHA-256, as `sha256sum` writes it.

The manifest is committed, the folder is not. So what a world reads, and what a pull brings, is checked against the commit.
"""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path, PurePosixPath

from assay.errors import ArtifactError, unknown
from assay.storage.files import sha256, write_atomic
from assay.storage.places import PROJECT, WORK, require_checkout

LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")


def inside(path: str) -> bool:
    """Whether a relative path as stored stays in its folder: no root, no `..`, no backslash, nothing that is not normal."""
    parts = PurePosixPath(path)
    return "\\" not in path and str(parts) == path and not parts.is_absolute() and ".." not in parts.parts and path != "."


def read_manifest(folder: str, root: Path = WORK) -> dict[str, str]:
    """SHA-256 by path below the folder, as committed in `<folder>.sha256`; ArtifactError names the line that is not one."""
    path = root / f"{folder}.sha256"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        require_checkout(f"{folder}/")
        raise ArtifactError(unknown("versioned folder", folder, (file.stem for file in root.glob("*.sha256")))) from None
    found = {}
    for number, line in enumerate(lines, 1):
        match = LINE.fullmatch(line)
        name = match[2].removeprefix(f"{folder}/") if match else ""
        if not match or match[2] == name or not inside(name):
            raise ArtifactError(
                f"{path.name}:{number}: expected '<sha256>  {folder}/<file>', got {line!r}; restore it: git checkout"
            )
        found[name] = match[1]
    return found


def write_manifest(folder: str, root: Path = WORK) -> None:
    """List every file in the folder."""
    files = sorted(path.relative_to(root).as_posix() for path in (root / folder).rglob("*") if path.is_file())
    write_atomic(root / f"{folder}.sha256", "".join(f"{sha256(root / name)}  {name}\n" for name in files))


def differing(folder: str, root: Path = WORK) -> list[str]:
    """The files below the folder that are missing or not what the manifest says; empty if all are."""
    return [name for name, wanted in read_manifest(folder, root).items() if not matches(root / folder / name, wanted)]


def matches(path: Path, wanted: str) -> bool:
    """Whether the file is there with this SHA-256."""
    try:
        return sha256(path) == wanted
    except OSError:
        return False


@cache
def checked(name: str, folder: str = "data", root: Path = WORK) -> Path:
    """The path of a versioned file whose bytes are those of the manifest; ArtifactError says what is wrong and how to get it."""
    wanted = checksums([name], folder, root)[f"{folder}/{name}"]
    path = root / folder / name
    if not path.exists():
        raise ArtifactError(f"{folder}/{name}: is not there; run: assay pull {folder}")
    if not matches(path, wanted):
        raise ArtifactError(f"{folder}/{name}: is not the file listed in {folder}.sha256; run: assay pull {folder}")
    return path


def checksums(names: Iterable[str], folder: str = "data", root: Path = PROJECT) -> dict[str, str]:
    """SHA-256 of versioned files by `<folder>/<name>`; ArtifactError for one the manifest does not list."""
    names = list(names)
    listed = read_manifest(folder, root) if names else {}
    for name in names:
        if name not in listed:
            raise ArtifactError(f"{folder}.sha256: {unknown('file', name, listed)}")
    return {f"{folder}/{name}": listed[name] for name in names}
