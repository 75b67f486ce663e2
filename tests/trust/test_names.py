"""Names cannot leave their folders, nor become commands, whichever way they come in."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "pipeline"))
from pipeline_project import PLAIN, Project

from assay.errors import StudyError
from assay.evidence.cards import card_name
from assay.language.configuration import load_config
from assay.language.plugs import describe
from assay.language.recipes import Recipe
from assay.language.scales import load_scale
from assay.language.studies import load_studies, study_paths

HOSTILE = (
    "../evil",
    "../../evil",
    "/tmp/evil",
    "a/b",
    "a\\b",
    ".",
    "..",
    ".hidden",
    "-rf",
    "a b",
    "a;touch evil",
    "$(touch evil)",
    "`touch evil`",
    "a\nb",
    "a\0b",
    "a\u2215b",  # a slash to the eye
    "\u0430bc",  # Cyrillic
    "a\u202egpj",  # written backwards
    "ａ",
    "A",
    "",
    "x" * 65,
)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Project(tmp_path_factory.mktemp("names"))


@pytest.mark.parametrize(
    "name", [name for name in HOSTILE if "/" not in name and "\0" not in name and name not in ("", ".", "..")]
)
def test_file_names_of_studies(project, name):
    path = project.root / "config/studies/tests" / f"{name}.yaml"
    path.write_text(PLAIN)
    try:
        if name.startswith("."):  # what systems and editors leave beside files
            assert name not in study_paths(project.root / "config")
            return
        with pytest.raises(StudyError, match="a study's file name must match"):
            study_paths(project.root / "config")
    finally:
        path.unlink()


@pytest.mark.parametrize("name", HOSTILE)
def test_names_that_are_asked_for(name):
    with pytest.raises(StudyError, match="unknown study"):
        load_studies("ci", only=[name])
    with pytest.raises(StudyError, match="unknown scale"):
        load_scale(name)
    with pytest.raises(StudyError, match="unknown scale"):
        load_config({"scale": name})
    with pytest.raises(StudyError, match="unknown study"):
        load_config({"studies": [name]})
    with pytest.raises(StudyError, match="unknown worlds plug"):
        describe("worlds", name)
    with pytest.raises(StudyError, match="unknown kind of plug"):
        describe(name, "shapes")


@pytest.mark.parametrize("name", HOSTILE[:-1])
@pytest.mark.parametrize("place", ["arms", "networks"])
def test_names_of_arms_and_networks(project, name, place):
    data = yaml.safe_load(PLAIN)
    data.setdefault(place, {})[name] = {}
    path = project.study("named", yaml.safe_dump(data))
    try:
        with pytest.raises(StudyError, match=f"{place}: .*cannot be named in an expectation") as caught:
            load_studies("ci", project.root / "config", only=["named"])
        assert "\n" not in str(caught.value)
    finally:
        path.unlink()


def test_names_made_of_plugs_stay_one_component():
    """Plugs are checked before; these names are made of them and of a hash."""
    world = {"plug": "worlds/shapes", "parameters": {"of": "../../evil"}}
    plug = {"plug": "models/resnet", "parameters": {}}
    recipe = Recipe({"model": plug, "world": world, "augment": [], "objective": plug, "start": None, "surgery": []})
    for name in (card_name(world), recipe.name):
        assert Path(name).name == name
    assert recipe.weights(Path("networks"), 0).parent.parent == Path("networks")


COMMANDS = [
    ("snakemake", "-n", "--config", "scale=../../evil"),
    ("snakemake", "-n", "--config", "scale=ci", "studies=[../../evil]"),
    ("snakemake", "-n", "--config", "scale=ci", "--", "results/ci/figures/../../../evil.svg"),
    ("snakemake", "-n", "--config", "scale=ci", "--", "results/ci/figures/$(touch evil).svg"),
    ("assay", "new", "../../evil"),
    ("assay", "new", "P1", "--name", "../../evil"),
    ("assay", "show", "../../evil"),
    ("assay", "show", "plain", "--scale", "../../evil"),
    ("assay", "list", "--scale", "../../evil"),
    ("assay", "list", "../../evil"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_commands(project, command):
    (project.root / "evil").mkdir(exist_ok=True)
    (project.root / "evil/verdicts.json").write_text('{"studies": {"plain": {"word": "supported"}}}')
    before = sorted(path for path in project.root.rglob("*") if ".snakemake" not in path.parts)
    program, *arguments = command
    done = subprocess.run(
        [str(Path(sys.executable).with_name(program)), *arguments],
        cwd=project.root,
        env=project.environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "supported" not in done.stdout
    assert sorted(path for path in project.root.rglob("*") if ".snakemake" not in path.parts) == before
    assert not os.path.lexists(project.root.parent / "evil.svg")
