"""Evidence on disk: observations, arrays kept for figures, and the provenance that says what they rest on. No torch here.

A block of repetitions is written once and never opened again, here or in the archive:

<study>/<first>-<last>/observations.csv   study, arm, seed, metric, x, value
<study>/<first>-<last>/arrays.npz         arrays by "<arm>/<name>", of the block's first repetition
<study>/<first>-<last>/provenance.json    format, code, recipes, platform, versions, sha256 of the two; written last
"""

import csv
import hashlib
import io
import itertools
import json
import math
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from assay.errors import EvidenceError
from assay.language.blocks import Block
from assay.language.together import together
from assay.provenance import proofs
from assay.provenance.fingerprints import fingerprint_of_measuring
from assay.provenance.platforms import platform_key, platform_name
from assay.storage.files import read_json, sha256, write_atomic

if TYPE_CHECKING:
    from assay.language.studies import Study

FORMAT = 1  # of what a block holds
FILES = ("observations.csv", "arrays.npz", "provenance.json")
COLUMNS = ("study", "arm", "seed", "metric", "x", "value")
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
    """What measuring a block left, or several blocks together."""

    observations: list[Observation]
    arrays: dict[str, np.ndarray]
    provenance: dict


def study_code(study: "Study") -> dict[str, str]:
    """Hashes of the modules a study's observations are computed with, and of the files they are computed from."""
    return fingerprint_of_measuring(study.plugs, study.reads, together(study.recipes, study.block_size))


def write_evidence(folder: Path, observations: list[Observation], arrays: dict[str, np.ndarray], provenance: dict) -> None:
    """Write observations and arrays, then the provenance that makes them count. EvidenceError for a value that is no number."""
    check_finite(observations)
    write_atomic(folder / "observations.csv", as_csv(observations))
    write_atomic(folder / "arrays.npz", pack_arrays(arrays))
    sums = {"sha256": sha256(folder / "observations.csv"), "arrays_sha256": sha256(folder / "arrays.npz")}
    write_atomic(
        folder / "provenance.json", json.dumps({**provenance, "rows": len(observations), **sums}, indent=1, sort_keys=True)
    )


def check_finite(observations: Sequence[Observation]) -> None:
    """EvidenceError for the first value that is no number."""
    for row in observations:
        if not math.isfinite(row.value):
            place = f" at x = {row.x}" if row.x is not None else ""
            raise EvidenceError(
                f"{row.study}: arm '{row.arm}', seed {row.seed}: metric '{row.metric}'{place} is {row.value}; metrics are finite"
            )


def as_csv(observations: Sequence[Observation]) -> str:
    """Observations as a table in text; values are exact."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((*row[:4], "" if row.x is None else row.x, repr(float(row.value))) for row in observations)
    return text.getvalue()


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
    """Read and check a block's evidence. EvidenceError names the file that is missing, truncated, altered or of another kind."""
    return unpacked(folder, check_evidence(folder))


def unpacked(folder: Path, provenance: dict) -> Evidence:
    """The evidence of a block that was checked; EvidenceError for a row of a repetition that the block has not."""
    path = folder / "observations.csv"
    rows = _rows(path)
    strange = {row.seed for row in rows} - set(provenance["seeds"]) if "seeds" in provenance else ()
    if strange:
        block = provenance.get("block")
        raise EvidenceError(
            f"{path}: seed {min(strange)} was never asked for (block {block}); delete {folder} and run snakemake again"
        )
    return Evidence(rows, read_arrays(folder / "arrays.npz"), provenance)


def check_evidence(folder: Path) -> dict:
    """The provenance of a block whose files are those it vouches for; EvidenceError as `read_evidence`."""
    provenance = read_json(folder / "provenance.json")
    if provenance.get("format") != FORMAT:
        raise EvidenceError(
            f"{folder / 'provenance.json'}: key 'format': {provenance.get('format')!r} (allowed: {FORMAT});"
            " it is of another version of assay; measure it anew"
        )
    for name, key in (("observations.csv", "sha256"), ("arrays.npz", "arrays_sha256")):
        path = folder / name
        if not path.exists():
            raise EvidenceError(f"{path}: does not exist; run snakemake again to measure it anew")
        if sha256(path) != provenance.get(key):
            raise EvidenceError(
                f"{path}: truncated or altered (not the sha256 in provenance.json); run snakemake again to measure anew"
            )
    return provenance


def read_blocks(folders: Sequence[Path]) -> Evidence:
    """The evidence of a study's blocks, in their order, as one."""
    return joined([read_evidence(folder) for folder in folders])


def joined(parts: Sequence[Evidence]) -> Evidence:
    """Blocks as one: rows of all, arrays of the first, training losses of all repetitions, costs added up.

    EvidenceError where blocks are of two platforms, which are never mixed in one comparison, or lack what others have.
    """
    provenance = joined_provenance([part.provenance for part in parts])
    try:
        return Evidence([row for part in parts for row in part.observations], _joined_arrays(parts), provenance)
    except KeyError as error:
        raise _lacking(error, provenance) from None


def joined_provenance(provenances: Sequence[dict]) -> dict:
    """What is said of blocks, as of one; EvidenceError as `joined`."""
    try:
        return _joined_provenance(provenances)
    except KeyError as error:
        raise _lacking(error, provenances[0]) from None


def _lacking(error: KeyError, provenance: dict) -> EvidenceError:
    name = provenance.get("study", "evidence")
    return EvidenceError(f"{name}: a block lacks {error}; delete results/*/observations/{name} and measure it anew")


def _joined_arrays(parts: Sequence[Evidence]) -> dict[str, np.ndarray]:
    arrays = dict(parts[0].arrays)
    for name in [name for name in arrays if name.endswith(f"/{TRAINING_LOSS}")]:
        arrays[name] = np.concatenate([part.arrays[name] for part in parts])
    return arrays


def _joined_provenance(provenances: Sequence[dict]) -> dict:
    first = provenances[0]
    _refuse_gaps(provenances)
    for other in provenances[1:]:
        if platform_key(other["platform"]) != platform_key(first["platform"]):
            raise EvidenceError(
                f"{first['study']}: blocks {first['block']} and {other['block']} are of two platforms"
                f" ({platform_name(first['platform'])}; {platform_name(other['platform'])}); they are never mixed"
            )
    seeds = [seed for each in provenances for seed in each["seeds"]]
    together = {
        "seeds": seeds,
        "tested": f"{first['tested']}, {len(seeds)} seed{'s' if len(seeds) > 1 else ''}",
        "recipes": {name: [sha for each in provenances for sha in each["recipes"][name]] for name in first["recipes"]},
        "data": {name: sha for each in provenances for name, sha in each["data"].items()},
        "cost": _added([each["cost"] for each in provenances]),
        "rows": sum(each["rows"] for each in provenances),
        "sha256": _one_of([each["sha256"] for each in provenances]),
        "blocks": {each["block"]: each["sha256"] for each in provenances},
    }
    before = {cell: made for each in provenances for cell, made in each.get("measured_before", {}).items()}
    return first | together | ({"measured_before": before} if before else {})


def _refuse_gaps(provenances: Sequence[dict]) -> None:
    """EvidenceError unless each block begins where the one before it ends."""
    for one, other in itertools.pairwise(provenances):
        if Block.named(other["block"]).first != Block.named(one["block"]).last + 1:
            between = f"between blocks {one['block']} and {other['block']}"
            raise EvidenceError(f"{one['study']}: {between} seeds are missing; run snakemake to measure them")


def _added(costs: Sequence[dict]) -> dict:
    """Core seconds of blocks together."""
    return {
        "train_core_s": round(sum(cost["train_core_s"] for cost in costs), 1),
        "networks": {name: round(sum(cost["networks"][name] for cost in costs), 1) for name in costs[0]["networks"]},
        "measure_core_s": round(sum(cost["measure_core_s"] for cost in costs), 1),
    }


def _one_of(sums: Sequence[str]) -> str:
    """One checksum for the tables of several blocks; a single block keeps its own."""
    return sums[0] if len(sums) == 1 else hashlib.sha256("\n".join(sums).encode()).hexdigest()


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
    """An x as written in the table: empty for none, a number, or a name. `as_csv` writes it again as it was."""
    if text == "":
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def code_digest(study: "Study") -> str:
    """One hash over the code behind a study, and over all code proven to compute the same."""
    return proofs.code_digest(study_code(study))
