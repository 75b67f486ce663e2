"""Shares of a pose grid, transfer and searches, on networks whose answers at every pose are known."""

from itertools import combinations, product
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from assay.data.batch import to_tensors
from assay.data.world import Split, World
from assay.protocols.poses import chance_to_meet, climb, poses
from assay.training.network import Network

ROLLS = 4
DIMS = (ROLLS, 2, 2, 2)


def lit(answers, labels):
    """Images of three pixels of which the one answered is lit."""
    return np.eye(3, dtype=np.float32)[np.asarray(answers).reshape(-1)].reshape(-1, 3, 1, 1), np.repeat(labels, 32)


def grid(answers, labels):
    images, repeated = lit(answers, labels)
    places = np.array(list(product(*map(range, DIMS))))
    factors = {"object": np.repeat(np.arange(len(labels)), 32), "pose": np.tile(places, (len(labels), 1))}
    split = Split(images, repeated, factors)
    return lambda draw: World(split, split, tuple("abc"))


class Renaming(nn.Module):
    """Answers with the pixel lit, but for classes it takes for others."""

    def __init__(self, takes=(0, 1, 2)):
        super().__init__()
        self.takes = takes

    def forward(self, images):
        return images.flatten(1)[:, list(self.takes)]


def network(takes=(0, 1, 2)):
    return Network(Renaming(takes), torch.zeros(3), torch.ones(3))


def arm(world):
    return SimpleNamespace(
        name="a",
        seed=1,
        network=network(),
        world=to_tensors(world(None), torch.device("cpu")),
        make=lambda plug: to_tensors(plug(None), torch.device("cpu")),
    )


@pytest.fixture
def answers():
    """Object 0 of class 0 is right but at half a turn; object 1 of class 1 is wrong from the front, so it does not count."""
    table = np.zeros((2, *DIMS), int)
    table[0, 2] = 1
    table[1, 1:] = 1
    return table


@pytest.mark.vouches("protocols/poses", paper="P167")
def test_shares_of_known_objects(answers):
    world = grid(answers, np.array([0, 1]))
    found = {tuple(keys): value for *keys, value in poses(arm(world), grid=world, steps=1)}
    assert found["known",] == 0.5
    assert found["wrong",] == 0.25
    assert [found["wrong", x] for x in (0, 90, 180, 270)] == [0, 0, 1, 0]
    assert found["flips",] == 0.5  # into and out of the half turn, of four steps
    assert found["top1",] == pytest.approx((24 + 24) / 64)
    assert found["loss_search",] == 0  # the neighbours of the first pose are right


@pytest.mark.vouches("protocols/poses", paper="P167")
def test_flips_are_counted_between_neighbouring_rolls():
    """Right at 0 and 270 degrees, wrong at 90 and 180: two of four steps, where every other pose but one would flip."""
    answers = np.zeros((1, *DIMS), int)
    answers[0, 1:3] = 1
    world = grid(answers, np.array([0]))
    found = {tuple(keys): value for *keys, value in poses(arm(world), grid=world, steps=1)}
    assert found["flips",] == 0.5
    # Known is what is right from the front at the first scale, though wrong at all others.
    answers = np.zeros((1, *DIMS), int)
    answers[..., 1] = 1
    world = grid(answers, np.array([0]))
    found = {tuple(keys): value for *keys, value in poses(arm(world), grid=world, steps=1)}
    assert (found["known",], found["wrong",]) == (1, 0.5)


@pytest.mark.vouches("protocols/poses", paper="P167")
def test_transfer_is_of_poses_that_fool_the_source(answers):
    world = grid(answers, np.array([0, 1]))

    def found(takes):
        rows = poses(arm(world), grid=world, source=SimpleNamespace(network=network(takes)), steps=1)
        return {keys[0]: value for *keys, value in rows if len(keys) == 1}

    twin = found((0, 1, 2))
    assert (twin["transfer"], twin["spared"]) == (1.0, 0.0)
    # A source that confuses classes 0 and 1 knows object 1 alone from the front, and is fooled by it wherever the arm is right.
    other = found((1, 0, 2))
    assert (other["transfer"], other["spared"]) == (0.0, 1.0)


def test_climbing_follows_the_loss_and_finds_what_lies_on_its_way():
    loss = torch.zeros(1, 8, 1, 1, 1)
    loss[0, :4, 0, 0, 0] = torch.arange(4.0)
    wrong = torch.zeros(1, 8, 1, 1, 1, dtype=torch.bool)
    wrong[0, 3] = True
    assert climb(loss, wrong, 2)[0].tolist() == [False]  # looks at 1 and 7, goes to 1; looks at 0 and 2
    assert climb(loss, wrong, 3)[0].tolist() == [True]
    assert climb(loss, wrong, 3)[1].tolist() == [5]  # 0, 1, 2, 3 and 7
    behind = torch.zeros_like(wrong)
    behind[0, 7] = True
    assert climb(loss, behind, 1)[0].tolist() == [True]  # roll goes round


def by_hand(loss, wrong, steps):
    """Whether a pose met on the climb fools, and how many are met, by a loop over moves."""
    at, met = (0, 0, 0, 0), {(0, 0, 0, 0)}
    for _ in range(steps):
        near = []
        for move, axis in product((1, -1), range(4)):
            place = list(at)
            place[axis] += move
            place[0] %= loss.shape[0]
            near += [tuple(place)] if all(0 <= p < n for p, n in zip(place, loss.shape, strict=True)) else []
        met |= set(near)
        at = max(near, key=lambda place: loss[place])
    return any(wrong[place] for place in met), len(met)


def test_climbing_is_what_a_loop_over_moves_finds():
    draw = np.random.default_rng(0)
    for _ in range(60):
        shape = (3, int(draw.integers(2, 6)), *draw.integers(1, 5, 3))
        loss, wrong, steps = draw.random(shape), draw.random(shape) < 0.15, int(draw.integers(1, 6))
        found, met = climb(torch.tensor(loss), torch.tensor(wrong), steps)
        assert [*zip(found.tolist(), met.tolist(), strict=True)] == [
            by_hand(a, b, steps) for a, b in zip(loss, wrong, strict=True)
        ]


def test_the_axes_but_roll_end():
    loss = torch.zeros(1, 2, 3, 1, 1)
    loss[0, 0, 2] = 1
    far = torch.zeros_like(loss, dtype=torch.bool)
    far[0, 0, 2] = True
    assert climb(loss, far, 1)[0].tolist() == [False]


def test_the_chance_to_meet_a_pose_that_fools_is_counted():
    wrong = torch.zeros(3, 6, dtype=torch.bool)
    wrong[0, :2] = True
    wrong[2] = True
    chance = chance_to_meet(wrong, torch.tensor([3, 3, 1]))
    sets = list(combinations(range(6), 3))
    counted = sum(bool({0, 1} & set(chosen)) for chosen in sets) / len(sets)
    torch.testing.assert_close(chance, torch.tensor([counted, 0.0, 1.0]).double())
