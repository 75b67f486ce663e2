"""What a page is made of: the study as shown, its paper, and the stored evidence, which is checked and never unpickled."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from assay.catalogue import Paper
from assay.errors import EvidenceError
from assay.files import read_json, sha256

COLUMNS = ["study", "arm", "seed", "metric", "x", "value"]


@dataclass(frozen=True)
class StudyView:
    """A compiled study as far as the report shows it.

    arms: arm -> its own settings, base: what all arms share. metrics: metric -> one line of description.
    figure: {figure plug: its parameters}. expect and controls are the expressions as written.
    stale: reasons why the evidence is out of date; None if not checked.
    """

    name: str
    family: str
    paper: str
    question: str
    arms: dict[str, dict[str, Any]]
    protocol: str
    base: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, str] = field(default_factory=dict)
    margin: dict[str, float] = field(default_factory=dict)
    notes: str = ""
    baseline: str | None = None
    expect: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    yaml: str = ""
    figure: dict[str, dict[str, Any]] = field(default_factory=dict)
    stale: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Page:
    """One study with everything known of it; figures and templates get this. observations has columns COLUMNS."""

    study: StudyView
    paper: Paper
    observations: pd.DataFrame
    arrays: dict[str, np.ndarray]
    verdict: dict[str, Any]
    provenance: dict[str, Any]


def read_page(results: Path, study: StudyView, paper: Paper, verdict: dict[str, Any] | None = None) -> Page:
    """Read the evidence of one study from results/<scale>/observations/<study>/; EvidenceError if it is missing or altered."""
    folder = results / "observations" / study.name
    provenance = read_json(folder / "provenance.json")
    table, arrays = folder / "observations.csv", folder / "arrays.npz"
    check_digest(table, provenance.get("sha256"))
    check_digest(arrays, provenance.get("arrays_sha256"))
    return Page(study, paper, read_observations(table), read_arrays(arrays), verdict or {}, provenance)


def read_verdicts(results: Path, name: str = "verdicts.json") -> dict[str, Any]:
    """results/<scale>/<name>, with nothing judged if there is no such file yet."""
    path = results / name
    return read_json(path) if path.exists() else {"studies": {}, "failed": {}}


def read_observations(path: Path) -> pd.DataFrame:
    """The tidy table. x is numeric where every x is a number, text otherwise, missing where there is none."""
    try:
        # Arms may be called "nan" or "NA": nothing is taken for missing except an empty x.
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        if list(table.columns) != COLUMNS:
            raise EvidenceError(f"{path}: header is {','.join(table.columns)}; expected {','.join(COLUMNS)}")
        table["seed"] = table["seed"].astype(int)
        table["value"] = table["value"].map(float).astype(float)
    except (OSError, ValueError) as error:
        raise EvidenceError(f"{path}: observations cannot be read: {error}; measure the study again") from None
    table["x"] = numeric_or_text(table["x"])
    return table


def numeric_or_text(column: pd.Series) -> pd.Series:
    """Numbers if all entries but the empty ones are numbers; empty entries become missing."""
    given = column.where(column != "")
    try:
        return given.map(float, na_action="ignore").astype(float)
    except ValueError:
        return given.astype(object)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Arrays by name, in sorted order; none if the file does not exist. Pickled content is refused."""
    if not path.exists():
        return {}
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in sorted(stored.files)}
    except (OSError, ValueError, EOFError) as error:
        raise EvidenceError(f"{path}: arrays cannot be read: {error}; measure the study again") from None


def check_digest(path: Path, expected: str | None) -> None:
    """EvidenceError if the file's SHA-256 is not the one written down beside it."""
    if expected is None:
        return
    try:
        found = sha256(path)
    except OSError as error:
        raise EvidenceError(f"{path}: cannot be read ({error.strerror}); measure the study again") from None
    if found != expected:
        raise EvidenceError(
            f"{path}: sha256 is {found[:12]}..., provenance says {expected[:12]}...; it was cut or altered, measure again"
        )
