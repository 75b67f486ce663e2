"""Accuracy over the dial, on a network that knows what lies in its range, against the overlap's closed form."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from assay.data.batch import to_tensors
from assay.data.world import Split, World
from assay.errors import StudyError
from assay.protocols.shift_dial import shift_dial
from assay.training.network import Network

COUNT = 50


class InRange(nn.Module):
    """Right where the only pixel is at most a half."""

    def forward(self, images):
        right = images[:, 0, 0, 0] <= 0.5
        return torch.stack([right, ~right], 1).float()


def ranged(draw, *, start=0.0, count=COUNT):
    """Pixels evenly over a range of length a half."""
    images = (start + 0.5 * (np.arange(count) + 0.5) / count).astype(np.float32).reshape(-1, 1, 1, 1)
    split = Split(images, np.zeros(count, np.int64))
    return World(split, split, ("a", "b"))


def measured(intensities, settings, kept=None):
    arm = SimpleNamespace(
        name="a",
        seed=0 if kept is not None else 1,
        network=Network(InRange(), torch.zeros(1), torch.ones(1)),
        world=to_tensors(ranged(None), torch.device("cpu")),
        make=lambda plug: to_tensors(plug(None), torch.device("cpu")),
        keep=None if kept is None else kept.__setitem__,
    )
    return {tuple(keys): value for *keys, value in shift_dial(arm, intensities=intensities, settings=settings)}


@pytest.mark.vouches("protocols/shift_dial", paper="P236")
def test_accuracy_is_the_share_of_the_range_that_overlaps():
    intensities, kept = [0.0, 0.2, 0.6, 1.0], {}
    rows = measured(intensities, [partial(ranged, start=0.5 * x) for x in intensities], kept)
    for x in intensities:
        assert rows["accuracy", x] == pytest.approx(1 - x)
        assert rows["retained", x] == pytest.approx(1 - x)
    assert rows["lost",] == rows["top1",] == 1
    assert kept["images"].shape == (24, 1, 1, 1)


@pytest.mark.vouches("protocols/shift_dial", paper="P236")
def test_what_is_retained_is_relative():
    rows = measured([0.0, 0.5], [partial(ranged, start=0.25), partial(ranged, start=0.375)])
    assert rows["accuracy", 0.0] == pytest.approx(0.5)
    assert rows["accuracy", 0.5] == pytest.approx(0.24, abs=0.021)
    assert rows["retained", 0.5] == pytest.approx(rows["accuracy", 0.5] / 0.5)
    assert rows["lost",] == pytest.approx(0.5 - rows["accuracy", 0.5])
    nothing = measured([0.0, 0.5], [partial(ranged, start=0.5), partial(ranged, start=0.25)])
    assert nothing["accuracy", 0.0] == nothing["retained", 0.0] == nothing["retained", 0.5] == 0


@pytest.mark.parametrize("intensities", [[0.0], [0.2, 0.4], [0.0, 0.0], [0.4, 0.0]])
def test_intensities_rise_from_none(intensities):
    with pytest.raises(StudyError, match="rising from 0"):
        measured(intensities, [ranged, ranged])


def test_other_labels_are_refused():
    with pytest.raises(StudyError, match=r"labels of '1\.0' differ"):
        measured([0.0, 1.0], [ranged, partial(ranged, count=40)])
