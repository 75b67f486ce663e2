"""The configuration is checked before anything runs, and the schemas in config/schemas are those of the code."""

import shutil

import pytest

from assay.cli.schemas import SCHEMAS, schema_text
from assay.errors import StudyError
from assay.language.configuration import load_config, refuse_two_configs
from assay.language.inputs import parse, read_yaml
from assay.language.scales import Scale, load_scale, scales
from assay.storage.places import PROJECT


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"scael": "ci"}, "config/config.yaml: unknown key 'scael'; did you mean 'scale'?"),
        ({"scale": "labtop"}, "config: scale: unknown scale 'labtop'; did you mean 'laptop'?"),
        ({"studies": ["mixpu"]}, "config: studies: unknown study 'mixpu'; did you mean 'mixup'?"),
        ({"device": "gpu"}, "config/config.yaml: key 'device': "),
        ({"studies": 3}, "config/config.yaml: key 'studies"),
        ({"studies": "mixpu"}, "config: studies: unknown study 'mixpu'; did you mean 'mixup'?"),
        ({"studies": []}, "config: studies: [] names no study; name some, for example 'studies=[mixup]', or leave it out"),
        ({"studies": None}, "config: studies: [] names no study; name some"),
        ({"recheck": []}, "config: recheck: [] names no study; name some, for example 'recheck=[mixup]', or leave it out"),
        ({"recheck": "mixpu"}, "config: recheck: unknown study 'mixpu'; did you mean 'mixup'?"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(given, said):
    with pytest.raises(StudyError) as caught:
        load_config(given)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_study_may_be_given_by_its_name_alone():
    config = load_config({"studies": "mixup", "recheck": "aum"})
    assert (config.studies, config.recheck) == (["mixup"], ["aum"])
    assert load_config({"studies": "all", "recheck": 0.5}).studies == "all"


def test_a_key_that_the_file_says_twice_is_an_error(tmp_path):
    shutil.copytree(PROJECT / "config", tmp_path / "config", ignore=shutil.ignore_patterns("studies", "schemas"))
    (tmp_path / "config" / "studies").mkdir()
    with open(tmp_path / "config" / "config.yaml", "a") as file:
        file.write("scale: ci\n")
    with pytest.raises(StudyError, match="key 'scale' is written twice"):
        load_config({"scale": "ci"}, tmp_path)


@pytest.mark.parametrize("second", ["--config", "-C", "--config=device=cpu"])
def test_two_configs_in_one_command_are_refused(second):
    refuse_two_configs(["snakemake", "-n", "--config", "scale=ci", "studies=all", "--configfile", "config.yaml"])
    with pytest.raises(StudyError, match="--config is given twice, and the second replaces the first"):
        refuse_two_configs(["snakemake", "--config", "scale=ci", second, "device=cpu"])


def test_the_committed_configuration_is_valid():
    assert load_config(read_yaml(PROJECT / "config" / "config.yaml")).scale == "laptop"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"first_look": 0}, "key 'first_look': "),
        ({"world": {"size": 16, "train": 10}}, "key 'world.test' is missing"),
        ({"wrold": {}}, "unknown key 'wrold'; did you mean 'world'?"),
        ({"budget": {"epochs": 2, "batch": 8, "steps": 3}}, "unknown key 'budget.steps'"),
        ({"cap": {"train": "few"}}, "key 'cap.train': "),
        ({"precision": "float16"}, "key 'precision': "),
    ],
)
def test_a_wrong_scale_is_named_with_its_key(tmp_path, change, said):
    good = load_scale("ci").model_dump()
    with pytest.raises(StudyError) as caught:
        parse(Scale, {**good, **change}, tmp_path / "ci.yaml")
    assert said in str(caught.value)


def test_what_is_made_for_gpus_alone_computes_in_bfloat16():
    assert [name for name in scales() if load_scale(name).precision != "float32"] == ["cluster", "gpu"]


def test_only_ci_is_inconclusive():
    assert [name for name in scales() if not load_scale(name).conclusive] == ["ci"]


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_in_step_with_the_code(name):
    path = PROJECT / "config" / "schemas" / f"{name}.schema.json"
    assert path.read_text() == schema_text(name), "run `make schemas`"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"recheck": float("inf")}, "recheck"),
        ({"recheck": float("nan")}, "recheck"),
        ({"recheck": True}, "recheck"),
        ({"datasets": ""}, "key 'datasets': "),
        ({"draws": True}, "key 'draws': "),
        ({"studies": [5]}, "key 'studies"),
    ],
)
def test_a_configuration_takes_nothing_for_what_it_is_not(given, said):
    with pytest.raises(StudyError) as caught:
        load_config(given)
    assert said in str(caught.value)


def test_a_name_of_digits_stays_a_name():
    assert load_config({"draws": 5}).draws == "5"
