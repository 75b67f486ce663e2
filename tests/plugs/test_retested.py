"""New against original accuracy over networks, against scipy's regression and cases worked by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from assay.data.batch import to_tensors
from assay.data.world import Split, World
from assay.errors import StudyError
from assay.protocols.retested import correlation, probit, retested, slope
from assay.surgery.leaderboard import leaderboard
from assay.training.network import Bench, Network, Trained

CPU = torch.device("cpu")
COUNT = 40


class Knows(nn.Module):
    """Right on images up to its level of difficulty, the value of the only pixel; else the other class."""

    def __init__(self, level):
        super().__init__()
        self.level = level

    def forward(self, images):
        right = images[:, 0, 0, 0] <= self.level
        return torch.stack([right, ~right], 1).float()


def world(difficulty):
    images = np.asarray(difficulty, np.float32).reshape(-1, 1, 1, 1)
    split = Split(images, np.zeros(len(images), np.int64))
    return World(split, split, ("a", "b"))


def found(levels, old, new, names=None):
    networks = [SimpleNamespace(network=Network(Knows(level), torch.zeros(1), torch.ones(1))) for level in levels]
    arm = SimpleNamespace(world=to_tensors(world(old), CPU), make=lambda plug: to_tensors(plug(None), CPU))
    names = names or [str(level) for level in levels]
    return {tuple(keys): value for *keys, value in retested(arm, names=names, networks=networks, retest=lambda draw: world(new))}


@pytest.mark.vouches("protocols/retested", paper="P220")
def test_an_even_spread_of_difficulty_gives_the_line_by_hand():
    """Difficulty is uniform on [0, 1] in the original set and on [0.25, 1.0] in the new: new = (level - 0.25) / 0.75."""
    middles = (np.arange(COUNT) + 0.5) / COUNT
    rows = found([0.25, 0.5, 0.75, 1.0], middles, 0.25 + 0.75 * middles)
    assert [rows["original", name] for name in ("0.25", "0.5", "0.75", "1.0")] == [0.25, 0.5, 0.75, 1.0]
    np.testing.assert_allclose([rows["new", name] for name in ("0.25", "0.5", "0.75", "1.0")], [0, 1 / 3, 2 / 3, 1], atol=0.02)
    np.testing.assert_allclose(rows["slope",], 4 / 3, atol=0.03)
    np.testing.assert_allclose(rows["drop",], 0.125, atol=0.01)
    assert rows["smallest_drop",] == 0  # the perfect network loses nothing
    assert rows["rank_correlation",] == pytest.approx(1)
    assert rows["drop", "0.25"] == pytest.approx(0.25)


@pytest.mark.vouches("protocols/retested", paper="P220")
def test_the_same_set_again_loses_nothing():
    middles = (np.arange(COUNT) + 0.5) / COUNT
    rows = found([0.3, 0.5, 0.9], middles, middles)
    assert (rows["drop",], rows["slope",], rows["probit_slope",]) == pytest.approx((0, 1, 1))
    assert rows["correlation",] == pytest.approx(1)


@pytest.mark.vouches("protocols/retested", paper="P220")
def test_lines_and_correlations_are_scipys():
    generator = np.random.default_rng(0)
    x, y = generator.random(9), generator.random(9)
    assert slope(x, y) == pytest.approx(stats.linregress(x, y).slope)
    assert correlation(x, y, ranked=False) == pytest.approx(stats.pearsonr(x, y).statistic)
    assert correlation(x.round(1), y.round(1), ranked=True) == pytest.approx(stats.spearmanr(x.round(1), y.round(1)).statistic)
    np.testing.assert_allclose(probit(np.array([0.5, 0.975, 1.0]), 100), [0, 1.95996, 2.57583], atol=1e-4)
    assert slope(np.ones(3), y[:3]) == correlation(np.ones(3), y[:3], ranked=True) == 0


def test_each_network_needs_a_name_of_its_own():
    with pytest.raises(StudyError, match="give each a name"):
        found([0.3, 0.5, 0.9], [0.5], [0.5], names=["a", "b", "b"])


def ranked(levels, place, difficulty=(0.1, 0.3, 0.5, 0.7)):
    """The level of the network in a place, of networks right on the images up to their levels."""
    members = [Trained(Network(Knows(level), torch.zeros(1), torch.ones(1))) for level in levels]
    easy = Split(np.zeros((2, 1, 1, 1), np.float32), np.ones(2, np.int64))  # in training, whoever reads it is wrong
    bench = Bench(to_tensors(World(easy, world(difficulty).test, ("a", "b")), CPU), torch.Generator(), CPU)
    chosen = leaderboard(members[0].network, bench, members=members, place=place)
    assert not any(chosen is member.network for member in members)
    return chosen.model.level


@pytest.mark.vouches("surgery/leaderboard", paper="P220")
def test_places_go_by_accuracy_on_the_test_images_and_equals_keep_their_order():
    levels = [0.2, 0.6, 0.9, 0.65]  # right on 1, 3, 4 and 3 of the four test images
    assert [ranked(levels, place) for place in (1, 2, 3, 4)] == [0.9, 0.6, 0.65, 0.2]


@pytest.mark.vouches("surgery/leaderboard", paper="P220")
def test_the_first_of_many_equally_good_networks_is_flattered_by_the_set_that_chose_it():
    """Forty networks right on each image by a coin: the best of them on one set of coins is average on another."""
    generator = np.random.default_rng(0)
    flattered = []
    for _ in range(20):
        shares = generator.binomial(100, 0.5, (2, 40)) / 100  # accuracies on an old and a new set of 100 images
        middles = (np.arange(100) + 0.5) / 100
        best = ranked(list(shares[0]), 1, middles)
        flattered.append(best - shares[1][list(shares[0]).index(best)])
    assert np.mean(flattered) == pytest.approx(2.16 * 0.05, abs=0.03)  # the largest of 40 normal values, on average


def test_members_of_another_architecture_are_refused():
    arm, member = (Network(nn.Linear(2, outputs), torch.zeros(1), torch.ones(1)) for outputs in (2, 3))
    bench = Bench(to_tensors(world([0.1]), CPU), torch.Generator(), CPU)
    with pytest.raises(StudyError, match="member 2 is of another architecture"):
        leaderboard(arm, bench, members=[Trained(arm), Trained(member)])


def test_a_place_beyond_the_last_is_refused():
    with pytest.raises(StudyError, match="place = 3 of 2 members"):
        ranked([0.2, 0.6], 3)
