"""Accuracy lost to edits, on a network whose answers are known."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from assay.data.batch import to_tensors
from assay.data.seeds import Draw
from assay.data.world import Split, World
from assay.errors import StudyError
from assay.protocols.edited import edited
from assay.training.network import Network

CPU = torch.device("cpu")


def pixels(draw, *, values, labels=(0, 1, 2, 0)):
    """Images of three pixels, of which the one named is lit; a network that gives back its input answers with that."""
    images = np.eye(3, dtype=np.float32)[list(values)].reshape(-1, 3, 1, 1)
    split = Split(images, np.array(labels))
    return World(split, split, tuple("abc"))


def arm(seed=0):
    kept = {}
    return SimpleNamespace(
        name="a",
        seed=seed,
        network=Network(nn.Flatten(), torch.zeros(3), torch.ones(3)),
        world=to_tensors(pixels(None, values=(0, 1, 2, 1)), CPU),  # three of four are right
        make=lambda plug: to_tensors(plug(Draw("test", 0)), CPU),
        keep=kept.__setitem__,
        kept=kept,
    )


@pytest.mark.vouches("protocols/edited", paper="P282")
def test_drops_are_the_shares_lost_and_attributes_their_means():
    edits = [partial(pixels, values=values) for values in ((0, 1, 2, 2), (1, 1, 2, 1), (1, 2, 0, 1), (0, 1, 2, 0))]
    given = arm()
    rows = list(edited(given, names=["size 3/4", "size 1/2", "direction any", "direction 60"], edits=edits))
    assert rows[0] == ("top1", 0.75)
    found = {tuple(keys): value for *keys, value in rows}
    assert found["drop", "size 3/4"] == 0  # another wrong answer
    assert found["drop", "size 1/2"] == 0.25
    assert found["drop", "direction any"] == 0.75
    assert found["drop", "direction 60"] == -0.25
    assert found["drop",] == pytest.approx((0 + 0.25 + 0.75 - 0.25) / 4)
    assert found["attribute_drop", "size"] == pytest.approx(0.125)
    assert found["attribute_drop", "direction"] == pytest.approx(0.25)
    assert given.kept["images"].shape == (4 * 5, 3, 1, 1)
    assert given.kept["images"][:5].flatten(1).argmax(1).tolist() == [0, 0, 1, 1, 0]  # the first image and its four edits


def test_images_that_are_no_counterparts_are_refused():
    other = partial(pixels, values=(0, 1, 2, 1), labels=(1, 1, 2, 0))
    with pytest.raises(StudyError, match="labels of 'size 1/2' differ"):
        list(edited(arm(), names=["size 1/2"], edits=[other]))


def test_each_edit_needs_a_name_of_its_own():
    world = partial(pixels, values=(0, 1, 2, 1))
    for names in (["a"], ["a", "a"]):
        with pytest.raises(StudyError, match="give each world a name"):
            list(edited(arm(), names=names, edits=[world, world]))
