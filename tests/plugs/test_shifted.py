"""Accuracy on further splits, on a network with known answers."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from assay.data.batch import TensorSplit, TensorWorld
from assay.errors import StudyError
from assay.protocols.shifted import shifted
from assay.training.network import Network


def split(pixels, labels):
    """Images of three pixels, which the network gives back as its logits."""
    return TensorSplit(torch.tensor(pixels).float().reshape(-1, 3, 1, 1), torch.tensor(labels), {})


def arm(extra):
    network = Network(nn.Flatten(), torch.zeros(3), torch.ones(3))
    test = split([[1, 0, 0], [1, 0, 0]], [0, 1])
    return SimpleNamespace(name="a", network=network, world=TensorWorld(test, test, tuple("abc"), extra))


@pytest.mark.vouches("protocols/shifted", paper="P068")
def test_a_split_is_judged_among_the_classes_it_has():
    all_classes = split([[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1]], [0, 1, 2, 1])
    # Class c, which this split has no image of, would win the second image.
    two_classes = split([[1, 0, 0], [0, 2, 3], [2, 1, 3], [2, 1, 3]], [0, 1, 0, 1])
    rows = list(shifted(arm({"v2": all_classes, "a": two_classes})))
    assert rows == [("top1", 0.5), ("shifted_top1", "a", 0.75), ("shifted_top1", "v2", 0.5), ("shifted_top1", 0.625)]


def test_a_world_without_further_splits_is_refused():
    with pytest.raises(StudyError, match="has no further splits"):
        list(shifted(arm({})))
