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
from assay.training.network import Network

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
