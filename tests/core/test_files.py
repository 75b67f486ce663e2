"""Files: whole or not there, whatever interrupts the writing; whatever cannot be read is one line."""

import os

import pytest

from assay.errors import EvidenceError
from assay.storage import files
from assay.storage.files import read_json, sha256, write_atomic


@pytest.mark.parametrize(("content", "stored"), [("é\n", b"\xc3\xa9\n"), (b"\x00\xff", b"\x00\xff"), ("", b"")])
def test_text_and_bytes_are_written_with_their_folders(tmp_path, content, stored):
    path = tmp_path / "a" / "b" / "file"
    write_atomic(path, content)
    assert path.read_bytes() == stored
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_interrupted_writing_leaves_the_old_file(tmp_path, monkeypatch, step):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    path = tmp_path / "file"
    write_atomic(path, "old")
    monkeypatch.setattr(files.os, step, interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_reader_never_sees_half_a_file(tmp_path, monkeypatch):
    path, seen, replace = tmp_path / "file", [], os.replace
    write_atomic(path, "old")

    def observed(source, target):
        seen.append(path.read_text())
        replace(source, target)

    monkeypatch.setattr(files.os, "replace", observed)
    write_atomic(path, "new")
    assert (seen, path.read_text()) == (["old"], "new")


@pytest.mark.parametrize(
    ("content", "digest"),
    [
        (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ],
)
def test_sha256_of_the_standards_examples(tmp_path, content, digest):
    """FIPS 180-2, appendix B.1, and the empty message."""
    (tmp_path / "file").write_bytes(content)
    assert sha256(tmp_path / "file") == digest


def test_json_comes_back(tmp_path):
    (tmp_path / "a.json").write_text('{"é": [1, 2.5, null]}', encoding="utf-8")
    assert read_json(tmp_path / "a.json") == {"é": [1, 2.5, None]}


CUT = "truncated or not JSON"


@pytest.mark.parametrize(("content", "said"), [(b'{"a": 1', CUT), (b"", CUT), (b"\xff", CUT), (b"[1]", "expected a JSON object")])
def test_what_is_no_json_object_is_one_line(tmp_path, content, said):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(EvidenceError, match=rf"a\.json: .*{said}") as caught:
        read_json(tmp_path / "a.json")
    assert "\n" not in str(caught.value)


def test_missing_file_says_how_to_make_it(tmp_path):
    with pytest.raises(EvidenceError, match=r"a\.json: does not exist; run snakemake"):
        read_json(tmp_path / "a.json")
