"""The corruptions that MNIST-C adds, each against scikit-image's warps and edges or drawn pixel by pixel."""

import math
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch
from skimage import feature, filters, transform

from assay.corruptions import _digits, rotate, scale, shear, spatter, stripe, translate, zigzag
from assay.corruptions.canny_edges import canny_edges
from assay.corruptions.dotted_line import dotted_line
from assay.data.seeds import Draw
from assay.language.plugs import load
from assay.worlds.digits import digits


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@cache
def numerals(size: int = 28, count: int = 16) -> torch.Tensor:
    """(count, 1, size, size) handwritten digits."""
    return torch.from_numpy(digits(Draw("world", 0, 0), size=size, train=20, test=max(20, count)).test.images[:count])


def warped(images: torch.Tensor, matrix: np.ndarray, shift=(0.0, 0.0)) -> np.ndarray:
    """scikit-image's reading of each image at matrix @ position + shift from the middle, black beyond the edges."""
    middle = (images.shape[-1] - 1) / 2
    whole = np.eye(3)
    whole[:2, :2] = matrix
    whole[:2, 2] = middle - np.asarray(matrix) @ [middle, middle] + shift
    read = [transform.warp(image[0].double().numpy(), transform.AffineTransform(whole), order=1) for image in images]
    return np.stack(read)[:, None]


def assert_each_is_one_of(found: torch.Tensor, allowed: list[np.ndarray]) -> None:
    """Every image is that of one of the allowed results, and each of these occurs."""
    distances = np.stack([np.abs(found.numpy() - one).max((1, 2, 3)) for one in allowed])
    assert (distances.min(0) < 1e-4).all()
    assert set(distances.argmin(0)) == set(range(len(allowed)))


@pytest.mark.vouches("corruptions/shear", paper="P090")
@pytest.mark.parametrize("size", [16, 28])
def test_shear_is_scikit_images_warp_by_the_papers_matrix(size):
    for severity, angle in enumerate(shear.ANGLE, 1):
        allowed = [warped(numerals(size), [[1, -math.sin(a)], [0, math.cos(a)]]) for a in (angle, -angle)]
        assert_each_is_one_of(shear.shear(numerals(size), severity, generator()), allowed)


@pytest.mark.vouches("corruptions/rotate", paper="P090")
@pytest.mark.parametrize("size", [16, 28])
def test_rotation_is_scikit_images(size):
    for severity, angle in enumerate(rotate.ANGLE, 1):
        allowed = [
            np.stack([transform.rotate(image[0].double().numpy(), math.degrees(a), order=1) for image in numerals(size)])[:, None]
            for a in (angle, -angle)
        ]
        assert_each_is_one_of(rotate.rotate(numerals(size), severity, generator()), allowed)


@pytest.mark.vouches("corruptions/scale", paper="P090")
@pytest.mark.parametrize("size", [16, 28])
def test_scaling_shrinks_as_scikit_image(size):
    for severity, factor in enumerate(scale.FACTOR, 1):
        found = scale.scale(numerals(size), severity, generator())
        assert_each_is_one_of(found, [warped(numerals(size), np.eye(2) / factor)])
    white = scale.scale(torch.ones(1, 1, 40, 40), 5, generator())
    assert white.sum() == pytest.approx(400, abs=1)  # half the side, black around


@pytest.mark.vouches("corruptions/translate", paper="P090")
def test_translation_moves_whole_pixels_of_28_along_a_diagonal():
    for severity in range(1, 6):
        padded = torch.nn.functional.pad(numerals(), (severity,) * 4)
        corners = [(y, x) for y in (0, 2 * severity) for x in (0, 2 * severity)]
        allowed = [padded[:, :, y : y + 28, x : x + 28].numpy() for y, x in corners]
        assert_each_is_one_of(translate.translate(numerals(), severity, generator()), allowed)


@pytest.mark.vouches("corruptions/stripe", paper="P090")
def test_outer_quarters_are_inverted():
    striped = stripe.stripe(numerals(), 4, generator())
    assert striped[..., :7].equal(1 - numerals()[..., :7])
    assert striped[..., 7:21].equal(numerals()[..., 7:21])
    assert striped[..., 21:].equal(1 - numerals()[..., 21:])


@pytest.mark.vouches("corruptions/canny_edges", paper="P090")
def test_edges_are_scikit_images_at_its_defaults_on_28_pixels():
    found = canny_edges(numerals(), 5, generator())
    expected = np.stack([feature.canny(image[0].double().numpy()) for image in numerals()])
    np.testing.assert_array_equal(found[:, 0], expected)
    assert 0.02 < expected.mean() < 0.5
    torch.testing.assert_close(canny_edges(numerals(), 2, generator()), 0.6 * numerals() + 0.4 * found)


@pytest.mark.vouches("corruptions/spatter", paper="P090")
def test_mud_is_dark_grey_and_covers_as_much_as_in_the_paper():
    white = spatter.spatter(torch.ones(200, 1, 28, 28), 4, generator())
    # The paper's own recipe in its own numbers, with scikit-image's blurs.
    random = np.random.default_rng(0)
    cover = []
    for _ in range(200):
        liquid = filters.gaussian(random.normal(0.65, 0.3, (28, 28)), 1)
        mud = filters.gaussian((liquid > 0.65).astype(float), 1.5)
        cover.append((mud >= 0.8).mean())
    np.testing.assert_allclose((white < 1).float().mean(), np.mean(cover), atol=0.02)
    assert white.min() == pytest.approx(63 / 255, abs=1e-4)
    assert white[white < 1].max() <= 1 - 0.8 * (1 - 63 / 255) + 1e-6
    wet = torch.randn(8, 1, 28, 28, generator=generator())
    blurred = np.stack([filters.gaussian((image[0] > 0.5).double().numpy(), 1.5, mode="mirror") for image in wet])
    expected = np.where(blurred < 0.8, 0, blurred)
    np.testing.assert_allclose(spatter.blots(wet, 0.5, 1.5)[:, 0], expected, atol=1e-5)


def light_by_hand(start, end) -> np.ndarray:
    """A line drawn pixel by pixel on 28 x 28 pixels."""
    (c0, r0), (c1, r1) = start, end
    canvas = np.zeros((28, 28))
    for row in range(28):
        for column in range(math.floor(c0), min(28, math.ceil(c1))):
            distance = abs(row - (r0 + (column - c0) * (r1 - r0) / (c1 - c0)))
            if distance < 2.3:
                canvas[row, column] = max(0, math.log(1 - distance / 2.3) + 1)
    return canvas


@pytest.mark.vouches("corruptions/dotted_line", paper="P090")
def test_dots_of_a_line_drawn_by_hand():
    black = torch.zeros(60, 1, 28, 28)
    found = dotted_line(black, 5, generator(1))
    left_out = [column for column in range(28) if column // 2 % 2 == 0]
    assert (found[..., left_out] == 0).all()
    rows = np.floor(torch.rand(60, 2, generator=generator(1)).numpy() * 27)
    for image, (first, last) in zip(found[:, 0].numpy(), rows, strict=True):
        expected = light_by_hand((0, first), (27, last))
        expected[:, left_out] = 0
        np.testing.assert_allclose(image, expected, atol=1e-5)
    assert rows.min() <= 2
    assert rows.max() >= 24
    torch.testing.assert_close(dotted_line(black, 2, generator(1)), 0.4 * found)
    # At other sizes the same line, coarser or finer.
    large = dotted_line(torch.zeros(60, 1, 112, 112), 5, generator(1))
    coarse = torch.nn.functional.avg_pool2d(large, 4)
    assert torch.corrcoef(torch.stack([coarse.flatten(), found.flatten()]))[0, 1] > 0.9


@pytest.mark.vouches("corruptions/zigzag", paper="P090")
def test_zigzags_drawn_by_hand():
    """About a level line, corners lie at 2, 6, 10, ... along it and 2 to either side in turn."""
    level = zigzag.corners(torch.tensor([13.0]), torch.tensor([0.0]))[0]
    turns = [[4, 15], [8, 11], [12, 15], [16, 11], [20, 15], [24, 11]]
    torch.testing.assert_close(level, torch.tensor([[2.0, 13], *turns, [25, 13]]))
    # A leaning one is the level one turned and as long as the straight line between its ends.
    leaning = zigzag.corners(torch.tensor([13.0]), torch.tensor([4.0]))[0]
    torch.testing.assert_close(leaning[-1], torch.tensor([25.0, 17.0]))
    turned = transform.EuclideanTransform(rotation=math.atan2(4, 23))((level[:-1] - level[0]).numpy()) + level[0].numpy()
    np.testing.assert_allclose(leaning[:-1], turned, atol=1e-5)
    black = torch.zeros(40, 1, 28, 28)
    found = zigzag.zigzag(black, 5, generator(1))
    numbers = torch.rand(40, 2, generator=generator(1))
    points = zigzag.corners((numbers[:, 0] * 27).floor(), (numbers[:, 1] * 10).floor() - 5).double().numpy()
    for image, path in zip(found[:, 0].numpy(), points, strict=True):
        expected = sum(light_by_hand(start, end) for start, end in pairwise(path))
        np.testing.assert_allclose(image, np.clip(expected, 0, 1), atol=1e-4)


@pytest.mark.parametrize("name", ["shear", "rotate", "translate", "scale"])
def test_moved_digits_have_black_around(name):
    white = load("corruptions", name)(torch.ones(20, 1, 16, 16), 5, generator())
    assert (white[:, 0, [0, 0, -1, -1], [0, -1, 0, -1]] < 0.5).any(1).all()


def test_lines_reach_no_further_than_their_light():
    line = _digits.lines(torch.zeros(1, 1, 28, 28), torch.tensor([[[3.5, 10.0]]]), torch.tensor([[[20.2, 10.0]]]))[0, 0]
    assert line[10, 3:21].tolist() == [1] * 18
    assert line[:, [0, 1, 2, 21, 22]].sum() == 0
    assert (line.sum(1) > 0).nonzero().flatten().tolist() == [9, 10, 11]


@pytest.mark.parametrize("name", ["rotate", "scale", "shear"])
@pytest.mark.parametrize("shape", [(12, 20), (20, 12)])
def test_the_middle_stays_where_it_is(name, shape):
    """What looks the same upside down still does."""
    images = torch.rand(8, 1, *shape, generator=generator())
    moved = load("corruptions", name)(images + images.rot90(2, (2, 3)), 4, generator())
    torch.testing.assert_close(moved, moved.rot90(2, (2, 3)), atol=1e-5, rtol=0)
