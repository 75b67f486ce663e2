"""Copies of data sets that are there already: laid out as worlds read them, or told what they are and what makes them right."""

import fnmatch
import shlex
from collections.abc import Iterable, Set
from pathlib import Path, PurePosixPath

from assay.datasets import Entry
from assay.errors import DataError

JPEG = {".jpeg", ".jpg"}


def check_layout(name: str, about: Entry, root: Path, paths: Iterable[str]) -> None:
    """Look through a copy's files, paths below its folder, until all is there that is read. DataError for a copy of another
    version or in another layout, which worlds would not read or read wrongly: what it is, and how to make it right."""
    missing, first, seen = set(about.expected), None, _Seen(about)
    for path in paths:
        first = first or path
        missing = {pattern for pattern in missing if not matches(path, pattern)}
        if not missing:
            return
        seen.add(path)
    if missing:
        what, mend = seen.layout(name, root, missing) or _unknown(name, about, first)
        raise DataError(f"{root}: is {what}; it has no {min(missing)}; {mend}")


def matches(path: str, pattern: str) -> bool:
    """Whether a path is as a pattern says, in which * stands for a part of one name."""
    parts, patterns = path.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(map(fnmatch.fnmatchcase, parts, patterns))


class _Seen:
    """What is seen on the way: other layouts that the table knows, and the wanted one deeper, higher or with other endings."""

    def __init__(self, about: Entry):
        self.about = about
        self.others: set[str] = set()
        self.below: dict[str, set[str]] = {}  # by folder, what is wanted and lies there
        self.bare: set[str] = set()  # what is wanted and lies outside of its own first folder
        self.endings: dict[str, set[str]] = {}  # by ending, what is wanted and is there with that ending

    def add(self, path: str) -> None:
        self.others |= {other.has for other in self.about.other_layouts if matches(path, other.has)}
        for pattern in self.about.expected:
            parts, depth = path.split("/"), pattern.count("/") + 1
            folder, tail, ending = "/".join(parts[:-depth]), "/".join(parts[-depth:]), PurePosixPath(path).suffix
            if folder and matches(tail, pattern):
                self.below.setdefault(folder, set()).add(pattern)
            if depth > 1 and matches(path, pattern.partition("/")[2]):
                self.bare.add(pattern)
            if ending and matches(path, f"{pattern.removesuffix(PurePosixPath(pattern).suffix)}{ending}"):
                self.endings.setdefault(ending, set()).add(pattern)

    def layout(self, name: str, root: Path, missing: Set[str]) -> tuple[str, str] | None:
        """What the copy is, and what makes it right; None if that is not known."""
        for other in self.about.other_layouts:
            if other.has in self.others:
                return f"{name} {other.called}", other.mend
        wanted = set(self.about.expected)
        for folder, found in self.below.items():
            if found == wanted:
                return f"{name} in a folder of its own, {folder}", f"name that one: {_link(root, folder)}"
        own = _common_folder(wanted)
        if own and self.bare == wanted:
            return f"{name} without its folder {own}", f"move all that is in it into that: mkdir {_quoted(root / own)}"
        for ending, found in self.endings.items():
            if found >= missing:
                return f"{name} with files that end in {ending}", _renamed(root, ending, min(missing))
        return None


def _link(root: Path, folder: str) -> str:
    """The command after which the copy's folder is the one further down."""
    if root.is_symlink():
        return shlex.join(["ln", "-sfn", str(root.resolve() / folder), str(root)])
    aside = f"{root}-copy"
    return f"{shlex.join(['mv', str(root), aside])} && {shlex.join(['ln', '-s', f'{aside}/{folder}', str(root)])}"


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


def _common_folder(patterns: Set[str]) -> str | None:
    """The folder that all patterns begin with, if it is one."""
    folders = {pattern.partition("/")[0] for pattern in patterns}
    folder = min(folders)
    return folder if len(folders) == 1 and "*" not in folder else None


def _renamed(root: Path, ending: str, pattern: str) -> str:
    wanted = PurePosixPath(pattern).suffix
    if {ending.lower(), wanted.lower()} <= JPEG:
        return f"rename them: find -L {_quoted(root)} -name '*{ending}' -exec sh -c 'mv \"$1\" \"${{1%.*}}{wanted}\"' _ {{}} \\;"
    return f"converted images give other numbers: bring a copy with the {wanted} files as they were published"


def _unknown(name: str, about: Entry, first: str | None) -> tuple[str, str]:
    found = f"lay out like that what it has, for example {first}" if first else "nor any file: lay one out like that"
    size = sum(file.bytes or 0 for file in about.files) / 1e9
    again = "" if about.by_hand else f", or take it away and run assay retrieve {name}, which fetches {size:.2g} GB"
    return f"no copy of {name} as it is read here", f"{found}{again}"
