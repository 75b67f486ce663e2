"""The arrays of a world that somebody adds are checked where its card is made, by what the project's own worlds keep."""

from dataclasses import replace

import numpy as np
import pytest

from assay.data.world import Split, World
from assay.errors import DataError
from assay.evidence import cards
from assay.evidence.contract import check_world
from assay.language.plugs import find

WORLDS = sorted(name for name, plug in find("worlds").items() if not any(p.parent for p in plug.parameters.values()))


def made(**changed):
    """Five images of two classes, the train split as changed."""
    sound = Split(np.zeros((5, 3, 4, 4), np.float32), np.array([0, 1, 0, 1, 1]), {"place": np.zeros((5, 2))})
    return World(replace(sound, **changed), sound, ("one", "other"))


def pixel(value):
    images = np.zeros((5, 3, 4, 4), np.float32)
    images[3, 2, 1, 0] = value
    return images


WRONG = {
    "rank": ({"images": np.zeros((5, 4, 4), np.float32)}, "images have shape (5, 4, 4), not (N, C, H, W)"),
    "no images": ({"images": np.zeros((0, 3, 4, 4), np.float32)}, "images have shape (0, 3, 4, 4)"),
    "doubles": ({"images": np.zeros((5, 3, 4, 4))}, "images are float64, not float32"),
    "bytes": ({"images": np.zeros((5, 3, 4, 4), np.uint8)}, "images are uint8, not float32"),
    "NaN": ({"images": pixel(np.nan)}, "images[3, 2, 1, 0] is nan"),
    "infinity": ({"images": pixel(-np.inf)}, "images[3, 2, 1, 0] is -inf"),
    "labels in columns": ({"labels": np.zeros((5, 1), np.int64)}, "labels have shape (5, 1), not (5,)"),
    "too few labels": ({"labels": np.zeros(4, np.int64)}, "labels have shape (4,), not (5,)"),
    "short labels": ({"labels": np.zeros(5, np.int32)}, "labels are int32, not int64"),
    "labels from 1": ({"labels": np.array([1, 2, 1, 2, 2])}, "label 2 is of no class; there are 2, from 0 to 1"),
    "a negative label": ({"labels": np.array([0, -1, 0, 1, 1])}, "label -1 is of no class"),
    "a factor of names": ({"factors": {"style": np.array(list("abcde"))}}, "factor style is <U1, not numbers"),
    "a factor that is one number": ({"factors": {"group": np.array(1)}}, "factor group has shape (), not 5 rows"),
    "a short factor": ({"factors": {"group": np.zeros(3)}}, "factor group has shape (3,), not 5 rows"),
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("part", ["train", "test", "extra"])
def test_arrays_that_no_network_can_be_trained_on_are_named_in_a_line(part, what):
    changed, said = WRONG[what]
    whole = made()
    other = made(**changed).train
    world = replace(whole, extra={"extra": other}) if part == "extra" else replace(whole, **{part: other})
    with pytest.raises(DataError) as error:
        check_world("mine", world)
    message = str(error.value)
    assert message.startswith("world mine: ")
    assert said in message
    assert "\n" not in message


def test_sizes_that_differ_between_splits_are_named():
    world = replace(made(), test=Split(np.zeros((5, 3, 8, 8), np.float32), np.array([0, 1, 0, 1, 1])))
    with pytest.raises(DataError, match=r"test: images have shape \(3, 8, 8\), those of train \(3, 4, 4\)"):
        check_world("mine", world)


@pytest.mark.parametrize("classes", [(), (0, 1)])
def test_classes_have_names(classes):
    with pytest.raises(DataError, match="world mine: classes"):
        check_world("mine", replace(made(), classes=classes))


def test_what_is_no_world_is_named():
    with pytest.raises(DataError, match="world mine: returns tuple"):
        check_world("mine", (1, 2))


@pytest.mark.parametrize("name", WORLDS)
def test_the_worlds_of_the_project_pass(make, name):
    check_world(name, make(name))


def test_no_card_is_made_of_a_world_that_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(cards, "bind", lambda spec, load_parent: lambda draw: made(images=pixel(np.nan)))
    with pytest.raises(DataError, match="world shapes"):
        cards.write_card({"plug": "worlds/shapes", "parameters": {}}, tmp_path)
    assert not list(tmp_path.iterdir())
