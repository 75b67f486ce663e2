"""Numbers, names and keys as they are written in YAML: what reads as another value than it looks like is refused."""

import pytest

from assay.errors import StudyError
from assay.language.inputs import read_yaml


def read(tmp_path, text: str):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    return read_yaml(path)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        *(("0", 0), ("7", 7), ("-3", -3), ("+3", 3), ("1000000", 1000000)),
        *(("0.5", 0.5), ("-0.25", -0.25), ("1.", 1.0), (".5", 0.5), ("1e-3", 0.001), ("1.5E+2", 150.0), ("0.0", 0.0)),
        *(("'0100'", "0100"), ('"1:04"', "1:04"), ("1.0.2", "1.0.2"), ("erm.top1 > 0.5", "erm.top1 > 0.5")),
    ],
)
def test_a_number_is_what_it_looks_like(tmp_path, written, value):
    found = read(tmp_path, f"lr: {written}\n")["lr"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("written", "fix"),
    [
        ("0100", "YAML reads it as 64; write 64 if that is meant, else 100"),
        ("-017", "YAML reads it as -15; write -15 if that is meant, else -17"),
        ("1:04", "YAML reads it as 64; write 64 if that is meant, or quote it"),
        ("1_0.5", "YAML reads it as 10.5; write 10.5 if that is meant, or quote it"),
        ("1_000", "YAML reads it as 1000; write 1000 if that is meant, or quote it"),
        ("0x1F", "YAML reads it as 31; write 31 if that is meant, or quote it"),
        ("0b101", "YAML reads it as 5; write 5 if that is meant, or quote it"),
        ("1:04.5", "YAML reads it as 64.5; write 64.5 if that is meant, or quote it"),
        (".inf", "not a finite number"),
        ("-.INF", "not a finite number"),
        (".nan", "not a finite number"),
        ("1e999", "not a finite number"),
    ],
)
def test_a_number_that_reads_as_another_is_refused_as_written(tmp_path, written, fix):
    for text, line in ((f"a: 1\nlr: {written}\n", 2), (f"sweep: [1, {written}]\n", 1)):
        with pytest.raises(StudyError) as caught:
            read(tmp_path, text)
        assert f"study.yaml:{line}: " in str(caught.value)
        assert f"'{written}': {fix}" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_key_is_the_text_that_is_written(tmp_path):
    """YAML 1.1 takes some names for truth values, and digits for numbers."""
    assert read(tmp_path, "no: 1\non: 2\nyes: 3\n1: 4\n1.50: 5\nnull: 6\n~: 7\n2026-11-01: 8\n") == {
        **{"no": 1, "on": 2, "yes": 3, "1": 4, "1.50": 5, "null": 6, "~": 7, "2026-11-01": 8}
    }


def test_a_key_is_written_once(tmp_path):
    for text, line in (("a: 1\nb: 2\na: 3\n", 3), ("x:\n  a: {b: 1, b: 2}\n", 2)):
        with pytest.raises(StudyError, match=rf"study\.yaml:{line}: .*is written twice"):
            read(tmp_path, text)
