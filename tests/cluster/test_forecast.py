"""Estimated hours and what jobs ask for, against numbers worked out by hand."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from test_stand_ins import SCALE, compiled
from typer.testing import CliRunner

from assay.cli import app
from assay.language.scales import Scale
from assay.language.studies import load_studies
from assay.networks.plan import Plan
from assay.pipeline.estimates import Estimator, Throughputs, model_name, throughputs
from assay.pipeline.forecast import SLACK, START_MINUTES, Forecast

TABLE = Throughputs(
    gpu="a GPU",
    source="nobody",
    models={"resnet18": {"size": 64, "images_per_second": 100}},
    own={"resnet": {"size": 16, "width": 8, "megamacs": 4}, "linear": {"size": 16, "megamacs": 1e-6}},
    reference_megamacs={"model": "resnet18", "megamacs": 200},
    fastest=10000,
    passes={"augment/mixup": 3},
)
JOB = {"gpus": 1, "threads": 4, "train_mb": 9000, "measure_mb": 8000, "minutes": 77, "longest": 100000}


def forecast(tmp_path, monkeypatch, scale=None, **changes) -> Forecast:
    monkeypatch.setattr("assay.pipeline.forecast.throughputs", lambda: TABLE)
    scale = {"job": JOB} | (scale or {})
    study = compiled(tmp_path, scale, **changes)
    return Forecast(Plan([(study, study.blocks)], 1), Scale.model_validate(SCALE | scale), tmp_path / "networks")


def test_hours_are_images_over_images_a_second(tmp_path, monkeypatch):
    found = forecast(tmp_path, monkeypatch)
    erm, mixup = found.plan.studies["study"].cells
    # 50,000 images of 32 px, 200 times; a quarter of the pixels is four times as fast.
    assert found.estimator.hours(erm.recipe) == pytest.approx(50000 * 200 / 400 / 3600)
    assert found.estimator.hours(mixup.recipe) == pytest.approx(3 * 50000 * 200 / 400 / 3600)
    (row,) = found.rows()
    assert (row.networks, row.unknown, row.measured) == (6, 0, False)
    assert row.hours == pytest.approx(3 * 4 * 50000 * 200 / 400 / 3600, abs=0.01)
    assert found.total() == (6, row.hours, 0)


def test_only_the_blocks_that_are_planned_count(tmp_path, monkeypatch):
    monkeypatch.setattr("assay.pipeline.forecast.throughputs", lambda: TABLE)
    scale = {"job": JOB, "first_look": 6, "block": 2}
    study = compiled(tmp_path, scale)
    found = Forecast(Plan([(study, study.blocks[:1])], 1), Scale.model_validate(SCALE | scale), tmp_path / "networks")
    (row,) = found.rows()
    assert (study.seeds, row.networks) == (6, 2 * 2)
    assert found.total() == (row.networks, row.hours, 0)


@pytest.mark.parametrize(
    ("model", "size", "rate"),
    [
        ({"plug": "models/timm", "parameters": {"name": "resnet18.a1_in1k"}}, 64, 100),
        ({"plug": "models/timm", "parameters": {"name": "resnet18"}}, 128, 25),
        ({"plug": "models/timm", "parameters": {"name": "resnet18"}}, 4, 10000),
        ({"plug": "models/resnet", "parameters": {"width": 8}}, 16, 100 * 200 / 4),
        ({"plug": "models/resnet", "parameters": {"width": 16}}, 32, 100 * 200 / 4 / 16),
        ({"plug": "models/linear", "parameters": {}}, 16, 10000),
        ({"plug": "models/timm", "parameters": {"name": "vit_giant"}}, 224, None),
    ],
)
def test_speed_falls_with_pixels_and_with_the_square_of_the_width(model, size, rate):
    assert TABLE.images_per_second(model, size) == rate


def trained(folder: Path, network, **about) -> None:
    path = folder / network.name / "seed-0.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"recipe": network.data, "device": "a GPU", "images_per_second": 50.0} | about))


def test_what_trainings_measured_takes_the_place_of_the_table(tmp_path, monkeypatch):
    found = forecast(tmp_path, monkeypatch)
    erm, mixup = found.plan.studies["study"].cells
    trained(tmp_path / "networks", mixup.recipe)
    measured = Forecast(found.plan, found.scale, tmp_path / "networks")
    # 50 training images a second with mixup are 150 images worked on.
    assert measured.estimator.hours(mixup.recipe) == pytest.approx(50000 * 200 / 50 / 3600)
    assert measured.estimator.hours(erm.recipe) == pytest.approx(50000 * 200 / 150 / 3600)
    assert measured.rows()[0].measured
    assert "resnet18 at 32 px" in measured.basis


@pytest.mark.parametrize(
    "about", [{"device": "cpu"}, {"images_per_second": 0.0}, {"images_per_second": "fast"}, {"recipe": None}]
)
def test_sidecars_that_say_nothing_of_a_gpu_do_not_count(tmp_path, monkeypatch, about):
    found = forecast(tmp_path, monkeypatch)
    recipe = found.plan.studies["study"].cells[0].recipe
    trained(tmp_path / "networks", recipe, **about)
    assert Estimator(TABLE, tmp_path / "networks", gpus=True).measured == {}


def test_jobs_ask_for_the_time_of_their_network_with_slack(tmp_path, monkeypatch):
    found = forecast(tmp_path, monkeypatch)
    study = found.plan.studies["study"]
    bundle = found.plan.bundle_of[study.cells[0].recipe, study.blocks[0]]
    hours = 50000 * 200 / 400 / 3600
    assert found.gpus(bundle) == 1
    assert found.minutes(bundle) == pytest.approx(START_MINUTES + SLACK * 60 * hours, abs=1)
    shared = forecast(tmp_path, monkeypatch, {"job": JOB, "gpus": {"resnet18": 4}})
    assert shared.gpus(bundle) == 4
    assert shared.minutes(bundle) == pytest.approx(START_MINUTES + SLACK * 60 * hours / 4, abs=1)
    capped = forecast(tmp_path, monkeypatch, {"job": JOB | {"longest": 90}})
    assert capped.minutes(bundle) == 90


def test_losses_that_look_at_the_whole_batch_stay_on_one_gpu(tmp_path, monkeypatch):
    arms = {"erm": {}, "mixup": {"augment": {"views": {"of": ["flip"]}}, "objective": "simclr"}}
    found = forecast(tmp_path, monkeypatch, {"job": JOB, "gpus": {"resnet18": 4}}, arms=arms)
    asked = {recipe.splits: found.gpus(bundle) for bundle in found.plan.bundles.values() for recipe in bundle.recipes}
    assert asked == {True: 4, False: 1}


def test_local_scales_ask_for_what_they_say_and_know_only_what_was_measured(tmp_path, monkeypatch):
    scale = {"job": {}, "settings": {}}
    found = forecast(tmp_path, monkeypatch, scale)
    bundle = next(iter(found.plan.bundles.values()))
    job = found.scale.job
    assert (job.train_mb, job.measure_mb, job.threads, found.gpus(bundle), found.minutes(bundle)) == (1500, 2000, 1, 0, 60)
    assert found.rows()[0].hours is None
    trained(tmp_path / "networks", bundle.recipes[0], device="cpu")
    again = Forecast(found.plan, found.scale, tmp_path / "networks")
    assert again.rows()[0].hours == pytest.approx(3 * 4 * (1 + 3) * 512 / 50 / 3600, abs=0.01)


def test_every_model_of_the_cluster_scale_has_a_reference_speed():
    unknown = {
        model_name(recipe.data["model"])
        for study in load_studies("cluster").values()
        for recipe in study.recipes
        if throughputs().images_per_second(recipe.data["model"], 32) is None
    }
    assert unknown == set()


def test_the_command_prints_a_line_a_study_and_says_that_hours_are_estimates():
    result = CliRunner().invoke(app, ["plan", "--scale", "cluster"])
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[1:-2]] == sorted(load_studies("cluster"))
    assert any(line.split()[0] == "mixup" and "shapes -> cifar10" in line for line in lines)
    assert any("keeps urban_shapes: needs factors" in line for line in lines)
    assert lines[-1].startswith("Estimates, from ")
    found = json.loads(CliRunner().invoke(app, ["plan", "--scale", "cluster", "--json"]).stdout)
    assert found["unit"] == "GPU hours"
    assert {row["study"] for row in found["studies"]} == set(load_studies("cluster"))
    refused = CliRunner().invoke(app, ["plan", "--scale", "clutser"])
    assert refused.exit_code == 1
    assert "did you mean 'cluster'?" in refused.stderr


def test_no_torch_is_imported_for_a_plan():
    code = (
        "import sys; from assay.pipeline.forecast import forecast_at;"
        "forecast_at('cluster').lines('x'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
