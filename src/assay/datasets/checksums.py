"""Checksums of files that are retrieved: as the table states them, or as they were noted when a file first came."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from assay import datasets
from assay.datasets import Download
from assay.errors import DataError
from assay.storage.files import read_json, write_atomic

Say = Callable[[str], None]


def checked(name: str, file: Download, path: Path, say: Say) -> dict[str, str]:
    """The file's md5 and sha256; DataError when they, or its size, are not those of the table or of the first retrieval."""
    found = _sums(path)
    for kind, wanted in {"md5": file.md5, "sha256": file.sha256}.items():
        if wanted is not None and found[kind] != wanted:
            raise DataError(f"{path}: {kind} is {found[kind]}, config/datasets.yaml says {wanted}; remove the file and try again")
    if file.md5 is None and file.sha256 is None:
        _check_lock(f"{name}/{file.name}", path, found["sha256"], say)
    return found


def _sums(path: Path) -> dict[str, str]:
    sums = {"md5": hashlib.md5(usedforsecurity=False), "sha256": hashlib.sha256()}
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            for each in sums.values():
                each.update(chunk)
    return {kind: each.hexdigest() for kind, each in sums.items()}


def _check_lock(key: str, path: Path, found: str, say: Say) -> None:
    """Hold a file without a published checksum to the bytes that were retrieved first."""
    lock = datasets.TABLE.with_suffix(".lock.json")
    known = read_json(lock) if lock.exists() else {}
    if key not in known:
        write_atomic(lock, json.dumps({**known, key: found}, indent=1, sort_keys=True) + "\n")
        say(f"{key}: no checksum is published; sha256 {found} of this first copy is noted in {lock.name}, commit that file")
    elif known[key] != found:
        raise DataError(
            f"{path}: sha256 is {found}, {lock.name} says {known[key]}; remove the file, or the line if it may change"
        )
