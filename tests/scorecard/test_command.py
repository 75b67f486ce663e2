"""`assay measure` from the command line: jobs are kept and resumed, failures are said, the pages hold what was measured."""

import csv
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from assay.cli import app
from assay.errors import StudyError
from assay.scorecard.pages import PAGES
from assay.scorecard.request import Request, weights_for
from assay.scorecard.running import minutes_of, numbers_of

HERE = Path(__file__).parent
ONLY = ("--only", "accuracy,calibration,cost")


def images(root: Path) -> Path:
    generator = np.random.default_rng(0)
    for number in range(24):
        path = root / "abc"[number % 3] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (10, 12, 3), np.uint8)).save(path)
    (root / "a" / ".hidden").write_bytes(b"")
    return root


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder of images, one of which is broken, and one for results; models are found where the person is."""
    before = Path.cwd()
    os.chdir(HERE)
    yield tmp_path_factory.mktemp("measure")
    os.chdir(before)


@pytest.fixture(scope="module")
def data(place) -> Path:
    root = images(place / "letters")
    (root / "b" / "broken.png").write_bytes(b"no image")
    return root


def measure(*arguments: object):
    return CliRunner().invoke(app, ["measure", *map(str, arguments), "--size", "8", "--cores", "2"])


@pytest.fixture(scope="module")
def runs(place, data):
    """What three calls said: with the broken file, without it, and with a second model; and the first model's files after two."""
    out, times = place / "out", {}
    broken = measure("outside:small", "--data", data, *ONLY, "--out", out)
    times["page"] = (out / "report.html").read_text()
    first = measure("outside:small", "--data", data, *ONLY, "--out", out, "--skip-unreadable")
    times["before"] = {path: path.stat().st_mtime_ns for path in (out / "measured").rglob("*.json")}
    second = measure("outside:small", "outside:wide", "--data", data, *ONLY, "--out", out, "--skip-unreadable")
    times["after"] = {path: path.stat().st_mtime_ns for path in times["before"]}
    return out, (broken, first, second), times


def test_a_file_that_cannot_be_read_is_named_and_can_be_skipped(runs):
    _, (broken, first, _), times = runs
    assert broken.exit_code == 1
    assert "b/broken.png" in times["page"]
    assert re.search(r"images \w+: 1 files cannot be read as images: b/broken.png.*--skip-unreadable", broken.output)
    assert first.exit_code == 0, first.output


def test_the_plan_and_how_images_are_made_are_printed_first(runs):
    said = runs[1][1].output
    assert "outside:small: 8 px, 3 channels, crop 0.875, bicubic, center" in said
    assert "logits are taken to be the data's classes in their order: a, b, c" in said
    assert "1 hidden files and 0 that are no images" in said
    assert re.search(r"plan: 4 jobs, [\d.]+ core minutes, about [\d.]+ minutes on 2 cores; at most [\d.]+ GiB a job", said)


def test_a_second_model_adds_its_own_jobs_alone(runs):
    _, (_, _, second), times = runs
    assert second.exit_code == 0, second.output
    assert times["before"] == times["after"]
    assert len(times["before"]) == 3


def test_the_folder_holds_the_report_tables_and_card(runs):
    out = runs[0]
    assert {path.name for path in out.glob("*.*")} == {*PAGES, "request.json"}
    rows = list(csv.DictReader((out / "metrics.csv").open()))
    assert {row["model"] for row in rows} == {"outside:small", "outside:wide"}
    top1 = next(row for row in rows if row["metric"] == "top1")
    assert (top1["images"], top1["interval"]) == ("24", "exact binomial")
    held = json.loads((out / "metrics.json").read_text())
    assert held["reference"] == "outside:small"
    assert {each["key"] for each in held["differences"]} == {"top1", "ece", "nll"}
    about = held["models"]["outside:wide"]["accuracy"]["about"]
    assert about["model"]["source"] == held["models"]["outside:small"]["accuracy"]["about"]["model"]["source"] != ""
    assert len(about["data"]["digests"]["test"]) == 16
    card = (out / "card.md").read_text()
    assert card.count("# Model card: ") == 2
    assert "## Intended use" in card
    assert r"outside:small" in (out / "table.tex").read_text()


def test_the_report_needs_no_other_file_and_runs_nothing(runs):
    page = (runs[0] / "report.html").read_text()
    assert re.findall(r'(?:src|href)="(?!data:image/png;base64,|#)', page) == []
    assert "<script" not in page
    assert "default-src 'none'" in page
    assert page.count("data:image/png") >= 10
    assert "1 unreadable files skipped" in page


def test_a_request_is_read_as_it_was_saved(runs, tmp_path):
    request = Request.read(runs[0] / "request.json")
    request.save(tmp_path / "again.json")
    assert Request.read(tmp_path / "again.json") == request


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("outside:small",), "no data"),
        (("outside:small", "--data", "shaeps"), "did you mean 'shapes'"),
        (("outside:small", "outside:small", "--data", "{shapes: {classes: 3}}", "-n"), "the same model twice"),
        (("outside:small", "--data", "{shapes: {classes: 3}}", "--only", "speed"), "unknown group of metrics"),
        (("outside:small", "--data", "{shapes: {classes: 3}}", "--budget", "soon"), "'soon' is no time"),
        (("outside:small", "--data", "{shapes: {classes: 3}}", "--mean", "a"), "are no numbers"),
        (("outside:small", "--data", "{shapes: {classes: 3}}", "--interpolation", "cubic"), "interpolation 'cubic'"),
        (("outside:small", "--data", "{shapes: {classes: 3}}", "--weights", "a", "--weights", "b"), "2 files for 1 models"),
    ],
)
def test_what_cannot_be_measured_is_said_in_one_line(place, arguments, said):
    found = measure(*arguments)
    assert found.exit_code == 1
    assert said in found.output
    assert "Traceback" not in found.output


def test_a_folder_of_other_classes_is_refused_before_anything_runs(place, data, tmp_path):
    found = measure("outside:small", "--data", images(tmp_path / "x").parent / "x", "--names", _names(tmp_path), "-n")
    assert found.exit_code == 1
    assert "3 of the data's 3 classes are none of its 3: a, b, c" in found.output


def _names(folder: Path) -> Path:
    (folder / "names.txt").write_text("cat\ndog\ncow\n")
    return folder / "names.txt"


def test_a_budget_is_kept_by_the_plan(place):
    asked = ("outside:small", "--data", "{shapes: {classes: 3, test: 900}}", "-n")
    plans = [measure(*asked, *more).output for more in ((), ("--budget", "2min"))]
    minutes = [float(re.search(r"jobs, ([\d.]+) core", plan)[1]) for plan in plans]
    assert minutes[1] <= max(2.2, minutes[0])
    assert re.search(r"accuracy +900", plans[0])


def test_times_and_numbers_as_people_write_them():
    assert [minutes_of(text) for text in ("5", "5min", "90s", "2h", None)] == [5, 5, 1.5, 120, None]
    assert numbers_of("0.5, 0.25") == (0.5, 0.25)


def test_files_of_weights_go_to_the_models_that_take_them_in_order():
    named = ["resnet18", str(HERE.parents[1] / "data/efficientnet_lite0.safetensors"), "outside:small"]
    assert weights_for(named, ["a", "-"]) == ["a", None, None]
    assert weights_for(named, []) == [None] * 3
    with pytest.raises(StudyError, match="1 files for 2 models"):
        weights_for(named, ["a"])


def test_the_page_shows_what_is_wrong_and_what_is_confused(runs):
    """As many images are confused as are wrong, and of these the surest are shown."""
    out, page = runs[0], (runs[0] / "report.html").read_text()
    rows = list(csv.DictReader((out / "metrics.csv").open()))
    wrong = {row["model"]: round(24 * (1 - float(row["value"]))) for row in rows if row["metric"] == "top1"}
    said = re.findall(r"Most often: (.*?)\.</p>", page)
    counts = [sum(map(int, re.findall(r"\((\d+)\)", text))) for text in said]
    assert counts == list(wrong.values())
    assert len(re.findall(r"taken for [abc], \d+%", page)) == sum(min(12, count) for count in counts)
