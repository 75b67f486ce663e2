"""The world `shapes`: drawing against rasterisers and closed forms, factors against pixels, shortcuts and label noise against
their rates.
"""

import numpy as np
import pytest
from matplotlib.path import Path as Outline
from scipy import ndimage, stats
from skimage.draw import polygon2mask

from assay.data.seeds import Draw
from assay.worlds import _render
from assay.worlds._split import noisy_labels


def within_binomial(count, total, share, deviations=4):
    return abs(count - total * share) <= deviations * np.sqrt(total * share * (1 - share)) + 1e-9


def corners_of(name):
    """The polygon's corners, from the closure of its distance function."""
    closure = _render.SHAPES[name].__closure__
    return closure[0].cell_contents if closure else None


POLYGONS = [name for name in _render.SHAPE_NAMES if corners_of(name) is not None]


@pytest.mark.parametrize("name", POLYGONS)
def test_polygons_agree_with_a_rasteriser(name):
    size, fine = 32, 16
    centre, radius, angle = np.array([[0.47, 0.55]], np.float32), 0.36, 33.0
    cover = _render.coverage(
        np.array([_render.SHAPE_NAMES.index(name)]), centre, np.array([radius], np.float32), np.array([angle], np.float32), size
    )[0]
    turn = np.deg2rad(angle)
    rotate = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    x, y = (centre[0][:, None] + radius * rotate @ corners_of(name).T) * size * fine
    oracle = polygon2mask((size * fine, size * fine), np.stack([y, x], axis=1) - 0.5)
    oracle = oracle.reshape(size, fine, size, fine).mean(axis=(1, 3))
    assert abs(cover.sum() / oracle.sum() - 1) < 0.02
    assert np.abs(cover - oracle).max() < 0.4  # one sample of the distance a pixel is least exact at sharp corners
    assert np.abs(cover - oracle).mean() < 0.01


@pytest.mark.parametrize(("name", "cells"), [("cross", 5), ("corner", 5), ("tee", 5), ("zigzag", 5), ("comb", 7)])
def test_letters_are_made_of_nine_equal_cells(name, cells):
    """Their edges meet at right angles, and they fill so many cells of the nine in their bounding square."""
    corners = corners_of(name)
    edges = np.roll(corners, -1, axis=0) - corners
    assert (np.abs(edges).min(axis=1) < 1e-6).all()
    sides = np.ptp(corners, axis=0)
    np.testing.assert_allclose(sides[0], sides[1], rtol=1e-6)
    steps = (corners - corners.min(axis=0)) / sides[0] * 3
    np.testing.assert_allclose(steps, steps.round(), atol=1e-5)
    (x, y), (next_x, next_y) = steps.T, np.roll(steps, -1, axis=0).T
    assert abs((x * next_y - y * next_x).sum()) / 2 == pytest.approx(cells, rel=1e-5)


@pytest.mark.parametrize("name", ["cross", "tee", "comb", "arrow", "hourglass", "rhombus", "kite", "square", "hexagon"])
def test_shapes_that_are_their_own_mirror_image(name):
    corners = corners_of(name)
    apart = np.linalg.norm(corners[:, None] - corners * [-1, 1], axis=2)
    np.testing.assert_allclose(apart.min(axis=1), 0, atol=1e-6)


@pytest.mark.parametrize("name", POLYGONS)
def test_polygon_distances_have_the_sign_and_size_of_the_true_distance(name):
    points = np.random.default_rng(0).uniform(-1.5, 1.5, (400, 2)).astype(np.float32)
    corners = corners_of(name)
    distance = _render.SHAPES[name](points[:, 0], points[:, 1])
    assert np.array_equal(distance < 0, Outline(np.vstack([corners, corners[:1]]), closed=True).contains_points(points))
    steps = np.linspace(0, 1, 400)[:, None, None]
    outline = (corners + steps * (np.roll(corners, -1, axis=0) - corners)).reshape(-1, 2)
    brute = np.sqrt(((points[:, None] - outline) ** 2).sum(-1)).min(axis=1)
    np.testing.assert_allclose(np.abs(distance), brute, atol=0.01)


@pytest.mark.parametrize(
    ("name", "area"),
    [
        ("circle", np.pi),
        ("ring", np.pi * (1 - 0.5**2)),
        ("pill", np.pi * 0.32**2 + 4 * 0.68 * 0.32),
    ],
)
def test_round_shapes_have_the_area_of_their_closed_form(name, area):
    cover = _render.coverage(
        np.array([_render.SHAPE_NAMES.index(name)]), np.array([[0.5, 0.5]]), np.array([0.4]), np.array([20.0]), 64
    )
    assert abs(cover.sum() / (area * 0.4**2 * 64**2) - 1) < 0.01


def test_every_shape_lies_in_its_bounding_circle():
    angle = np.linspace(0, 2 * np.pi, 720)
    for name, distance in _render.SHAPES.items():
        assert (distance(1.001 * np.cos(angle), 1.001 * np.sin(angle)) > 0).all(), name


def test_labels_are_balanced_and_shapes_are_the_labels(make):
    world = make("shapes", train=200)
    assert np.array_equal(np.bincount(world.train.labels), np.full(10, 20))
    assert np.array_equal(world.train.factors["shape"], world.train.labels)


def test_noise_is_normal_and_of_the_deviation_asked_for(make):
    plain, noisy = (make("shapes", noise=noise).train.images for noise in (0.0, 0.05))
    inner = (plain > 0.3) & (plain < 0.7)
    added = (noisy - plain)[inner]
    assert stats.kstest(added[:5000], stats.norm(0, 0.05).cdf).pvalue > 1e-3


@pytest.mark.parametrize("objects", [1, 3])
def test_masks_are_the_pixels_that_change_with_the_object(make, objects):
    faint, strong = (make("shapes", objects=objects, size=24, noise=0.0, contrast=(step, step)) for step in (0.2, 0.5))
    for key, value in faint.train.factors.items():
        if key != "colour":
            assert np.array_equal(value, strong.train.factors[key])
    changed = np.abs(faint.train.images - strong.train.images).max(axis=1) > 1e-6
    mask = faint.train.factors["mask"].astype(bool)
    near, nearer = (ndimage.binary_dilation(mask, np.ones((1, side, side))) for side in (7, 3))
    assert not (changed & ~near).any()
    assert (changed & ~nearer).sum() < 0.02 * changed.sum()  # sharp tips fade out over more than a pixel
    assert changed[mask].mean() > 0.99


def test_boxes_are_tight_around_masks(make):
    factors = make("shapes", objects=3).train.factors
    for masks, boxes in zip(factors["masks"], factors["boxes"], strict=True):
        for mask, (left, top, right, bottom) in zip(masks, boxes, strict=True):
            rows, columns = np.nonzero(mask)
            if len(rows):
                assert (left, top, right, bottom) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            else:
                assert (left, top, right, bottom) == (0, 0, 0, 0)


def test_masks_of_several_objects_do_not_overlap_and_make_up_the_whole(make):
    factors = make("shapes", objects=4).train.factors
    assert factors["masks"].sum(axis=1).max() == 1
    assert np.array_equal(factors["masks"].max(axis=1), factors["mask"])


def test_classes_of_several_objects_differ_and_are_present(make):
    factors = make("shapes", objects=4).train.factors
    for classes, present in zip(factors["objects"], factors["present"], strict=True):
        assert sorted(set(classes)) == np.flatnonzero(present).tolist()
        assert len(set(classes)) == 4


def test_position_scale_and_rotation_are_where_the_mask_is(make):
    # Small enough to lie inside the image whole, wherever they are.
    factors = make("shapes", size=64, classes=2, rotation=(0.0, 0.0), scale=(0.2, 0.3)).train.factors
    for mask, position, scale, shape in zip(
        factors["mask"], factors["position"], factors["scale"], factors["shape"], strict=True
    ):
        rows, columns = np.nonzero(mask)
        np.testing.assert_allclose([(columns.mean() + 0.5) / 64, (rows.mean() + 0.5) / 64], position, atol=0.02)
        area = {0: np.pi, 1: 2.0}[shape] * scale**2 * 64**2  # circle, square with corners on the circle
        assert abs(mask.sum() / area - 1) < 0.08  # whole pixels along the outline


def test_factors_do_not_depend_on_the_resolution(make):
    small, large = make("shapes", size=16).train, make("shapes", size=32).train
    for key in ("shape", "texture", "position", "scale", "rotation", "hue", "background", "background_hue"):
        assert np.array_equal(small.factors[key], large.factors[key])


def test_test_ranges_move_the_test_split_alone(make):
    plain, moved = make("shapes"), make("shapes", test_scale=(0.1, 0.15), test_rotation=(90.0, 90.0), test_position=(0.7, 0.8))
    assert np.array_equal(plain.train.images, moved.train.images)
    assert moved.test.factors["scale"].max() <= 0.15
    assert (moved.test.factors["rotation"] == 90).all()
    assert moved.test.factors["position"].min() >= 0.7


def test_grey_images_are_the_luminance_of_the_coloured_ones(make):
    colour, grey = make("shapes").train.images, make("shapes", channels=1).train.images
    np.testing.assert_allclose(grey[:, 0], 0.299 * colour[:, 0] + 0.587 * colour[:, 1] + 0.114 * colour[:, 2], atol=1e-6)


@pytest.mark.parametrize("shortcut", ["background", "colour", "texture", "position", "patch"])
def test_shortcuts_have_the_asked_correlation_in_training_and_none_in_test(make, shortcut):
    world = make("shapes", shortcut=shortcut, correlation=0.8, classes=5, train=2000, test=2000, size=8)
    for split, share in ((world.train, 0.8), (world.test, 0.2)):
        value, label = split.factors["shortcut"], split.factors["clean_label"]
        assert within_binomial((value == label).sum(), 2000, share)
        assert np.array_equal(split.factors["group"], label * 5 + value)
        others = ((value - label) % 5)[value != label]
        assert stats.chisquare(np.bincount(others, minlength=5)[1:]).pvalue > 1e-4


def test_test_correlation_is_kept_too(make):
    world = make("shapes", shortcut="patch", test_correlation=1.0, size=8)
    assert np.array_equal(world.test.factors["shortcut"], world.test.labels)


@pytest.mark.parametrize(
    ("shortcut", "factor"),
    [("background", "background_hue"), ("colour", "hue"), ("texture", "texture"), ("position", "position")],
)
def test_a_shortcut_decides_the_factor_it_is_named_for(make, shortcut, factor):
    factors = make("shapes", shortcut=shortcut, correlation=0.5, classes=5).train.factors
    seen = {}
    for value, quantity in zip(factors["shortcut"], factors[factor], strict=True):
        seen.setdefault(int(value), set()).add(np.asarray(quantity).tobytes())
    assert all(len(quantities) == 1 for quantities in seen.values())
    assert len(set.union(*seen.values())) == len(seen)


def test_the_patch_is_visible_and_changes_nothing_else(make):
    plain, patched = make("shapes").train.images, make("shapes", shortcut="patch").train.images
    differs = np.abs(plain - patched).max(axis=(0, 1)) > 0
    assert differs[:2, :2].all()
    assert differs.sum() == 4


@pytest.mark.parametrize("kind", ["uniform", "class", "instance"])
def test_label_noise_changes_labels_alone_and_training_alone(make, kind):
    clean, noisy = make("shapes"), make("shapes", label_noise=0.3, noise_kind=kind)
    assert np.array_equal(clean.train.images, noisy.train.images)
    assert np.array_equal(clean.train.labels, noisy.train.factors["clean_label"])
    assert np.array_equal(clean.test.labels, noisy.test.labels)
    for key, value in clean.train.factors.items():
        assert np.array_equal(value, noisy.train.factors[key])


@pytest.mark.parametrize("kind", ["uniform", "class", "instance"])
@pytest.mark.parametrize("rate", [0.05, 0.4, 0.8])
def test_label_noise_has_the_asked_rate(kind, rate):
    labels = np.arange(8000) % 10
    images = np.random.default_rng(0).random((8000, 1, 4, 4), dtype=np.float32)
    noisy = noisy_labels(Draw("test"), labels, images, 10, rate, kind)
    assert within_binomial((noisy != labels).sum(), 8000, rate)


def test_uniform_noise_reaches_every_other_class_alike():
    labels = np.arange(9000) % 10
    noisy = noisy_labels(Draw("test"), labels, np.zeros((9000, 1, 2, 2), np.float32), 10, 0.5, "uniform")
    step = ((noisy - labels) % 10)[noisy != labels]
    assert stats.chisquare(np.bincount(step, minlength=10)[1:]).pvalue > 1e-4


def test_class_noise_mistakes_a_class_for_the_next_one():
    labels = np.arange(1000) % 10
    noisy = noisy_labels(Draw("test"), labels, np.zeros((1000, 1, 2, 2), np.float32), 10, 0.5, "class")
    assert set(((noisy - labels) % 10).tolist()) == {0, 1}


def test_instance_noise_mistakes_alike_images_alike():
    """Copies of one image are mostly mistaken for one class, and other images of the same class for others."""
    sources = np.random.default_rng(1).random((12, 1, 16, 16), dtype=np.float32)
    images, labels = np.repeat(sources, 500, axis=0), np.zeros(6000, np.int64)
    noisy = noisy_labels(Draw("test"), labels, images, 10, 0.5, "instance").reshape(12, 500)
    counts = np.array([np.bincount(row[row != 0], minlength=10) for row in noisy])
    assert (counts.max(axis=1) / counts.sum(axis=1)).mean() > 0.6  # 0.11 if images did not matter
    assert len(set(counts.argmax(axis=1))) > 3
