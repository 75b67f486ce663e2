"""Counterfactual pairs on a network whose answers are known, counted by hand."""

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
from assay.protocols.counterfactuals import counterfactuals
from assay.training.network import Network

CPU = torch.device("cpu")
LABELS = (0, 0, 1, 1, 2, 2)


def pixels(draw, *, values, labels=LABELS):
    """Images of three pixels, of which the one named is lit; a network that gives back its input answers with that."""
    split = Split(np.eye(3, dtype=np.float32)[list(values)].reshape(-1, 3, 1, 1), np.array(labels))
    return World(split, split, ("ape", "bee", "cat"))


def found(background, colour=LABELS, new=LABELS, names=("background", "colour"), classes=(1,)):
    kept = {}
    arm = SimpleNamespace(
        name="a",
        seed=0,
        network=Network(nn.Flatten(), torch.zeros(3), torch.ones(3)),
        world=to_tensors(pixels(None, values=(0, 0, 1, 1, 2, 0)), CPU),  # the last one is wrong
        make=lambda plug: to_tensors(plug(Draw("test", 0)), CPU),
        keep=kept.__setitem__,
    )
    edits = [partial(pixels, values=values) for values in (background, colour)]
    rows = counterfactuals(arm, names=list(names), edits=edits, new=partial(pixels, values=new), classes=list(classes))
    return {tuple(keys): value for *keys, value in rows} | kept


@pytest.mark.vouches("protocols/counterfactuals", paper="P190")
def test_drops_by_edit_and_by_class_are_counted():
    rows = found(background=(0, 1, 0, 0, 2, 1), colour=LABELS)
    assert rows["top1",] == pytest.approx(5 / 6)
    assert rows["drop", "background"] == pytest.approx(3 / 6)
    assert rows["drop", "colour"] == pytest.approx(-1 / 6)
    assert rows["drop",] == pytest.approx(1 / 6)
    assert rows["flips", "background"] == pytest.approx(4 / 6)  # one wrong answer gave way to another
    assert rows["flips", "colour"] == pytest.approx(1 / 6)
    assert [rows["class_drop", name] for name in ("ape", "bee", "cat")] == [0.5, 1.0, 0.0]
    assert rows["planted_drop",] == 1.0
    assert rows["other_drop",] == 0.5
    assert rows["images"].shape == (18, 3, 1, 1)


@pytest.mark.vouches("protocols/counterfactuals", paper="P190")
def test_pairs_vary_less_than_strangers_unless_answers_are_unrelated():
    rows = found(background=(0, 0, 0, 1, 2, 0), new=(1, 0, 1, 1, 2, 0))
    difference = np.array([0, 0, 1, 0, 0, 0])
    before, after = np.array([1, 1, 1, 1, 1, 0]), np.array([1, 1, 0, 1, 1, 0])
    assert rows["paired_deviation",] == pytest.approx(difference.std())
    assert rows["unpaired_deviation",] == pytest.approx(np.sqrt(before.var() + after.var()))
    assert rows["paired_deviation",] < rows["unpaired_deviation",]
    assert rows["new_drop",] == pytest.approx(1 / 6)


def test_names_that_do_not_fit_are_refused():
    with pytest.raises(StudyError, match="give each world a name"):
        found(background=LABELS, names=("background",))


def test_images_that_are_no_counterparts_are_refused():
    other = partial(pixels, values=LABELS, labels=(1, 0, 1, 1, 2, 2))
    arm = SimpleNamespace(
        name="a",
        network=Network(nn.Flatten(), torch.zeros(3), torch.ones(3)),
        world=to_tensors(pixels(None, values=LABELS), CPU),
        make=lambda plug: to_tensors(plug(Draw("test", 0)), CPU),
    )
    rows = counterfactuals(arm, names=["colour"], edits=[other], new=other)
    with pytest.raises(StudyError, match="labels of 'colour' differ"):
        list(rows)


@pytest.mark.parametrize("classes", [(0, 1, 2), (3,)])
def test_classes_asked_about_are_some_of_the_worlds(classes):
    with pytest.raises(StudyError, match="of 3, counted from 0; name some of them, not all"):
        found(background=LABELS, classes=classes)
