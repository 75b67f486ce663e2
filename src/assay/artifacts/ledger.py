"""The ledger of verdicts: what was found of every archived study's claims, a line a study and scale, from which words follow.

verdicts.jsonl, committed beside the manifest, holds no words: a word depends on all claims that are counted, and follows from the
corrected p-values of all lines of a scale (assay.judging.release). So archiving a study changes its own line alone, and merging
two branches is the union of their lines. The file as the latest tag has it is the last release.
"""

import hashlib
import json
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from assay.errors import ArtifactError
from assay.language.catalogue import NO_PAPER
from assay.language.recipes import canonical
from assay.provenance.commits import git
from assay.storage.files import write_atomic

LEDGER = "verdicts.jsonl"
FORMAT = 1
P = Annotated[float, Field(ge=0, le=1)]
Key = tuple[str, str]
"""The scale and the study of a line."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Found(_Strict):
    """A claim and the corrected P of what is said of it."""

    text: str
    holds: P
    fails: P
    reversed: P
    absent: P

    @property
    def p(self) -> tuple[float, float, float, float]:
        return self.holds, self.fails, self.reversed, self.absent


class Line(_Strict):
    """A study at a scale: what was judged, on what, and what was found.

    judgement: digest of the expectations, controls and margins. blocks: sha256 of the observations by block. first, seeds,
    earlier: the first judged draw, how many, and looks made under earlier texts. valid: whether its controls passed.
    retired: how many claims of earlier texts count with P = 1. own: whether it asks a question of its own, beside all papers.
    """

    format: Literal[1] = FORMAT
    scale: str
    study: str
    judgement: str
    blocks: dict[str, str]
    first: Annotated[int, Field(ge=0)]
    seeds: Annotated[int, Field(ge=1)]
    earlier: Annotated[int, Field(ge=0)] = 0
    valid: bool
    retired: Annotated[int, Field(ge=0)] = 0
    own: bool = False
    claims: list[Found]
    secondary: list[Found] = []

    @property
    def key(self) -> Key:
        return self.scale, self.study

    @property
    def as_text(self) -> str:
        """The line as the file has it."""
        return canonical(self.model_dump(exclude_defaults=True) | {"format": FORMAT})


def line_of(record: Mapping[str, Any], scale: str) -> Line:
    """The line of a study by its record in verdicts.json."""
    return Line(
        scale=scale,
        study=record["study"],
        judgement=record["rests_on"]["judgement"],
        blocks=record["rests_on"]["blocks"],
        valid=record["word"] != "invalid",
        own=record["paper"] == NO_PAPER,
        claims=[Found(text=claim["text"], **claim["P"]) for claim in record["expectations"]],
        secondary=[Found(text=claim["text"], **claim["P"]) for claim in record["secondary"]],
        **{name: record[name] for name in ("first", "seeds", "earlier", "retired")},
    )


def read_ledger(root: Path) -> dict[Key, Line]:
    """The lines of a project's ledger; none where there is no such file."""
    path = root / LEDGER
    return parse_ledger(path.read_text(encoding="utf-8")) if path.exists() else {}


def parse_ledger(text: str, name: str = LEDGER) -> dict[Key, Line]:
    """The lines of a ledger by scale and study. ArtifactError, naming the file and the line, for one that cannot be read."""
    return dict(_parsed(text, name))


@cache
def _parsed(text: str, name: str) -> dict[Key, Line]:
    found: dict[Key, Line] = {}
    for number, content in enumerate(text.splitlines(), 1):
        line = _line(content, f"{name}:{number}")
        if line.key in found:
            raise ArtifactError(f"{name}:{number}: a second line for {line.study} at scale {line.scale}; keep one of the two")
        found[line.key] = line
    return found


def _line(content: str, place: str) -> Line:
    again = f"restore it: git checkout {LEDGER}"
    try:
        return Line.model_validate(json.loads(content))
    except ValidationError as error:
        problem = error.errors()[0]
        raise ArtifactError(f"{place}: key '{'.'.join(map(str, problem['loc']))}': {problem['msg'].lower()}; {again}") from None
    except ValueError:
        raise ArtifactError(f"{place}: no line of verdicts but {content[:60]!r}; {again}") from None


def released(root: Path) -> tuple[str, dict[Key, Line] | None]:
    """The latest tag before the commit that a project is at, and the lines of its ledger: the last release.

    No tag ("") or no lines (None) where there is none, or no git.
    """
    tag = latest_tag(root)
    try:
        return tag, parse_ledger(git(root, "show", f"{tag}:{LEDGER}"), f"{tag}:{LEDGER}") if tag else None
    except (OSError, subprocess.CalledProcessError):
        return tag, None


def latest_tag(root: Path) -> str:
    """The latest tag before the commit that a project is at; empty where there is none, or no git."""
    try:
        return git(root, "describe", "--tags", "--abbrev=0").strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def stamp(root: Path) -> str:
    """What verdicts depend on beside evidence and texts: a hash of the ledger, and the tag of the last release."""
    path = root / LEDGER
    content = path.read_bytes() if path.exists() else b""
    return f"{hashlib.sha256(content).hexdigest()} {latest_tag(root)}".strip()


def write_ledger(changed: Mapping[Key, Line | None], root: Path) -> None:
    """Add or replace lines, or take away those given as None; every other line stays byte for byte."""
    path = root / LEDGER
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    lines = dict(zip(_parsed(text, LEDGER), text.splitlines(), strict=True))
    lines |= {key: line.as_text for key, line in changed.items() if line}
    kept = [line for key, line in sorted(lines.items()) if changed.get(key, True)]
    write_atomic(path, "".join(line + "\n" for line in kept))
