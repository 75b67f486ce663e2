"""What every world keeps: shapes, types, ranges, determinism, independence of the two splits, streams that start alike, and
one-line errors.
"""

import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest

from assay.data.stream import whole
from assay.errors import StudyError
from assay.language.plugs import find

# A world that is made with the help of trained networks is tested beside what judges them.
WORLDS = sorted(name for name, plug in find("worlds").items() if not any(p.parent for p in plug.parameters.values()))
# Collections are split anew for other counts, and urban_shapes holds exact shares of its counts.
SPLIT_BY_COUNT = {"digits", "faces", "urban_shapes"}


def same(a, b):
    return (
        np.array_equal(whole(a.images), whole(b.images))
        and np.array_equal(a.labels, b.labels)
        and all(np.array_equal(a.factors[k], b.factors[k]) for k in a.factors)
    )


@pytest.mark.parametrize("name", WORLDS)
def test_shapes_types_and_ranges(make, name):
    world = make(name)
    for split in world.splits().values():
        images = whole(split.images)
        assert images.shape == split.images.shape
        assert images.ndim == 4
        assert images.dtype == np.float32
        assert images.flags.c_contiguous
        assert split.labels.dtype == np.int64
        assert split.labels.shape == (len(images),)
        assert 0 <= split.labels.min() <= split.labels.max() < len(world.classes)
        assert images.shape[1:] == world.train.images.shape[1:]
        assert images.shape[2] == images.shape[3] or name == "dsd"  # whose patches lie in a row
        assert np.isfinite(images).all()
        if name != "dsd":  # by definition unbounded
            assert 0 <= images.min() <= images.max() <= 1
        for factor, value in split.factors.items():
            assert len(value) == len(split), factor
            assert value.dtype.kind in "biuf", factor
            assert value.dtype.itemsize <= 8
            assert min(value.strides) >= 0, factor  # torch takes no array that runs backwards
    assert all(isinstance(label, str) for label in world.classes)


@pytest.mark.parametrize("name", WORLDS)
def test_same_draw_same_world_other_draw_other_world(make, name):
    first, again, other = make(name), make(name), make(name, seed=1)
    for part, split in first.splits().items():
        assert same(split, again.splits()[part])
        assert not np.array_equal(whole(split.images), whole(other.splits()[part].images))


@pytest.mark.parametrize("name", WORLDS)
def test_no_training_image_is_a_test_image(make, name):
    world = make(name)
    train = {image.tobytes() for image in whole(world.train.images)}
    # Two patches of a photograph's black border are equal without being the same place.
    seen = [image for image in whole(world.test.images) if np.ptp(image) > 0.01]
    assert len(seen) > len(world.test) / 2
    assert not any(image.tobytes() in train for image in seen)


# The two classes of faces take turns in every split.
@pytest.mark.parametrize("name", [name for name in WORLDS if name != "faces"])
def test_the_two_splits_share_no_stream_of_random_numbers(make, name):
    """Labels in one order, or one factor's values, would tie each test image to a training image."""
    world = make(name)
    count = min(len(world.train), len(world.test))
    train, test = ({"labels": split.labels, **split.factors} for split in (world.train, world.test))
    for key in train.keys() & test.keys():
        varied = len(np.unique(train[key][:count].reshape(count, -1), axis=0)) > 1
        assert not (varied and np.array_equal(train[key][:count], test[key][:count])), key


@pytest.mark.parametrize("name", sorted(set(WORLDS) - SPLIT_BY_COUNT - {"threshold_samples", "noise_images"}))
def test_a_longer_training_split_begins_with_the_shorter_one(make, name):
    short, long = make(name), make(name, train=90)
    np.testing.assert_allclose(long.train.images[: len(short.train)], short.train.images, atol=1e-6)
    assert np.array_equal(long.train.labels[: len(short.train)], short.train.labels)
    assert np.array_equal(whole(long.test.images), whole(short.test.images))


@pytest.mark.parametrize("name", ["digits", "faces"])
def test_a_collection_has_as_many_images_as_its_file_says(make, name):
    most = import_module(f"assay.worlds.{name}").MOST["train + test"]
    world = make(name, train=most - 40, test=40)
    assert len(world.train) + len(world.test) == most
    with pytest.raises(StudyError, match=f"at most {most}"):
        make(name, train=most - 40, test=41)


def test_no_world_imports_torch():
    names = ", ".join(f"assay.worlds.{name}" for name in WORLDS)
    code = f"import sys, {names}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("shapes", {"train": 5}, ["train = 5", "at least 10"]),
        ("shapes", {"classes": 3, "objects": 4}, ["objects = 4", "at most 3"]),
        ("shapes", {"scale": (0.4, 0.2)}, ["scale = (0.4, 0.2)", "from <= to"]),
        ("shapes", {"test_position": (0.5, 1.5)}, ["test_position = (0.5, 1.5)", "<= 1"]),
        ("shapes", {"classes": 12, "shortcut": "texture"}, ["classes = 12", "at most 10"]),
        ("urban_shapes", {"test": 4}, ["test = 4", "at least 8"]),
        ("digits", {"train": 1500, "test": 500}, ["train + test = 2000", "1797"]),
        ("faces", {"train": 150, "test": 100}, ["train + test = 250", "200"]),
        ("photos", {"size": 400}, ["size = 400", "shrink_by"]),
        ("textures", {"test": 2}, ["test = 2", "at least 3"]),
        ("stereo", {"size": 120}, ["size = 120", "shrink_by"]),
        ("dead_leaves", {"smallest": 0.5}, ["smallest = 0.5", "largest = 0.4"]),
        ("spectrum_noise", {"alphas": []}, ["alphas = []", "one exponent"]),
        ("frequency_cues", {"border": 9.0}, ["border = 9.0", "size / 2 = 8"]),
        ("threshold_samples", {"part": 11}, ["part = 11", "0 to 10"]),
        ("domains", {"test_styles": []}, ["test_styles = []", "sketch"]),
    ],
)
def test_arguments_that_cannot_work_are_refused_in_one_line(make, name, parameters, words):
    with pytest.raises(StudyError) as error:
        make(name, **parameters)
    text = str(error.value)
    assert "\n" not in text
    assert text.startswith(f"world {name}: ")
    assert all(word in text for word in words), text
