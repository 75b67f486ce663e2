"""Models that do not take the images of their world: said before the first job, as training would end with."""

import shutil
import sys
from functools import partial
from pathlib import Path

import pytest
import torch

from assay.data.seeds import Draw
from assay.errors import StudyError
from assay.language import kept
from assay.language.plugs import describe, find, load
from assay.language.studies import load_studies
from assay.pipeline import fitting, probing
from assay.pipeline.fitting import images_of, refuse_unfit, unfit
from assay.storage.places import PROJECT

STUDY = """
paper: P166
question: Does it fit?
base: {world: {shapes: {size: 8}}, model: linear, budget: {epochs: 1}}
arms: {plain: {}, deep: {model: MODEL}}
protocol: classify
controls: [plain.top1 > 0]
expect: [deep.top1 > plain.top1]
"""


def canonical(kind: str, name: str, /, **given) -> dict:
    """A plug with its defaults."""
    declared = describe(kind, name).parameters
    values = {key: parameter.default for key, parameter in declared.items()} | given
    plugs = {key for key, parameter in declared.items() if parameter.plug and isinstance(values[key], str)}
    return {
        "plug": f"{kind}/{name}",
        "parameters": {key: canonical(declared[key].plug, value) if key in plugs else value for key, value in values.items()},
    }


def takes(name: str, size: int, /, **given) -> bool:
    """Whether the model really computes a step."""
    try:
        load("models", name)(3, 10, size, **given)(torch.rand(2, 3, size, size))
    except Exception:
        return False
    return True


@pytest.mark.parametrize(
    ("name", "given"), [("aps", {}), ("vit", {"patch": 11}), ("convnet", {}), ("timm", {"name": "convnext_atto"})]
)
def test_an_answer_is_what_a_step_in_earnest_would_end_with(name, given):
    for size in (8, 9, 10, 13, 16):
        found = probing.answer(canonical("models", name, **given), 3, size)
        assert (found is None) == takes(name, size, **given), size
        if found:
            assert takes(name, found["takes"], **given)
            assert not takes(name, found["takes"] - 1, **given)


def test_the_smallest_image_of_inception_v3():
    """75 pixels by the documentation of Keras, which has the same network."""
    assert probing.answer(canonical("models", "timm", name="inception_v3"), 3, 32)["takes"] == 75


def test_what_a_model_refuses_by_itself_and_what_cannot_be_built():
    assert "patches = 4 does not divide" in probing.answer(canonical("models", "lcn"), 3, 13)["said"]
    found = probing.answer(canonical("models", "vit", width=50), 3, 16)
    assert found == {"said": "dim should be divisible by num_heads", "takes": None}
    assert probing.answer(canonical("models", "generator"), 3, 16) is None


DRAWN = [  # without a data set or a network, and with a size
    name
    for name, plug in find("worlds").items()
    if {"size", "of"} & plug.parameters.keys()
    and "DATASETS" not in plug.constants
    and not any(parameter.required or parameter.parent for parameter in plug.parameters.values())
]


@pytest.mark.parametrize("name", DRAWN)
def test_images_are_as_large_as_their_world_says(name):
    few = {"train": 24, "test": 24, "size": 16}
    declared = describe("worlds", name).parameters
    given = {key: value for key, value in few.items() if key in declared}
    inner = declared["of"].default if "of" in declared else None
    of = {"of": partial(load("worlds", inner), **few)} if inner else {}
    if name == "pose_grid":
        given = {"size": 16}
    world = load("worlds", name)(Draw("world"), **given, **of)
    said = canonical("worlds", name, **given, **({"of": canonical("worlds", inner, **few)} if inner else {}))
    assert images_of(said)[1] == world.train.images.shape[-1] == world.train.images.shape[-2]


@pytest.fixture
def config(tmp_path, monkeypatch) -> Path:
    """Scales and no studies; nothing is kept but here."""
    shutil.copytree(PROJECT / "config", tmp_path / "config", ignore=shutil.ignore_patterns("studies", "frozen"))
    (tmp_path / "config/studies/tests").mkdir(parents=True)
    monkeypatch.setattr(kept, "FOLDER", str(tmp_path / "kept"))
    return tmp_path / "config"


def studies(config: Path, model: str) -> list:
    (config / "studies/tests/small.yaml").write_text(STUDY.replace("MODEL", model))
    return list(load_studies("ci", config).values())


def test_a_study_that_cannot_train_is_one_line_and_models_are_asked_once(config, monkeypatch):
    deep = studies(config, "{vit: {patch: 11}}")
    with pytest.raises(StudyError) as error:
        refuse_unfit(deep)
    said = str(error.value)
    assert "studies/tests/small.yaml: arms.deep (scale ci): model vit takes no images of 8 px, the size of world shapes (" in said
    assert said.endswith("it takes those of 11 px")
    assert "\n" not in said
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert unfit(deep) == {"small": said}
    with pytest.raises(FileNotFoundError):
        unfit(studies(config, "{vit: {patch: 13}}"))


def test_another_code_of_a_model_is_asked_again(config, monkeypatch):
    fine = studies(config, "mlp")
    assert unfit(fine) == {}
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert unfit(fine) == {}
    monkeypatch.setattr(fitting, "code_of", lambda plugs: {"assay.models.mlp": "0"})
    with pytest.raises(FileNotFoundError):
        unfit(studies(config, "mlp"))
