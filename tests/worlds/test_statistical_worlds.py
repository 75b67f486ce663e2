"""Worlds defined by their statistics: DSD, spectra, dead leaves, fractals, defects."""

import numpy as np
import pytest
from scipy import ndimage, stats

from assay.data.seeds import Draw
from assay.worlds import dead_leaves, fractals


def spectral_slope(images, low, high):
    """Slope of log power against log radial frequency between two frequencies (cycles an image), by the plain periodogram with
    a Hann window.
    """
    size = images.shape[-1]
    window = np.hanning(size + 2)[1:-1]
    centred = images - images.mean(axis=(-2, -1), keepdims=True)
    power = (np.abs(np.fft.fft2(centred * window[:, None] * window)) ** 2).reshape(-1, size, size).mean(axis=0)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size) * size, np.fft.fftfreq(size) * size))
    rings = np.arange(low, high + 1)
    radial = [power[np.abs(frequency - ring) < 0.5].mean() for ring in rings]
    return np.polyfit(np.log(rings), np.log(radial), 1)[0]


@pytest.mark.vouches("worlds/dsd", paper="P019")
@pytest.mark.parametrize(("patches", "dimension", "sigma"), [(4, 9, 0.5), (8, 16, 0.1)])
def test_dsd_holds_the_signal_in_one_patch_and_noise_everywhere(make, patches, dimension, sigma):
    world = make("dsd", train=6000, test=2000, patches=patches, dimension=dimension, sigma=sigma)
    split = world.train
    x = split.images.reshape(6000, patches, dimension)
    sign = 2 * split.labels - 1
    signal = x[np.arange(6000), split.factors["patch"]] * sign[:, None]
    direction = signal.mean(axis=0)
    assert abs(np.linalg.norm(direction) - 1) < 5 * sigma * np.sqrt(dimension / 6000)
    rest = x.copy()
    rest[np.arange(6000), split.factors["patch"]] -= sign[:, None] * split.factors["signal"][0] * (2 * split.labels[0] - 1)
    assert abs(rest.std() / sigma - 1) < 0.01
    assert abs(rest.mean()) < 5 * sigma / np.sqrt(rest.size)
    assert stats.kstest(rest[:, 0, 0] / sigma, "norm").pvalue > 1e-4
    assert stats.chisquare(np.bincount(split.factors["patch"], minlength=patches)).pvalue > 1e-4
    assert (
        stats.chi2_contingency([np.bincount(split.factors["patch"][split.labels == y], minlength=patches) for y in (0, 1)]).pvalue
        > 1e-4
    )


@pytest.mark.vouches("worlds/dsd", paper="P019")
def test_dsd_has_one_signal_for_both_splits_and_the_accuracy_theory_gives(make):
    """With the patch known, the sign of the matched filter is right with probability Phi(1 / sigma)."""
    world = make("dsd", train=6000, test=4000, sigma=1.0)
    direction = world.train.factors["signal"][0] * (2 * world.train.labels[0] - 1)
    x = world.test.images.reshape(4000, 8, 16)[np.arange(4000), world.test.factors["patch"]]
    right = ((x @ direction > 0) == world.test.labels).mean()
    assert abs(right - stats.norm.cdf(1)) < 4 * np.sqrt(0.84 * 0.16 / 4000)


@pytest.mark.parametrize("alpha", [0.0, 1.0, 2.0, 3.0])
def test_noise_has_the_asked_spectral_slope(make, alpha):
    world = make("spectrum_noise", size=64, train=40, alphas=[alpha], deviation=0.05)
    assert abs(spectral_slope(world.train.images, 4, 24) + alpha) < 0.12
    assert abs(world.train.images.std() / 0.05 - 1) < 0.05


def test_noise_classes_differ_in_slope_alone(make):
    world = make("spectrum_noise", size=32, train=160, deviation=0.05)
    for label, alpha in enumerate((0.0, 1.0, 2.0, 3.0)):
        images = world.train.images[world.train.labels == label]
        assert abs(spectral_slope(images, 3, 12) + alpha) < 0.3
        assert abs(images.mean() - 0.5) < 0.01
        assert abs(images.std() / 0.05 - 1) < 0.1


def test_frequency_cues_stay_in_their_bands_with_their_strengths(make):
    split = make("frequency_cues", size=32, low=0.05, high=0.08, border=6.0).train
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(32) * 32, np.fft.fftfreq(32) * 32))
    for key, inside, strength in (("low_pattern", frequency <= 6, 0.05), ("high_pattern", frequency > 6, 0.08)):
        pattern = split.factors[key]
        power = np.abs(np.fft.fft2(pattern)) ** 2
        assert power[:, ~inside].sum() < 1e-6 * power.sum()
        # Up to the band's own end: the last cycles hold a share like the others.
        last = inside & (frequency <= 16) & (frequency > (5 if key == "low_pattern" else 14))
        assert power[:, last].sum() > 0.05 * power.sum()
        np.testing.assert_allclose(pattern.std(axis=(1, 2)), strength, rtol=1e-3)


def test_frequency_cues_disagree_in_the_asked_share_of_test_images(make):
    world = make("frequency_cues", train=500, test=2000, test_conflict=0.3)
    assert np.array_equal(world.train.factors["high_class"], world.train.labels)
    conflict = (world.test.factors["high_class"] != world.test.labels).mean()
    assert abs(conflict - 0.3) < 4 * np.sqrt(0.21 / 2000)


def test_shifted_patterns_are_cyclic_shifts_of_one_pattern_a_class(make):
    split = make("frequency_cues").train
    for label in range(4):
        spectra = np.abs(np.fft.fft2(split.factors["low_pattern"][split.labels == label]))
        np.testing.assert_allclose(spectra, np.broadcast_to(spectra[0], spectra.shape), atol=1e-3)


def test_every_shift_of_a_pattern_is_as_likely(make):
    """Shifts are read off the peak of the correlation with the pattern that is not shifted."""
    still, moved = (make("frequency_cues", train=1600, shift=shift).train.factors["low_pattern"] for shift in (False, True))
    correlation = np.fft.ifft2(np.fft.fft2(moved) * np.fft.fft2(still).conj()).real
    offsets = np.unravel_index(correlation.reshape(1600, -1).argmax(axis=1), (16, 16))
    for along in offsets:
        assert stats.chisquare(np.bincount(along, minlength=16)).pvalue > 1e-4


@pytest.mark.vouches("worlds/dead_leaves", paper="P466")
def test_dead_leaves_have_a_natural_spectrum(make):
    """Power falls about as 1 / f^2 between the largest leaves and the pixel, as in photographs (Lee, Mumford and Huang 2001)."""
    world = make("dead_leaves", size=64, train=60, leaves=250, smallest=0.03, largest=0.5)
    assert -2.9 < spectral_slope(world.train.images, 3, 20) < -1.7


def test_leaf_radii_follow_the_cubic_law():
    """P(R < r) = (a^-2 - r^-2) / (a^-2 - b^-2) for density proportional to r^-3 on [a, b]."""
    drawn = dead_leaves.radii(np.random.default_rng(0), 5000, (0.05, 0.4))
    low, high = 0.05**-2, 0.4**-2
    assert stats.kstest(drawn, lambda r: (low - r**-2.0) / (low - high)).pvalue > 1e-4


def test_dead_leaves_are_opaque_and_flat(make):
    """Late leaves cover early ones entirely, so one pixel is seldom the mean of its two neighbours: most neighbours are equal."""
    images = make("dead_leaves", size=32, train=32, leaves=150, smallest=0.2).train.images
    equal = (np.abs(np.diff(images, axis=-1)).max(axis=1) < 1e-6).mean()
    assert equal > 0.6
    steps = [len(np.unique(image.reshape(3, -1).T.round(4), axis=0)) for image in images]
    assert min(steps) > 4


def test_fractals_reproduce_the_sierpinski_triangle():
    """Three maps that halve towards the corners: the chaos game never enters the middle triangle, and visits the three thirds
    alike.
    """
    corner = np.array([[0, 0], [0.5, 0], [0.25, 0.5]], np.float32)
    maps = np.concatenate([np.tile(np.array([0.5, 0, 0, 0.5], np.float32), (3, 1)), corner], axis=1)
    points = fractals._chaos_game(Draw("test"), maps[np.arange(fractals.MAPS) % 3][None])[0]
    x, y = points.T
    # Corner triangles at the three half-size copies; what is left of the whole is the removed middle.
    copies = [
        (y >= cy - 1e-3) & (y <= cy + 0.5 + 1e-3) & (np.abs(x - cx - 0.25) <= 0.25 - (y - cy) / 2 + 1e-3) for cx, cy in corner
    ]
    assert np.any(copies, axis=0).all()
    # Eight map slots hold the three maps 3, 3 and 2 times.
    shares = np.array([copy.mean() for copy in copies])
    np.testing.assert_allclose(shares, [3 / 8, 3 / 8, 2 / 8], atol=0.05)


def test_a_fractals_picture_is_the_logarithm_of_numpys_histogram():
    points = np.random.default_rng(0).normal(size=(3, 500, 2)).astype(np.float32)
    for picture, (x, y) in zip(fractals._density(points, 9), points.transpose(0, 2, 1), strict=True):
        counts = np.log1p(np.histogram2d(y, x, bins=9)[0])
        np.testing.assert_allclose(picture, counts / counts.max(), rtol=1e-6)


def test_fractals_are_turned_and_mirrored_as_their_factors_say():
    """A right angle turned by 90 degrees, clockwise on screen as y points down, and one mirrored left to right."""
    points = np.array([[[0, 0], [2, 0], [0, 1]]], np.float64) + 5
    turned = fractals._turned(points, np.array([90.0]), np.array([False]))[0]
    mirrored = fractals._turned(points, np.array([0.0]), np.array([True]))[0]
    np.testing.assert_allclose(turned - turned[0], [[0, 0], [0, 2], [-1, 0]], atol=1e-6)
    np.testing.assert_allclose(mirrored - mirrored[0], [[0, 0], [-2, 0], [0, 1]], atol=1e-6)


def test_fractals_of_a_class_share_their_system(make):
    """What turning and mirroring leave alone, the spread of the points along the two axes of their cloud, tells classes apart."""
    split = make("fractals", train=400, variation=0.05, channels=1, size=32).train
    assert split.images.shape == (400, 1, 32, 32)
    density = split.images[:, 0].reshape(400, -1) / split.images.reshape(400, -1).sum(axis=1, keepdims=True)
    filled = (density > 0).mean(axis=1)
    groups = [filled[split.labels == label] for label in range(10)]
    within = np.mean([group.var() for group in groups])
    assert np.var([group.mean() for group in groups]) > 2 * within


def test_defect_masks_are_the_pixels_that_change_with_the_defect(make):
    faint, strong = (make("defects", train_share=0.5, strength=strength).train for strength in (0.1, 0.3))
    changed = np.abs(faint.images - strong.images).max(axis=1) > 0.01
    mask = faint.factors["mask"].astype(bool)
    near, nearer = (ndimage.binary_dilation(mask, np.ones((1, side, side))) for side in (7, 3))
    assert not (changed & ~near).any()
    assert (changed & ~nearer).sum() < 0.02 * changed.sum()  # the tips of a stain fade out over more than a pixel
    assert changed[mask].mean() > 0.99
    assert np.array_equal(mask.any(axis=(1, 2)), faint.labels == 1)
    assert np.array_equal(faint.factors["defect"] > 0, faint.labels == 1)


def test_defects_are_half_of_the_test_and_none_of_the_training_images(make):
    world = make("defects", test=200)
    assert world.train.labels.max() == 0
    assert world.test.labels.sum() == 100
    assert set(np.unique(world.test.factors["defect"])) == {0, 1, 2, 3, 4}
