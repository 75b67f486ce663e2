"""Evidence on disk: exact round trips, bytes that repeat, and one line for whatever was cut, altered or never a number."""

import csv
import hashlib
import io
import json
import math
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import EvidenceError
from assay.evidence import freshness as judged
from assay.evidence.freshness import freshness
from assay.evidence.tables import (
    FORMAT,
    Evidence,
    Observation,
    as_csv,
    coordinate,
    joined,
    pack_arrays,
    read_evidence,
    write_evidence,
)
from assay.provenance.commits import commit
from assay.storage.files import sha256

ROWS = [
    Observation("mixup", "erm", 0, "top1", None, 0.1 + 0.2),
    Observation("mixup", "erm", 1, "robust", 3.0, 5e-324),
    Observation("mixup", 'nan, "quoted"', 0, "cka", "conv1", -1e300),
]
ARRAYS = {"erm/map": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.array([True, False])}
ABOUT = {"format": FORMAT, "study": "mixup", "block": "0-4", "code": {}}


@pytest.fixture
def folder(tmp_path):
    write_evidence(tmp_path / "mixup", ROWS, ARRAYS, ABOUT)
    return tmp_path / "mixup"


def resign(folder, **content: bytes):
    """Replace files and note their checksums, as a program that writes wrong evidence would."""
    provenance = json.loads((folder / "provenance.json").read_text())
    for stem, key in (("observations.csv", "sha256"), ("arrays.npz", "arrays_sha256")):
        (folder / stem).write_bytes(content.get(stem.split(".")[0], (folder / stem).read_bytes()))
        provenance[key] = sha256(folder / stem)
    (folder / "provenance.json").write_text(json.dumps(provenance))


def test_evidence_comes_back_exactly(folder):
    found = read_evidence(folder)
    assert found.observations == ROWS
    assert list(found.arrays) == sorted(ARRAYS)
    assert all(
        np.array_equal(found.arrays[name], value) and found.arrays[name].dtype == value.dtype for name, value in ARRAYS.items()
    )
    assert found.provenance["rows"] == 3
    assert found.provenance["study"] == "mixup"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_survives_the_table(value):
    assert math.copysign(1, coordinate(repr(value))) == math.copysign(1, value)
    assert coordinate(repr(value)) == value


@pytest.mark.parametrize(("text", "x"), [("", None), ("0.5", 0.5), ("3", 3.0), ("conv1", "conv1"), ("1e-3", 0.001)])
def test_coordinates_are_nothing_numbers_or_names(text, x):
    assert coordinate(text) == x


@given(st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(["conv1", "a,b", '"']))
def test_a_table_that_was_read_is_written_with_the_same_bytes(x):
    """Readers download what was measured: 3 stays 3, and 3.0 stays 3.0."""
    text = as_csv([Observation("mixup", "erm", 0, "top1", x, 0.5)])
    _, (*row, value) = csv.reader(io.StringIO(text, newline=""))
    assert as_csv([Observation(*row[:2], int(row[2]), row[3], coordinate(row[4]), float(value))]) == text


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused_before_anything_is_written(tmp_path, value):
    with pytest.raises(EvidenceError, match=r"mixup: arm 'erm', seed 2: metric 'top1' at x = 4 is .*; metrics are finite"):
        write_evidence(tmp_path / "mixup", [*ROWS, Observation("mixup", "erm", 2, "top1", 4, value)], {}, {})
    assert not list(tmp_path.iterdir())


def test_same_evidence_gives_same_bytes_whatever_the_order_of_arrays(folder, tmp_path):
    write_evidence(tmp_path / "again", ROWS, dict(reversed(ARRAYS.items())), ABOUT)
    for path in folder.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_archives_open_with_numpy_and_hold_no_pickles(tmp_path):
    (tmp_path / "a.npz").write_bytes(pack_arrays({"column": np.zeros((4, 6))[:, ::2]}))
    assert np.load(tmp_path / "a.npz", allow_pickle=False)["column"].shape == (4, 3)
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        pack_arrays({"evil": np.array([{"a": 1}], dtype=object)})


@pytest.mark.parametrize("name", ["observations.csv", "arrays.npz", "provenance.json"])
@pytest.mark.parametrize("damage", ["cut", "lost", "empty"])
def test_damaged_file_is_named_in_one_line(folder, name, damage):
    path = folder / name
    content = path.read_bytes()
    path.unlink() if damage == "lost" else path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
    with pytest.raises(EvidenceError) as caught:
        read_evidence(folder)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_changed_digit_is_noticed(folder):
    path = folder / "observations.csv"
    path.write_text(path.read_text().replace("robust,3.0", "robust,4.0"))
    with pytest.raises(EvidenceError, match=r"observations\.csv: truncated or altered"):
        read_evidence(folder)


def test_provenance_without_checksums_vouches_for_nothing(folder):
    (folder / "provenance.json").write_text(f'{{"format": {FORMAT}}}')
    with pytest.raises(EvidenceError, match="truncated or altered"):
        read_evidence(folder)


@pytest.mark.parametrize(("format", "shown"), [(None, "None"), (0, "0"), (2, "2"), ("1", "'1'")])
def test_evidence_of_another_format_is_said_in_one_line(folder, format, shown):
    provenance = json.loads((folder / "provenance.json").read_text()) | {"format": format}
    (folder / "provenance.json").write_text(json.dumps(provenance))
    with pytest.raises(EvidenceError) as caught:
        read_evidence(folder)
    assert str(caught.value) == (
        f"{folder}/provenance.json: key 'format': {shown} (allowed: 1); it is of another version of assay; measure it anew"
    )


HEADER = "study,arm,seed,metric,x,value\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ":0: its header is not"),
        ("study,arm\n", ":1: its header is not"),
        (f"{HEADER}s,a,zero,m,,1.0\n", ":2: .*'zero'"),
        (f"{HEADER}s,a,0,m,,1.0\ns,a,1,m,,one\n", ":3: .*'one'"),
        (f"{HEADER}s,a,0\n", ":2: not enough values"),
    ],
)
def test_malformed_table_names_the_line(folder, text, said):
    resign(folder, observations=text.encode())
    with pytest.raises(EvidenceError, match=rf"observations\.csv{said}"):
        read_evidence(folder)


def test_pickled_arrays_are_refused(folder, tmp_path):
    np.savez(tmp_path / "evil.npz", evil=np.array([{"a": 1}], dtype=object))
    resign(folder, arrays=(tmp_path / "evil.npz").read_bytes())
    with pytest.raises(EvidenceError, match=r"arrays\.npz: arrays cannot be read \(Object arrays"):
        read_evidence(folder)


def test_what_is_no_archive_is_refused(folder):
    resign(folder, arrays=b"PK\x03\x04 not an archive")
    with pytest.raises(EvidenceError, match=r"arrays\.npz: arrays cannot be read"):
        read_evidence(folder)


def test_freshness_names_every_module_that_moved(monkeypatch):
    code = {"assay.measuring.arm": "1", "assay.augment.mixup": "2", "assay.metrics.ece": "3"}
    monkeypatch.setattr(judged, "study_code", lambda study: study.code)
    study = SimpleNamespace(digest="d", code=code)

    def found(**provenance):
        return tuple(vars(freshness(study, provenance)).values())

    assert found(study_sha256="d", code=code) == ("fresh", ())
    assert found(study_sha256="e", code=code) == ("stale", ("what the study measures changed",))
    old = {"assay.measuring.arm": "1", "assay.augment.mixup": "0", "assay.augment.cutmix": "4"}
    moved = ("augment/cutmix.py is no longer used", "augment/mixup.py changed", "metrics/ece.py is new")
    assert found(study_sha256="d", code=old) == ("unproven", moved)
    assert len(found()[1]) == 4


def test_another_file_that_the_study_reads_makes_evidence_stale(monkeypatch):
    monkeypatch.setattr(judged, "study_code", lambda study: study.code)
    study = SimpleNamespace(digest="d", code={"assay.worlds.photos": "1", "data/photos.npz": "2"})
    found = freshness(study, {"study_sha256": "d", "code": {"assay.worlds.photos": "1", "data/photos.npz": "0"}})
    assert (found.word, found.reasons) == ("stale", ("data/photos.npz changed",))


def part(first: int, last: int, **changes):
    """A block as it is read, with numbers that tell which repetition they are of."""
    seeds = list(range(first, last + 1))
    name = f"{first}-{last}"
    about = {
        "study": "mixup",
        "block": name,
        "seeds": seeds,
        "tested": "16 px shapes",
        "recipes": {"erm": [f"weights {seed}" for seed in seeds]},
        "data": {f"shapes/{seed}": f"images {seed}" for seed in seeds},
        "platform": PLATFORM,
        "cost": {"train_core_s": 1.5, "networks": {"erm": 1.25}, "measure_core_s": 0.5},
        "rows": len(seeds),
        "sha256": f"sum of {name}",
        "date": f"2026-11-{first + 1:02}",
    }
    rows = [Observation("mixup", "erm", seed, "top1", None, float(seed)) for seed in seeds]
    arrays = {"erm/training_loss": np.array(seeds)[:, None] * np.ones(3), "erm/map": np.array([first])}
    return Evidence(rows, arrays, about | changes)


PLATFORM = {"cpu": "one", "vendor": "one", "device": "cpu", "torch": "2"}


def test_blocks_are_one_evidence():
    both = joined([part(0, 1), part(2, 3)])
    assert [row.seed for row in both.observations] == [0, 1, 2, 3]
    assert both.arrays["erm/training_loss"].tolist() == [[seed] * 3 for seed in range(4)]
    assert both.arrays["erm/map"].tolist() == [0]  # what is kept for figures is the first repetition's
    about = both.provenance
    assert about["seeds"] == [0, 1, 2, 3]
    assert about["tested"] == "16 px shapes, 4 seeds"
    assert about["recipes"] == {"erm": [f"weights {seed}" for seed in range(4)]}
    assert about["data"] == {f"shapes/{seed}": f"images {seed}" for seed in range(4)}
    assert about["cost"] == {"train_core_s": 3.0, "networks": {"erm": 2.5}, "measure_core_s": 1.0}
    assert about["rows"] == 4
    assert about["blocks"] == {"0-1": "sum of 0-1", "2-3": "sum of 2-3"}
    assert about["sha256"] == hashlib.sha256(b"sum of 0-1\nsum of 2-3").hexdigest()


def test_a_single_block_is_itself():
    (rows, arrays, about), one = (vars(joined([part(0, 0)])).values(), part(0, 0))
    assert rows == one.observations
    assert arrays.keys() == one.arrays.keys()
    assert about["sha256"] == "sum of 0-0"
    assert about["tested"] == "16 px shapes, 1 seed"


def test_blocks_of_two_platforms_are_never_mixed():
    with pytest.raises(EvidenceError) as caught:
        joined([part(0, 1), part(2, 3, platform=PLATFORM | {"cpu": "two", "vendor": "two"})])
    assert str(caught.value) == (
        "mixup: blocks 0-1 and 2-3 are of two platforms (one, torch 2; two, torch 2); they are never mixed"
    )


def test_commit_is_that_of_git_and_notices_local_changes(tmp_path):
    assert commit(tmp_path) == (None, None)

    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run(["git", *identity, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    git("init", "-q")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-q", "-m", "a")
    assert commit(tmp_path) == (git("rev-parse", "HEAD").strip(), False)
    (tmp_path / "b").write_text("untracked")
    assert commit(tmp_path)[1] is False
    (tmp_path / "a").write_text("2")
    assert commit(tmp_path)[1] is True


def test_checksums_are_those_of_the_standard_tool(folder):
    content = (folder / "observations.csv").read_bytes()
    assert read_evidence(folder).provenance["sha256"] == hashlib.sha256(content).hexdigest()
