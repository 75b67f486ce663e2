"""Where papers are found: arXiv id, authors, venue and code, each with its source, kept in config/references.json.

    "P166": {"arxiv": {"is": "1710.09412", "source": "owner/repository:path:line", "agree": 5}, "authors": {...}}

A fact stands there if a public file at an address says it under the paper's title; `agree` counts such files. What papers.json
says, as the address of the code of many papers, is not said again.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from assay.errors import StudyError, quoted, unknown
from assay.storage.places import PROJECT

REFERENCES = PROJECT / "config" / "references.json"
FIELDS = {"arxiv": str, "authors": list, "venue": str, "doi": str, "code": str}
SAID = {"is", "source", "agree"}
SOURCE = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+):(?P<path>[^:\s][^:]*)(?::(?P<line>\d+))?")
ARXIV = re.compile(r"(?P<year>\d\d)\d\d\.\d{4,5}")
YEAR = re.compile(r"\b(?:19|20)\d\d\b")


@dataclass(frozen=True)
class Reference:
    """One paper's. sources: field -> address of the file that says so; agree: files that give this arXiv id."""

    arxiv: str = ""
    authors: tuple[str, ...] = ()
    venue: str = ""
    doi: str = ""
    code: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)
    agree: int = 0

    @property
    def year(self) -> int | None:
        """The venue's year, or that of the first version on arXiv where no venue is known."""
        if found := YEAR.search(self.venue):
            return int(found[0])
        return 2000 + int(ARXIV.fullmatch(self.arxiv)["year"]) if self.arxiv else None

    @property
    def address(self) -> str:
        """Where the paper can be read; empty if that is not known."""
        if self.arxiv:
            return f"https://arxiv.org/abs/{self.arxiv}"
        return f"https://doi.org/{quote(self.doi)}" if self.doi else ""

    @property
    def by(self) -> str:
        """The authors as they are cited in running text: one or two by name, of more the first."""
        if len(self.authors) > 2:
            return f"{self.authors[0]} et al."
        return " and ".join(self.authors)


UNKNOWN = Reference()


def looked_up(title: str) -> str:
    """The address of a search for a title, for papers of which none is known."""
    return f"https://arxiv.org/search/?searchtype=title&query={quote(title)}"


def source_address(source: str) -> str:
    """The address of "owner/repository:path:line"."""
    found = SOURCE.fullmatch(source)
    line = f"#L{found['line']}" if found["line"] else ""
    return f"https://github.com/{found['repository']}/blob/HEAD/{quote(found['path'])}{line}"


def load(path: Path = REFERENCES) -> dict[str, Reference]:
    """References by the key of their paper; StudyError names the file, the paper and the field that is not as it should be."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise StudyError(f"{path}: the references cannot be read: {error}") from None
    return {key: _reference(f"{path}: {key}", row) for key, row in rows.items()}


def _reference(where: str, row: Mapping[str, Any]) -> Reference:
    for name, said in row.items():
        if name not in FIELDS:
            raise StudyError(f"{where}: {unknown('field', name, FIELDS)}")
        _check(f"{where}: {name}", name, said)
    values = {name: said["is"] for name, said in row.items()} | {"authors": tuple(row.get("authors", {}).get("is", ()))}
    sources = {name: said["source"] for name, said in row.items()}
    return Reference(**values, sources=sources, agree=row.get("arxiv", {}).get("agree", 0))


def _check(where: str, name: str, said: Mapping[str, Any]) -> None:
    allowed = SAID if name == "arxiv" else SAID - {"agree"}
    if not isinstance(said, dict) or set(said) != allowed:
        raise StudyError(f"{where}: is {quoted(said)}; write an object with {', '.join(sorted(allowed))}")
    if not isinstance(said["is"], FIELDS[name]) or not said["is"]:
        raise StudyError(f"{where}: is {quoted(said['is'])}; write a {FIELDS[name].__name__} that is not empty")
    if name == "arxiv" and not ARXIV.fullmatch(said["is"]):
        raise StudyError(f"{where}: is {quoted(said['is'])}; an id looks like 1710.09412")
    if not isinstance(said["source"], str) or not SOURCE.fullmatch(said["source"]):
        raise StudyError(
            f"{where}: source is {quoted(said['source'])}; write owner/repository:path or owner/repository:path:line"
        )


def bibtex(key: str, title: str, reference: Reference) -> str:
    """The paper's entry, with what is known of it."""
    found = {
        "title": f"{{{plain(title)}}}",
        "author": " and ".join(map(plain, reference.authors)),
        "year": str(reference.year or ""),
        "eprint": reference.arxiv,
        "archivePrefix": "arXiv" if reference.arxiv else "",
        "doi": reference.doi,
        "note": plain(reference.venue),
    }
    lines = [f"  {name} = {{{value}}}" for name, value in found.items() if value]
    return "\n".join([f"@misc{{{key},", *(f"{line}," for line in lines[:-1]), lines[-1], "}"])


def plain(text: str) -> str:
    """Text that BibTeX reads as it stands: without braces and backslashes, with its special signs escaped."""
    bare = re.sub(r"[{}\\]", "", " ".join(text.split()))
    return re.sub(r"([&%$#_])", r"\\\1", bare)
