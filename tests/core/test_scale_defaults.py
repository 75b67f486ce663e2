"""Defaults that a scale gives the parameters of procedural worlds."""

import pytest
import yaml

from assay.errors import StudyError
from assay.language.scales import Scale, load_scale
from assay.language.studies import compile_study

EASY = {"distractors": 1, "position": [0.42, 0.58]}
SCALE = {
    "description": "for tests",
    "first_look": 3,
    "block": 1,
    "world": {"size": 16, "train": 64, "test": 32},
    "worlds": {"shapes": EASY},
    "budget": {"epochs": 4, "batch": 32},
}
STUDY = {
    "paper": "P166",
    "question": "Does it help?",
    "base": {"world": "shapes", "model": "resnet"},
    "arms": {
        "plain": {},
        "own": {"world": {"shapes": {"distractors": 3}}},
        "inside": {"world": {"random_labels": {"of": "shapes"}}},
        "other": {"world": "fractals"},
    },
    "protocol": "classify",
    "controls": ["plain.top1 > 0.3"],
    "expect": ["plain.top1 > own.top1"],
}


def worlds(tmp_path, scale: dict) -> dict[str, dict]:
    """The parameters of each arm's world at the scale."""
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(STUDY, sort_keys=False))
    study = compile_study(path, "small", Scale.model_validate(scale))
    return {cell.arm: cell.recipe.data["world"]["parameters"] for cell in study.cells}


def test_a_scale_sets_what_a_study_does_not(tmp_path):
    found = worlds(tmp_path, SCALE)
    assert (found["plain"]["distractors"], found["plain"]["position"], found["plain"]["size"]) == (1, [0.42, 0.58], 16)
    assert (found["own"]["distractors"], found["own"]["position"]) == (3, [0.42, 0.58])
    assert found["inside"]["of"]["parameters"]["distractors"] == 1
    assert found["other"] == worlds(tmp_path, SCALE | {"worlds": {}})["other"]
    assert worlds(tmp_path, SCALE | {"worlds": {}})["plain"]["distractors"] == 2  # as the world's file has it


@pytest.mark.parametrize(
    ("defaults", "said"),
    [
        ({"shpaes": EASY}, "worlds: unknown worlds plug 'shpaes'; did you mean 'shapes'?"),
        ({"shapes": {"distractor": 1}}, "worlds.shapes: unknown parameter 'distractor'; did you mean 'distractors'?"),
        (
            {"shapes": {"distractors": -1}},
            "worlds.shapes.distractors: -1 is not allowed: input should be greater than or equal to 0",
        ),
        ({"shapes": {"size": 8}}, "worlds.shapes.size: is set for all worlds alike; write world.size"),
        ({"random_labels": {"of": "shapes"}}, "worlds.random_labels.of: names another plug"),
    ],
)
def test_defaults_are_checked_when_the_scale_is_read(tmp_path, defaults, said):
    (tmp_path / "scales").mkdir()
    (tmp_path / "scales" / "small.yaml").write_text(yaml.safe_dump(SCALE | {"worlds": defaults}))
    with pytest.raises(StudyError) as caught:
        load_scale("small", tmp_path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
