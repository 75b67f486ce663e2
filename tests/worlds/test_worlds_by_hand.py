"""Single steps of worlds by a case worked by hand."""

import numpy as np
import pytest

from assay.errors import DataError
from assay.worlds._collection import checked_labels
from assay.worlds.domains import STYLE


def test_posters_have_four_levels_and_take_the_nearest():
    levels = np.array([0.0, 0.16, 0.17, 0.49, 0.51, 0.83, 0.84, 1.0], np.float32).reshape(1, 1, 2, 4)
    expected = np.array([0, 0, 1, 1, 2, 2, 3, 3]).reshape(1, 1, 2, 4) / 3
    np.testing.assert_allclose(STYLE["poster"](levels), expected, atol=1e-6)


def test_washed_pictures_are_pale_and_warm():
    """Black becomes a grey of 0.35; white 0.35 times 2.2, 2 and 1.7 in red, green and blue; between them it is linear."""
    black, grey, white = (STYLE["washed"](np.full((1, 3, 2, 2), level, np.float32)) for level in (0, 0.5, 1))
    np.testing.assert_allclose(black, np.full((1, 3, 2, 2), 0.35), atol=1e-6)
    np.testing.assert_allclose(white[0, :, 0, 0], [0.77, 0.7, 0.595], atol=1e-6)
    np.testing.assert_allclose(grey, (black + white) / 2, atol=1e-6)


def test_labels_of_a_collection_are_counted_from_zero_to_below_the_classes(tmp_path):
    assert checked_labels(tmp_path, np.array([2], np.uint8), 3).tolist() == [2]
    assert checked_labels(tmp_path, np.array([0, 2, 1], np.uint8), 3).dtype == np.int64
    for wrong in ([], [3], [0, -1], [1, 3]):
        with pytest.raises(DataError, match="outside 0 to 2"):
            checked_labels(tmp_path, np.array(wrong, int), 3)


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "digits", "fashion_mnist", "mnist", "shapes"])
def test_noise_is_in_the_labels_of_training_alone(make, name):
    world = make(name, label_noise=1.0)
    assert (world.train.labels != world.train.factors["clean_label"]).all()
    assert np.array_equal(world.test.labels, world.test.factors["clean_label"])


def test_the_object_of_a_cue_conflict_may_lie_anywhere_in_its_span(make):
    """Uniform over the square, so that a disk about the middle has its share of the area; two objects lie on a ring about it."""
    world = make("cue_conflict", size=24, train=400, position=(0.2, 0.8), scale=(0.1, 0.1), distractors=0)
    mask = world.train.factors["mask"].astype(float)
    centre = (np.arange(24) + 0.5) / 24
    x, y = ((mask * axis).sum((1, 2)) / mask.sum((1, 2)) for axis in (centre, centre[:, None]))
    share = np.pi * 0.15**2 / 0.6**2
    assert (np.hypot(x - 0.5, y - 0.5) < 0.15).mean() == pytest.approx(share, abs=4 * np.sqrt(share / 400))
    for place in (x, y):
        assert 0.15 < place.min() < 0.25
        assert 0.75 < place.max() < 0.85
