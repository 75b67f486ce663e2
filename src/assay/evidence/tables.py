"""Evidence on disk: observations, arrays kept for figures, and the provenance that says what they rest on. No torch here.

results/<scale>/observations/<study>/observations.csv   study, arm, seed, metric, x, value
results/<scale>/observations/<study>/arrays.npz         arrays by "<arm>/<name>"
results/<scale>/observations/<study>/provenance.json    code, recipes, versions, sha256 of the two; written last
"""

import csv
import io
import json
import math
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from assay.errors import EvidenceError
from assay.provenance.fingerprints import digest, fingerprint
from assay.storage.files import read_json, sha256, write_atomic

if TYPE_CHECKING:
    from assay.language.studies import Study

COLUMNS = ("study", "arm", "seed", "metric", "x", "value")
ENTRY = "assay.measuring.arm"
TRAINING_LOSS = "training_loss"  # arrays of every study, beside those its protocol keeps
MOST_BYTES = 2**32  # of all arrays of a study; figures need a thousandth of it


class Observation(NamedTuple):
    """One measured number; x is an optional coordinate such as severity, depth or label fraction."""

    study: str
    arm: str
    seed: int
    metric: str
    x: float | str | None
    value: float


@dataclass(frozen=True)
class Evidence:
    """What a study's measurement left."""

    observations: list[Observation]
    arrays: dict[str, np.ndarray]
    provenance: dict


def study_code(study: "Study") -> dict[str, str]:
    """Hashes by module of everything a study's observations are computed with."""
    return fingerprint(ENTRY, study.plugs)


def write_evidence(folder: Path, observations: list[Observation], arrays: dict[str, np.ndarray], provenance: dict) -> None:
    """Write observations and arrays, then the provenance that makes them count. EvidenceError for a value that is no number."""
    for row in observations:
        if not math.isfinite(row.value):
            place = f" at x = {row.x}" if row.x is not None else ""
            raise EvidenceError(
                f"{row.study}: arm '{row.arm}', seed {row.seed}: metric '{row.metric}'{place} is {row.value}; metrics are finite"
            )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((*row[:4], "" if row.x is None else row.x, repr(float(row.value))) for row in observations)
    write_atomic(folder / "observations.csv", text.getvalue())
    write_atomic(folder / "arrays.npz", pack_arrays(arrays))
    sums = {"sha256": sha256(folder / "observations.csv"), "arrays_sha256": sha256(folder / "arrays.npz")}
    write_atomic(
        folder / "provenance.json", json.dumps({**provenance, "rows": len(observations), **sums}, indent=1, sort_keys=True)
    )


def pack_arrays(arrays: dict[str, np.ndarray]) -> bytes:
    """An npz archive whose bytes depend on the arrays alone (numpy's own carries the time of writing)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(arrays):
            array = io.BytesIO()
            np.lib.format.write_array(array, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(name + ".npy", (1980, 1, 1, 0, 0, 0)), array.getvalue(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def read_evidence(folder: Path) -> Evidence:
    """Read and check a study's evidence. EvidenceError names the file that is missing, truncated or altered."""
    provenance = read_json(folder / "provenance.json")
    for name, key in (("observations.csv", "sha256"), ("arrays.npz", "arrays_sha256")):
        path = folder / name
        if not path.exists():
            raise EvidenceError(f"{path}: does not exist; run snakemake again to measure it anew")
        if sha256(path) != provenance.get(key):
            raise EvidenceError(
                f"{path}: truncated or altered (not the sha256 in provenance.json); run snakemake again to measure anew"
            )
    return Evidence(_rows(folder / "observations.csv"), read_arrays(folder / "arrays.npz"), provenance)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Arrays by name. EvidenceError if the file is missing, is no archive of arrays, or holds pickles, which are never loaded."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
            if size > MOST_BYTES:
                raise ValueError(f"they unpack to {size} bytes; at most {MOST_BYTES} are read")
            return {name.removesuffix(".npy"): _read_array(archive, name) for name in archive.namelist()}
    except (OSError, ValueError, EOFError, MemoryError, NotImplementedError, zlib.error, zipfile.BadZipFile) as error:
        raise EvidenceError(f"{path}: arrays cannot be read ({_line(error)}); delete it and run snakemake again") from None


def _read_array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(name) as member:
        return np.lib.format.read_array(member, allow_pickle=False)


def _rows(path: Path) -> list[Observation]:
    with open(path, newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        try:
            if tuple(next(rows, ())) != COLUMNS:
                raise ValueError(f"its header is not {','.join(COLUMNS)}")
            return [
                Observation(study, arm, int(seed), metric, coordinate(x), float(value))
                for study, arm, seed, metric, x, value in rows
            ]
        except (ValueError, csv.Error) as error:
            where = f"{path}:{rows.line_num}"
            raise EvidenceError(f"{where}: {_line(error)}; delete {path.parent} and run snakemake again") from None


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def coordinate(text: str) -> float | str | None:
    """An x as written in the table: empty for none, a number, or a name."""
    if text == "":
        return None
    try:
        return float(text)
    except ValueError:
        return text


def staleness(study: "Study", provenance: dict) -> list[str]:
    """Why evidence no longer belongs to the study as it is now: empty if it does."""
    reasons = []
    if provenance.get("study_sha256") != study.digest:
        reasons.append("what the study measures changed")
    old, new = provenance.get("code", {}), study_code(study)
    for module in sorted(set(old) | set(new)):
        if old.get(module) != new.get(module):
            path = module if "/" in module else "/".join(module.split(".")[1:]) + ".py"
            what = "is new" if module not in old else "is no longer used" if module not in new else "changed"
            reasons.append(f"{path} {what}")
    return reasons


def code_digest(study: "Study") -> str:
    """One hash over the code behind a study."""
    return digest(study_code(study))
