"""Schemas for editors: they take every study there is, and refuse numbers that `assay check` refuses."""

import copy
import json

import jsonschema
import pytest
import yaml

from assay.cli.schemas import schema_text
from assay.errors import StudyError
from assay.language.limits import MOST_OF
from assay.language.scales import load_scale
from assay.language.studies import compile_study, study_paths

SCHEMA = jsonschema.Draft202012Validator(json.loads(schema_text("study")))
SMALL = load_scale("ci")


def changed(where: str, value) -> dict:
    """The study mixup with another value at a place."""
    data = yaml.safe_load(study_paths()["mixup"].read_text())
    *path, last = where.split("/")
    place = data
    for key in path:
        place = place.setdefault(key, {}) if isinstance(place.get(key), dict | None) else place[key]
    place[last] = copy.deepcopy(value)
    return data


def is_refused(data: dict, tmp_path) -> tuple[bool, bool]:
    """By the schema, and by the check."""
    path = tmp_path / "training-recipes" / "mixup.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    try:
        compile_study(path, "ci", SMALL)
    except StudyError:
        return not SCHEMA.is_valid(data), True
    return not SCHEMA.is_valid(data), False


@pytest.mark.parametrize("name", study_paths())
def test_every_study_passes(name):
    SCHEMA.validate(yaml.safe_load(study_paths()[name].read_text()))


BOUNDS = {
    "pixels a side": ("base/world", {"shapes": {"size": 4096}}, {"shapes": {"size": 32}}),
    "a batch in an arm": ("arms/mixup/budget/batch", MOST_OF["batch"] + 1, 64),
    "epochs": ("arms/erm/budget", {"epochs": MOST_OF["epochs"] + 1}, {"epochs": 2}),
    "a model's width": ("base/model", {"resnet": {"width": MOST_OF["width"] + 1}}, {"resnet": {"width": 8}}),
    "steps of an attack": (
        "protocol",
        {"classify": {"attack": {"pgd": {"steps": MOST_OF["steps"] + 1}}}},
        {"classify": {"attack": {"pgd": {"steps": 3}}}},
    ),
    "a number of no size": ("arms/mixup/augment", [{"mixup": {"alpha": 1e10}}], [{"mixup": {"alpha": 2.0}}]),
    "a swept size": ("sweep", {"world.size": [16, 4096]}, {"world.size": [16, 32]}),
    "a paper's model": (
        "published",
        [{"metric": "erm.top1", "value": 1, "source": "a", "setting": "b", "same_as": {"model": {"resnet": {"blocks": 2000}}}}],
        [{"metric": "erm.top1", "value": 1, "source": "a", "setting": "b", "same_as": {"model": {"resnet": {"blocks": 2}}}}],
    ),
}


@pytest.mark.parametrize("what", BOUNDS)
def test_what_the_schema_refuses_the_check_refuses_and_a_usual_value_passes_both(what, tmp_path):
    where, wrong, usual = BOUNDS[what]
    assert is_refused(changed(where, wrong), tmp_path) == (True, True)
    data = changed(where, usual)
    assert SCHEMA.is_valid(data)
    if what != "a swept size":  # with a sweep, other claims name x
        assert is_refused(data, tmp_path) == (False, False)


def test_draws_have_no_bound(tmp_path):
    assert is_refused(changed("arms/erm/draws", {"init": 2 * 10**9}), tmp_path) == (False, False)


def test_an_arm_may_have_the_name_of_a_bounded_key():
    data = changed("arms/width", {"budget": {"length": 2}})
    assert SCHEMA.is_valid(data)
