"""What studies compiled to, kept until something it rests on changes: files and digests alone, so that a look costs no import.

.snakemake/compiled/<scale>/<study>.json    a checksum of the line below it; what it rests on, and what the study compiled to
.snakemake/compiled/check.json              the same of what `assay check` found nothing wrong with
.snakemake/compiled/templates/              the report's templates, as Jinja keeps them

A file is used only if everything that compiling read is, byte for byte, what it was: the study, the scale, each plug with the
files whose constants it imports, the code that compiles, the packages it uses. Nothing is told by times. A file that is damaged,
or half-written, or of another version, counts as not there; of two processes that write one, the later wins, with equal bytes.
It lies beside Snakemake's notes and not in results/, which people take from others.
"""

import atexit
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from assay.storage.places import CHECKOUT, PACKAGE, WORK

FOLDER = str(WORK / ".snakemake" / "compiled")
# The code that reads and compiles studies, from the package's folder.
COMPILING = ("errors.py", "language", "storage")


def sum_of(path: str | os.PathLike) -> str:
    """The SHA-256 of a file's bytes, empty if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return ""


class Sums:
    """Digests of files below the package, each read once."""

    def __init__(self, package: str = str(PACKAGE)):
        self.package, self.known = package, {}

    def __getitem__(self, name: str) -> str:
        if name not in self.known:
            self.known[name] = sum_of(os.path.join(self.package, name))
        return self.known[name]

    def hold(self, files: Mapping[str, str]) -> bool:
        """Whether the files, by their path below the package, are those of these digests."""
        return all(self[name] == wanted for name, wanted in files.items())


@cache
def compiler(package: str = str(PACKAGE)) -> str:
    """A digest of the code that compiles studies, of Python, and of the names and versions of all packages there are."""
    total = hashlib.sha256(f"{sys.version}\n{package}\n{WORK}\n".encode())
    for name in sorted(_sources(package)):
        total.update(f"{name} {sum_of(os.path.join(package, name))}\n".encode())
    for name in sorted(set(_packages())):  # what runs a job's script may name their folder several times
        total.update(f"{name}\n".encode())
    return total.hexdigest()


def _sources(package: str) -> Iterable[str]:
    for start in COMPILING:
        if start.endswith(".py"):
            yield start
        for folder, _, names in os.walk(os.path.join(package, start)):
            inside = os.path.relpath(folder, package)
            yield from (f"{inside}/{name}" for name in names if name.endswith(".py"))


def _packages() -> Iterable[str]:
    for folder in filter(os.path.isdir, sys.path):
        yield from (name for name in os.listdir(folder) if name.endswith((".dist-info", ".egg-info")))


def read(name: str, folder: str = "") -> Any:
    """What is kept under a name; None if nothing is that can be used."""
    try:
        with open(os.path.join(folder or FOLDER, name), "rb") as file:
            checksum, _, text = file.read().partition(b"\n")
        return json.loads(text) if hashlib.sha256(text).hexdigest().encode() == checksum else None
    except (OSError, ValueError, RecursionError):
        return None


def keeps() -> bool:
    """Whether anything is kept: an installed package leaves nothing in a folder that Snakemake has not worked in."""
    return CHECKOUT is not None or os.path.isdir(WORK / ".snakemake")


def write(name: str, data: Any, folder: str = "") -> None:
    """Keep data under a name, whole or not at all; where nothing can be written, nothing is kept."""
    path = os.path.join(folder or FOLDER, name)
    if not keeps():
        return
    text = json.dumps(data, separators=(",", ":")).encode()
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(hashlib.sha256(text).hexdigest().encode() + b"\n" + text)
        os.replace(temporary, path)
    except OSError:
        return


class Notes:
    """What was read off single files, kept by the digest of each file. terms: a digest of all else that it depends on."""

    def __init__(self, name: str, terms: str, package: str = str(PACKAGE)):
        self.name, self.terms, self.changed = f"{name}.json", [compiler(package), terms], False
        data = read(self.name)
        self.values = data["values"] if data and data["terms"] == self.terms else {}
        atexit.register(self.save)

    def of(self, path: str | os.PathLike, what: str, made: Callable[[], Any]) -> Any:
        """What is known of the file; made() reads it off the file."""
        key, found = f"{what} {path}", sum_of(path)
        if self.values.get(key, [""])[0] == found:
            return self.values[key][1]
        value = made()
        if found and found == sum_of(path):
            self.values[key], self.changed = [found, value], True
        return value

    def save(self) -> None:
        """Keep it for other processes; at the end of this one, and wherever else that is wanted."""
        if self.changed:
            write(self.name, {"terms": self.terms, "values": self.values})
            self.changed = False


def digest_of(root: str | os.PathLike, names: Iterable[str]) -> str:
    """One digest of these files below a folder."""
    return hashlib.sha256("".join(f"{name} {sum_of(os.path.join(root, name))}\n" for name in sorted(names)).encode()).hexdigest()


def modules(package: str = str(PACKAGE)) -> list[str]:
    """The modules of the package, as paths below it."""
    found = []
    for folder, _, names in os.walk(package):
        found += [os.path.relpath(os.path.join(folder, name), package) for name in names if name.endswith(".py")]
    return sorted(found)
