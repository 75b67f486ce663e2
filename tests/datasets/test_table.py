"""The table of data sets: what is wrong with it is one line, and every world's data sets are in it."""

import json
import re
from copy import deepcopy
from itertools import product

import pytest
from pydantic import TypeAdapter
from tiny_datasets import cifar10
from typer.testing import CliRunner

from assay.cli import app
from assay.datasets import TABLE, Table, entry, folder, needed, table
from assay.errors import StudyError
from assay.language.inputs import parse, read_yaml
from assay.language.plugs import find
from assay.storage.places import PROJECT, WORK

WORLDS = {name: info for name, info in find("worlds").items() if "DATASETS" in info.constants}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"titel": "x"}, "unknown key 'datasets.mnist.titel'"),
        ({"title": None}, "key 'datasets.mnist.title'"),
        ({"files": []}, "key 'datasets.mnist.files'"),
        ({"files": [{"name": "a", "form": "rar", "addresses": ["https://a"]}]}, "key 'datasets.mnist.files.0.form'"),
        ({"files": [{"name": "../a", "form": "tar", "addresses": ["https://a"]}]}, "key 'datasets.mnist.files.0.name'"),
        ({"files": [{"name": "a", "form": "tar", "addresses": ["file:///etc/passwd"]}]}, "files.0.addresses.0"),
        ({"files": [{"name": "a", "form": "tar", "addresses": ["https://a"], "md5": "xyz"}]}, "files.0.md5"),
        ({"files": [{"name": "a", "form": "tar", "addresses": ["https://a"], "into": "../b"}]}, "files.0.into"),
        ({"files": [{"name": "a", "form": "tar"}]}, "file a has no address"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(change, said):
    written = deepcopy(read_yaml(TABLE))
    written["datasets"]["mnist"] |= change
    with pytest.raises(StudyError) as caught:
        parse(Table, written, TABLE)
    assert str(caught.value).startswith("config/datasets.yaml: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["title", "licence", "files"])
def test_a_missing_key_is_named(key):
    written = deepcopy(read_yaml(TABLE))
    del written["datasets"]["mnist"][key]
    with pytest.raises(StudyError, match=f"key 'datasets.mnist.{key}' is missing"):
        parse(Table, written, TABLE)


def test_a_name_stays_in_its_folder():
    written = deepcopy(read_yaml(TABLE))
    written["datasets"]["../mnist"] = written["datasets"].pop("mnist")
    with pytest.raises(StudyError, match=r"name '\.\./mnist' is not allowed"):
        parse(Table, written, TABLE)


@pytest.mark.parametrize("name", WORLDS)
def test_every_data_set_a_world_may_ask_for_is_in_the_table(name):
    info = WORLDS[name]
    named = {match for template in info.constants["DATASETS"] for match in re.findall(r"{(\w+)}", template)}
    for values in product(*(choices(info.parameters[parameter].annotation) for parameter in named)):
        for each in needed([{"plug": f"worlds/{name}", "parameters": dict(zip(named, values, strict=True))}]):
            entry(each)


def choices(annotation) -> list[str]:
    """The values that a Literal, or a list of them, allows."""
    schema = TypeAdapter(annotation).json_schema()
    return schema.get("items", schema)["enum"]


@pytest.mark.parametrize("name", table().datasets)
def test_public_files_can_be_checked(name):
    """A checksum for every file, but for the one whose publisher states none."""
    without = [file.name for file in entry(name).files if file.md5 is None and file.sha256 is None]
    assert without == (["ImageNet-Sketch.zip"] if name == "imagenet-sketch" else [])


def test_the_folder_is_that_of_the_variable_else_that_of_the_configuration(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_DATASETS", str(tmp_path))
    assert folder() == tmp_path
    monkeypatch.setenv("ASSAY_DATASETS", "shared/data")
    assert folder() == WORK / "shared" / "data"
    monkeypatch.delenv("ASSAY_DATASETS")
    assert folder() == WORK / read_yaml(PROJECT / "config" / "config.yaml")["datasets"]


def test_the_command_lists_what_there_is_and_retrieves_what_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_DATASETS", str(tmp_path))
    rows = json.loads(CliRunner().invoke(app, ["retrieve", "--json"]).output)
    assert [row["data set"] for row in rows] == list(table().datasets)
    assert not any(row["here"] for row in rows)
    for path, content in cifar10().items():
        (tmp_path / "cifar10" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "cifar10" / path).write_bytes(content)
    assert CliRunner().invoke(app, ["retrieve", "cifar10", "--no-track"]).exit_code == 0
    assert [row["data set"] for row in json.loads(CliRunner().invoke(app, ["retrieve", "--json"]).output) if row["here"]] == [
        "cifar10"
    ]
    wrong = CliRunner().invoke(app, ["retrieve", "cifar01"])
    assert wrong.exit_code == 1
    assert wrong.output.startswith("error: config/datasets.yaml: unknown data set 'cifar01'; did you mean")
