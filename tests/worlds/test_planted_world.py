"""The world `planted`: the chosen classes come from the other world, row by row, and nothing else changes."""

from functools import partial

import numpy as np
import pytest

from assay.data.seeds import Draw
from assay.errors import StudyError
from assay.worlds.planted import planted
from assay.worlds.shapes import shapes

SMALL = {"train": 64, "test": 40}
PLAIN = partial(shapes, **SMALL)
TIED = partial(shapes, **SMALL, shortcut="background", correlation=1.0, test_correlation=1.0)
DRAW = Draw("world", 0, 0)


@pytest.mark.vouches("worlds/planted", paper="P190")
def test_the_chosen_classes_stand_on_their_hue_and_no_other_image_moves():
    world, plain, tied = planted(DRAW, of=PLAIN, other=TIED, classes=[2, 5]), PLAIN(DRAW), TIED(DRAW)
    for part in ("train", "test"):
        split, before, biased = (w.splits()[part] for w in (world, plain, tied))
        rows = (before.labels == 2) | (before.labels == 5)
        assert np.array_equal(split.factors["planted"], rows)
        np.testing.assert_allclose(split.factors["background_hue"][rows], split.labels[rows] / 10, atol=1e-6)
        assert np.array_equal(split.images[~rows], before.images[~rows])
        assert np.array_equal(split.images[rows], biased.images[rows])
        for name in ("scale", "rotation", "position", "hue", "texture"):
            assert np.array_equal(split.factors[name], before.factors[name])
        assert "shortcut" not in split.factors


@pytest.mark.parametrize(
    ("parameters", "words"),
    [({"classes": [10]}, "classes = [10]"), ({"other": partial(shapes, train=50, test=40)}, "equal labels")],
)
def test_what_cannot_be_planted_is_refused_in_one_line(parameters, words):
    with pytest.raises(StudyError) as error:
        planted(DRAW, **{"of": PLAIN, "other": TIED, **parameters})
    assert words in str(error.value)
    assert "\n" not in str(error.value)
