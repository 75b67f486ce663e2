"""docs/measure.md: its example runs, its table is that of the groups; assay.measure says what it cannot take."""

import os
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from outside import small
from photographs import written
from typer.testing import CliRunner

import assay
from assay.cli import app
from assay.errors import StudyError
from assay.scorecard.groups import ALL, GROUPS
from assay.scorecard.notebook import COLUMNS

PAGE = (Path(__file__).parents[2] / "docs" / "measure.md").read_text()
MODULE = "from timm import create_model\ndef build():\n    return create_model('tf_efficientnet_lite0')\n"
IMAGES, LABELS = np.random.default_rng(0).random((9, 3, 8, 8), np.float32), np.arange(9) % 3


def test_the_example_of_the_page_runs_and_gives_what_it_says(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    names = {}
    exec(code, names)
    table = names["table"]
    assert tuple(table.columns) == COLUMNS
    right = (names["model"](torch.from_numpy(names["world"].test.images)).argmax(1).numpy() == names["world"].test.labels).mean()
    assert table.set_index("metric").loc["top1", "value"] == pytest.approx(right)
    assert right > 0.8
    assert "attacked_top1" in capsys.readouterr().out


def test_the_table_of_the_page_is_that_of_the_groups():
    rows = re.findall(r"^\| (\w+) \| .* \| ([\d,]+|all) \|$", PAGE, flags=re.MULTILINE)
    assert rows == [(group.name, "all" if group.images == ALL else f"{group.images:,}") for group in GROUPS]


def test_bytes_are_pixels_and_the_model_is_left_as_it_is():
    model = small().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    floats = assay.measure(model, (IMAGES * 255).round() / 255, LABELS, only=["accuracy"])
    as_bytes = assay.measure(model, (IMAGES * 255).round().astype(np.uint8), torch.from_numpy(LABELS), only=["accuracy"])
    assert floats.equals(as_bytes)
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_normalisation_is_part_of_the_model():
    model = small()
    given = {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.1)}
    table = assay.measure(model, IMAGES, LABELS, only=["calibration"], **given)
    mean, std = (torch.tensor(values).reshape(1, 3, 1, 1) for values in given.values())
    logits = model((torch.from_numpy(IMAGES) - mean) / std)
    expected = torch.nn.functional.cross_entropy(logits, torch.from_numpy(LABELS)).item()
    assert table.set_index("metric").loc["nll", "value"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("images", "labels", "said"),
    [
        (IMAGES[0], LABELS, "wanted: N, C, H, W"),
        (IMAGES * 2 - 1, LABELS, r"floats in \[0, 1\]"),
        (IMAGES, LABELS[:3], "9 images and 3 labels"),
        (IMAGES, LABELS + 1, "labels from 1 to 3 for 3 logits"),
        (IMAGES, LABELS / 2, "whole numbers"),
        (IMAGES[:0], LABELS[:0], "at least one image"),
    ],
)
def test_what_cannot_be_measured_is_said(images, labels, said):
    with pytest.raises(StudyError, match=said):
        assay.measure(small(), images, labels)


def test_the_commands_of_the_page_are_planned_as_written(tmp_path, monkeypatch):
    """In a folder with such a module, at a home with such images; what they would compute is not computed."""
    written(tmp_path / "birds")
    (tmp_path / "mymodule.py").write_text(MODULE)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (console,) = re.findall(r"```console\n(.*?)```", PAGE, flags=re.DOTALL)
    lines = [line.removeprefix("$ assay ") for line in console.splitlines()]
    for line in lines:
        words = [os.path.expanduser(word) for word in shlex.split(line)]
        done = CliRunner().invoke(app, [*words, "--dry-run"])
        assert done.exit_code == 0, done.output
        assert "6 classes of the data are matched by name to 1000 logits" in done.output
    assert len(lines) == 3
