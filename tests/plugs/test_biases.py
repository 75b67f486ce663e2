"""Biases and their correlations: noise bands by numpy, thresholds and fits where the answer is known, ranks against scipy."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from assay.data.batch import TensorSplit, TensorWorld
from assay.protocols import biases as module
from assay.protocols.biases import band_noise, biases, consistency, crossing, gaussian_fit, left_out, spearman, threshold


@pytest.mark.vouches("protocols/biases", paper="P153")
def test_noise_keeps_to_half_octaves_with_deviation_one():
    noise = band_noise(torch.zeros(4, 3, 16, 16), torch.Generator().manual_seed(0)).double()
    assert noise.shape == (6, 4, 1, 16, 16)
    torch.testing.assert_close(noise.std((-1, -2)), torch.ones(6, 4, 1).double(), atol=1e-5, rtol=0)
    assert noise.mean((-1, -2)).abs().max() < 1e-5
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(16) * 16, np.fft.fftfreq(16) * 16))
    power = (np.abs(np.fft.fft2(noise.numpy())) ** 2).mean((1, 2))
    for band, spectrum in enumerate(power):
        inside = (radius >= 2 ** (band / 2) - 1e-9) & (radius <= 2 ** ((band + 1) / 2) + 1e-5)
        assert spectrum[~inside].sum() < 1e-6 * spectrum.sum()
    # No frequency is in two bands, none from 1 to 8 in none.
    covered = (power > 1e-3).sum(0)
    assert (covered[(radius >= 1) & (radius <= 8)] == 1).all()


class Decides(nn.Module):
    """Class 1 if the mean of the image's squares, its own pixels being 0, is below a limit."""

    def __init__(self, limit):
        super().__init__()
        self.limit = limit

    def forward(self, images):
        power = images.square().mean((1, 2, 3))
        return torch.stack([power - self.limit, self.limit - power], 1)


@pytest.mark.vouches("protocols/biases", paper="P153")
@pytest.mark.parametrize("deviation", [0.05, 0.2, 0.5])
def test_the_threshold_is_where_noise_of_known_power_flips_the_answer(deviation):
    """Noise of deviation c has mean square c^2, so answers flip together at c = sqrt(limit); contrasts are a factor 1.8 apart."""
    images, labels = torch.zeros(16, 3, 16, 16), torch.ones(16, dtype=torch.long)
    noise = band_noise(images, torch.Generator().manual_seed(0))[2]
    found = threshold(Decides(deviation**2), TensorSplit(images, labels, {}), noise, 0.5)
    step = module.CONTRASTS[1] / module.CONTRASTS[0]
    assert deviation / step < found < deviation * step


class Fades(nn.Module):
    """Right about the share of images that is listed for its first, second, third, ... call."""

    def __init__(self, shares):
        super().__init__()
        self.shares = iter(shares)

    def forward(self, images):
        right = torch.arange(len(images)) < next(self.shares) * len(images)
        return torch.stack([~right, right], 1).float()


@pytest.mark.vouches("protocols/biases", paper="P153")
@pytest.mark.parametrize(
    ("shares", "shown"),
    [
        ([0.9, 0.8, 0.3, 0.9, 0.2, 0.1], 3),
        ([0.9, 0.5, 0.5, 0.6, 0.4, 0.1], 5),  # as many right as wanted is not yet below
        ([0.9, 0.9, 0.8, 0.8, 0.7, 0.6], 6),
        ([0.1, 0.9, 0.9, 0.9, 0.9, 0.9], 1),
    ],
)
def test_noise_beyond_the_threshold_is_not_shown_and_would_not_change_it(shares, shown):
    images, labels = torch.zeros(10, 3, 4, 4), torch.ones(10, dtype=torch.long)
    network = Fades(shares)
    found = threshold(network, TensorSplit(images, labels, {}), images[:, :1], 0.5)
    assert found == crossing(module.CONTRASTS, np.minimum.accumulate(shares), 0.5)
    assert len(list(network.shares)) == len(shares) - shown


def test_the_crossing_is_log_linear_and_cut_at_the_ends():
    contrasts = np.array([0.1, 0.2, 0.4])
    assert crossing(contrasts, np.array([0.8, 0.4, 0.2]), 0.6) == pytest.approx(np.sqrt(0.1 * 0.2))
    assert crossing(contrasts, np.array([0.8, 0.4, 0.2]), 0.9) == pytest.approx(0.1)
    assert crossing(contrasts, np.array([0.8, 0.4, 0.2]), 0.1) == pytest.approx(0.4)


@pytest.mark.vouches("protocols/biases", paper="P153")
@pytest.mark.parametrize(("centre", "width", "height"), [(1.2, 0.4, 3.0), (1.75, 0.3, 5.0), (2.0, 0.35, 1.0)])
def test_the_critical_band_of_a_gaussian_is_found(centre, width, height):
    middles = (np.arange(6) + 0.5) / 2
    sensitivity = 1.5 + height * np.exp(-((middles - centre) ** 2) / (2 * width**2))
    found = gaussian_fit(sensitivity)
    np.testing.assert_allclose(found, (centre, width, height + 1.5), atol=0.05)
    narrow = gaussian_fit(np.zeros(6))
    assert np.isfinite(narrow).all()


@pytest.mark.vouches("protocols/biases", paper="P153")
def test_correlations_are_scipys_and_consistency_needs_one_sign():
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=(2, 12)).round(1)
    assert spearman(first, second) == pytest.approx(spearmanr(first, second).statistic)
    assert spearman(first, np.ones(12)) == 0
    assert consistency([0.7, 0.6, 0.9, 0.8]) == 0.6
    assert consistency([-0.7, -0.6, -0.9, -0.8]) == 0.6
    assert consistency([0.7, -0.2, 0.9, 0.8]) == -0.2
    assert consistency([0.7, 0.1, 0.9, 0.8]) == 0.1


@pytest.mark.vouches("protocols/biases", paper="P153")
def test_networks_left_out_are_predicted_from_the_others_alone():
    generator = np.random.default_rng(0)
    first, second, noise = generator.normal(size=(3, 14))
    ranks = np.argsort(np.argsort(first))
    assert spearman(left_out([first, second], ranks.astype(float)), ranks) > 0.99
    # What is fitted to noise fails on what was left out, however well it fits.
    scores = [spearman(left_out(list(generator.normal(size=(6, 14))), noise), noise) for _ in range(40)]
    assert np.mean(scores) < 0.1
    target = noise.copy()
    target[3] = 100.0
    changed = left_out([first], target)[3]
    target[3] = 90.0
    assert left_out([first], target)[3] == pytest.approx(changed)  # its own value, beyond its rank, is not used


class ByPixel(nn.Module):
    """Reads shape and texture, written in tenths in channels 0 and 1, and answers by the texture in a share of the columns."""

    def __init__(self, share):
        super().__init__()
        self.share = share

    def forward(self, images):
        shape, texture = (images[:, channel].mean((1, 2)) for channel in (0, 1))
        by_texture = torch.arange(len(images)) < self.share * len(images)
        read = torch.where(by_texture, texture, shape)
        return -(read[:, None] - torch.arange(4) / 10).abs()


@pytest.mark.vouches("protocols/biases", paper="P153")
def test_a_pool_that_differs_in_one_bias_shows_it_and_no_other():
    """Networks that read textures in a growing share of images: shape bias orders them as the restyled accuracy does."""
    labels = torch.arange(16) % 4
    other = (labels + 1) % 4

    def written(shape, texture):
        images = torch.stack([shape, texture, shape], 1)[:, :, None, None].float().expand(-1, -1, 16, 16).contiguous() / 10
        return TensorSplit(images, labels, {"shape": shape, "texture": texture})

    both, conflict = written(labels, labels), written(labels, other)
    world = TensorWorld(both, both, tuple("abcd"), {"conflict": conflict, "shape": both, "texture": both})
    pool = [SimpleNamespace(network=ByPixel(share)) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    kept = {}
    arm = SimpleNamespace(
        world=world,
        make=lambda given: TensorWorld(conflict, conflict, tuple("abcd"), {}),
        generator=lambda *names: torch.Generator().manual_seed(0),
        keep=kept.__setitem__,
    )

    def same(images, severity, generator):
        return images

    def untouched(network, images, labels, generator):
        return images

    rows = {
        row[:-1]: row[-1]
        for row in biases(arm, pool=pool, restyled=None, corruptions=[partial(same)], attack=untouched, images=16)
    }
    assert rows["shape_bias", "restyled"] == pytest.approx(1)
    assert rows["average", "shape_bias"] == pytest.approx(0.5)
    assert rows["average", "restyled"] == pytest.approx(0.5)
    assert rows["average", "clean"] == rows["average", "attacked"] == rows["average", "corrupted"] == 1
    assert rows["shape_bias", "clean"] == 0  # all are perfect
    assert rows["consistency", "shape_bias"] == 0
    assert rows["average", "low_frequency"] == rows["average", "high_frequency"] == 1  # flat images are their means
    assert kept["table"].shape == (5, 10)
