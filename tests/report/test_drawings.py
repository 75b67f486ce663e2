"""Drawings kept between runs: by what they were made from, unharmed, one for each name."""

import pytest

from assay.report import drawings

KEYS = {"mixup": "a" * 64, "soups": "b" * 64}


@pytest.fixture
def folder(tmp_path):
    for name, key in KEYS.items():
        drawings.keep(tmp_path / "figures", name, key, f"<svg>{name}\n</svg>".encode())
    return tmp_path / "figures"


def test_a_drawing_comes_back_as_it_was(folder):
    assert drawings.kept(folder, KEYS) == {name: f"<svg>{name}\n</svg>".encode() for name in KEYS}


def test_a_drawing_of_something_else_does_not_count(folder):
    assert drawings.kept(folder, KEYS | {"mixup": "c" * 64}).keys() == {"soups"}


@pytest.mark.parametrize("harm", [lambda b: b[:-1], lambda b: b"", lambda b: b.replace(b"mixup", b"other"), lambda b: b + b"\n"])
def test_a_damaged_drawing_does_not_count(folder, harm):
    path = folder / "mixup"
    path.write_bytes(harm(path.read_bytes()))
    assert drawings.kept(folder, KEYS).keys() == {"soups"}


def test_one_drawing_is_kept_for_each_name_and_none_of_others(folder):
    drawings.keep(folder, "mixup", "c" * 64, b"new")
    assert drawings.kept(folder, {"mixup": "c" * 64}) == {"mixup": b"new"}
    assert len(list(folder.iterdir())) == len(KEYS)
    drawings.forget(folder, ["mixup"])
    assert [path.name for path in folder.iterdir()] == ["mixup"]


def test_keys_tell_what_drawings_are_made_from_and_with(monkeypatch):
    keys = {
        drawings.key_of("mixup", {"bars": {}}),
        drawings.key_of("mixup", {"lines": {}}),
        drawings.key_of("soups", {"bars": {}}),
    }
    monkeypatch.setattr(drawings, "_versions", lambda: ["another"])
    keys.add(drawings.key_of("mixup", {"bars": {}}))
    assert len(keys) == 4
