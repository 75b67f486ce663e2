"""How strong corruptions and films are, measured on images made for it, against the numbers their papers and files give."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from assay.corruptions import _sequences, elastic_transform, glass_blur, rotate, scale, shear, snow, spatter
from assay.corruptions._sequences import SEQUENCES
from assay.corruptions.brightness import brightness
from assay.corruptions.contrast import contrast
from assay.corruptions.gaussian_noise import gaussian_noise
from assay.corruptions.impulse_noise import impulse_noise
from assay.corruptions.jpeg_compression import QUALITY
from assay.corruptions.motion_blur import motion_blur
from assay.protocols import biases
from assay.protocols.biases import crossing


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def measured(corruption, image: torch.Tensor, measure) -> list[float]:
    """A measure of the image corrupted at every severity."""
    return [float(measure(corruption(image, severity, generator()))) for severity in range(1, 6)]


GREY = torch.full((20, 3, 32, 32), 0.5)
DARK = torch.full((20, 3, 32, 32), 0.2)


def test_light_and_noise():
    """In the [0, 1] range; noise is small enough not to be cut off, but at the last severity, where 5% is."""
    assert measured(brightness, DARK, lambda seen: (seen - DARK).mean()) == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5], abs=1e-5)
    steps = torch.where(torch.arange(32) < 16, 0.4, 0.6).expand(2, 3, 32, 32)
    assert measured(contrast, steps, lambda seen: seen.std(correction=0)) == pytest.approx(
        [0.1 * share for share in (0.75, 0.5, 0.4, 0.3, 0.15)], abs=1e-5
    )
    deviations = measured(gaussian_noise, GREY, lambda seen: (seen - 0.5).std())
    assert deviations[:4] == pytest.approx([0.04, 0.08, 0.12, 0.18], rel=0.02)
    assert deviations[4] == pytest.approx(0.26, rel=0.06)
    assert measured(impulse_noise, GREY, lambda seen: (seen != 0.5).double().mean()) == pytest.approx(
        [0.02, 0.04, 0.07, 0.11, 0.17], abs=0.004
    )
    assert QUALITY == (50, 30, 20, 12, 7)


def test_moved_digits_are_as_far_from_their_place_as_in_the_authors_programme():
    """MNIST-C: shears and turns by 0.2 to 1 radians, the former by the angle's sine, shrinking to 0.9 to 0.5."""
    bar = torch.zeros(8, 1, 64, 64)
    bar[..., 12:52, 31:33] = 1

    def lean(seen: torch.Tensor) -> float:
        """Absolute slope of the middle of each row, in radians from upright."""
        x = torch.arange(64.0)
        middle = (seen * x).sum(-1) / seen.sum(-1).clamp_min(1e-6)
        inner = middle[:, 0, 27:37]  # far enough from the ends of the bar
        return ((inner[:, -1] - inner[:, 0]) / 9).abs().mean()

    angles = (0.2, 0.4, 0.6, 0.8, 1.0)
    assert measured(shear.shear, bar, lean) == pytest.approx([math.sin(angle) for angle in angles], rel=0.03)
    assert measured(rotate.rotate, bar, lean) == pytest.approx([math.tan(angle) for angle in angles], rel=0.05)
    white = torch.ones(1, 1, 64, 64)
    assert measured(scale.scale, white, lambda seen: seen.mean().sqrt()) == pytest.approx([0.9, 0.8, 0.7, 0.6, 0.5], abs=0.01)


def test_mud_covers_more_and_more_of_the_image():
    """Shares of a normal variable above 0.6, 0.4, 0.2, 0 and -0.3, before the outline is blurred."""
    assert spatter.THRESHOLD == (0.6, 0.4, 0.2, 0.0, -0.3)
    covered = measured(spatter.spatter, torch.ones(60, 1, 56, 56), lambda seen: (seen < 1).double().mean())
    assert all(b > a for a, b in pairwise(covered))


def test_snow_lies_thicker_with_every_severity():
    """Where no flake falls black turns grey by half the whitened share; flakes brighten the mean."""
    black = torch.zeros(60, 3, 32, 32)
    whitened = measured(snow.snow, black, lambda seen: 2 * seen.amin((1, 2, 3)).median())
    assert whitened == pytest.approx([0.05, 0.1, 0.15, 0.2, 0.25], abs=0.01)
    streaks = [row[4] for row in snow.STRENGTH]
    assert streaks == sorted(streaks)
    assert [row[2] for row in snow.STRENGTH] == [1, 1, 1.75, 1.75, 1.75]
    # of the normal flakes, those above the threshold
    shares = [0.5 * math.erfc((row[3] - row[0]) / row[1] / math.sqrt(2)) for row in snow.STRENGTH]
    assert all(0.004 < a < b < 0.4 for a, b in pairwise(shares))


def test_as_many_pixels_trade_places_as_the_file_says():
    """A swapped pixel is moved by its own step or one of its neighbours'; of 8 of 9 steps it moves."""
    numbers = torch.rand(40, 32, 32, 3, generator=generator())
    ramp = torch.arange(1024.0).reshape(1, 1, 32, 32).expand(40, 1, 32, 32)
    moved = []
    for share in glass_blur.SHARE:
        seen = glass_blur.swap_neighbours(ramp, numbers, 1, share)
        moved.append(float((seen != ramp)[..., 2:-2, 2:-2].double().mean()))
    assert glass_blur.SHARE == (0.1, 0.25, 0.5, 0.75, 1.0)
    # A pixel stays where neither its own turn nor that of one of the eight about it moves it; few turns undo each other.
    expected = [1 - (1 - share * 8 / 9) * (1 - share / 9) ** 8 for share in glass_blur.SHARE[:2]]
    assert moved[:2] == pytest.approx(expected, abs=0.03)
    assert moved == sorted(moved)


def test_elastic_displacements_have_the_root_mean_square_of_the_table():
    ramp = (torch.arange(64.0) / 64).expand(60, 1, 64, 64)
    inner = slice(20, 44)
    found = measured(
        elastic_transform.elastic_transform, ramp, lambda seen: (seen - ramp)[..., inner, inner].square().mean().sqrt()
    )
    assert elastic_transform.JITTER == elastic_transform.DISPLACEMENT == (0.02, 0.03, 0.04, 0.05, 0.06)
    assert all(0.95 * rms < seen < 1.4 * rms for rms, seen in zip(elastic_transform.DISPLACEMENT, found, strict=True))


def test_streaks_lie_within_45_degrees_of_level():
    dot = torch.zeros(400, 1, 33, 33)
    dot[..., 16, 16] = 1
    seen = motion_blur(dot, 5, generator())[:, 0]
    y, x = torch.meshgrid(torch.arange(33.0) - 16, torch.arange(33.0) - 16, indexing="ij")
    across, down = (seen * x).sum((1, 2)), (seen * y).sum((1, 2))
    slopes = torch.rad2deg(torch.atan2(-down, -across))
    assert slopes.abs().max() < 48
    assert slopes.min() < -40
    assert slopes.max() > 40
    assert slopes.std().item() == pytest.approx(90 / math.sqrt(12), rel=0.1)


def test_films_cover_the_distances_their_file_gives():
    """A quarter of the side, 15 degrees and 45 degrees either way, 0.4 in value, 1.4 and 1.2 times as large, a lean of 0.3."""
    x = torch.arange(64.0)
    ramp = (x / 128 + 0.2).expand(1, 1, 64, 64)
    inner = slice(24, 40)

    def slopes(frame: torch.Tensor) -> tuple[float, float]:
        """Steps of the values across and down, in the middle, over those of the ramp."""
        part = 128 * frame[0, 0, inner, inner]
        return float(part.diff(dim=1).mean()), float(part.diff(dim=0).mean())

    translated = SEQUENCES["translate"](ramp, 5, generator())
    assert 128 * float((ramp - translated[-1])[..., inner, inner].mean()) == pytest.approx(16, abs=0.1)
    turned = [math.degrees(math.atan2(*reversed(slopes(frame)))) for frame in SEQUENCES["rotate"](ramp, 5, generator())]
    assert [abs(angle) for angle in turned] == pytest.approx([15, 7.5, 0, 7.5, 15], abs=0.1)
    assert turned[0] == pytest.approx(-turned[-1], abs=0.1)
    brighter = SEQUENCES["brightness"](DARK[:1], 5, generator())
    assert [float(frame.mean()) - 0.2 for frame in brighter] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4], abs=1e-5)
    nearer = SEQUENCES["scale"](ramp, 5, generator())
    assert [1 / slopes(frame)[0] for frame in nearer] == pytest.approx([1, 1.1, 1.2, 1.3, 1.4], abs=0.01)
    zoomed = SEQUENCES["zoom_blur"](ramp, 3, generator())
    assert [slopes(frame)[0] for frame in zoomed] == pytest.approx([1, (1 + 1 / 1.1) / 2, (1 + 1 / 1.1 + 1 / 1.2) / 3], abs=0.003)
    leaning = SEQUENCES["tilt"](ramp, 2, generator())[-1, 0, 0]
    corner = 128 * (leaning[[8, 48], [8, 48]] - 0.2)
    away = torch.tensor([8.0, 48]) - 31.5
    torch.testing.assert_close(corner, 31.5 + away / (1 + 0.3 * 2 * away / 64), atol=0.05, rtol=0)


def test_streaks_in_films_turn_by_45_degrees_and_have_a_twentieth_of_the_side():
    dot = torch.zeros(1, 1, 65, 65)
    dot[..., 32, 32] = 1
    film = SEQUENCES["motion_blur"](dot, 3, generator())[:, 0, 0]
    y, x = torch.meshgrid(torch.arange(65.0) - 32, torch.arange(65.0) - 32, indexing="ij")
    directions = [math.degrees(math.atan2(-float((seen * y).sum()), -float((seen * x).sum()))) for seen in film]
    assert directions == pytest.approx([-45, 0, 45], abs=1)
    offsets = np.arange(int(3 * 0.05 * 65) + 1)
    weights = np.exp(-(offsets**2) / (2 * (0.05 * 65) ** 2))
    assert float(-(film[1] * x).sum()) == pytest.approx((weights * offsets).sum() / weights.sum(), rel=0.01)


def test_films_of_noise_have_the_mildest_severity_and_snow_too():
    seen = SEQUENCES["gaussian_noise"](GREY, 2, generator())[1]
    assert (seen - 0.5).std().item() == pytest.approx(0.04, rel=0.02)
    black = torch.zeros(60, 3, 32, 32)
    assert float(2 * SEQUENCES["snow"](black, 2, generator())[0].amin((1, 2, 3)).median()) == pytest.approx(0.05, abs=0.01)
    assert _sequences.MILDEST == 1


def test_thresholds_of_contrast_are_looked_for_from_three_to_sixty_percent():
    assert biases.CONTRASTS.tolist() == pytest.approx([0.03 * 20 ** (k / 5) for k in range(6)])
    flat = np.full(6, 0.9)
    assert crossing(biases.CONTRASTS, flat, 0.95) == pytest.approx(0.03)
    assert crossing(biases.CONTRASTS, flat, 0.1) == pytest.approx(0.6)
