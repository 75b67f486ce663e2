"""Flat objects turned in space: projection against scipy's rotations, coverage against a rasteriser, the grid against poses
drawn one by one.
"""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from skimage.draw import polygon2mask

from assay.data.seeds import Draw
from assay.errors import StudyError
from assay.worlds import _render
from assay.worlds._posed import INDEX, OBJECTS, Pose, Studio, coverage, projection
from assay.worlds.pose_grid import pose_grid
from assay.worlds.posed import posed

POLYGONS = [name for name in OBJECTS if _render.SHAPES[name].__closure__]


def pose(yaw=0.0, pitch=0.0, roll=0.0, scale=0.36, count=1):
    return Pose(*(np.full(count, value, np.float32) for value in (yaw, pitch, roll, scale)))


@pytest.mark.vouches("worlds/posed", paper="P167")
def test_projection_is_the_rotation_s_first_two_rows():
    """scipy's axes: x right, y down, z away; extrinsic turns about y (yaw), then x (pitch), then z (roll)."""
    for yaw, pitch, roll in ((0, 0, 30), (50, 0, 0), (0, -40, 10), (35, 25, -70)):
        expected = Rotation.from_euler("yxz", [yaw, pitch, roll], degrees=True).as_matrix()[:2, :2]
        np.testing.assert_allclose(projection(pose(yaw, pitch, roll))[0], expected, atol=1e-6)


@pytest.mark.vouches("worlds/posed", paper="P167")
@pytest.mark.parametrize("name", POLYGONS)
def test_turned_outlines_agree_with_a_rasteriser(name):
    size, fine = 32, 16
    turned = pose(yaw=50.0, pitch=-20.0, roll=40.0)
    centre = np.array([[0.47, 0.55]], np.float32)
    cover = coverage(np.array([_render.SHAPE_NAMES.index(name)]), centre, turned, size)[0]
    corners = _render.SHAPES[name].__closure__[0].cell_contents
    rotation = Rotation.from_euler("yxz", [50.0, -20.0, 40.0], degrees=True).as_matrix()[:2, :2]
    x, y = (centre[0][:, None] + 0.36 * rotation @ corners.T) * size * fine
    oracle = polygon2mask((size * fine, size * fine), np.stack([y, x], axis=1) - 0.5)
    oracle = oracle.reshape(size, fine, size, fine).mean(axis=(1, 3))
    assert abs(cover.sum() / oracle.sum() - 1) < 0.04
    assert np.abs(cover - oracle).mean() < 0.012


ROUND = {
    "crescent": lambda u, v: (u**2 + v**2 <= 1) & ((u - 0.55) ** 2 + v**2 >= 0.85**2),
    "half_disc": lambda u, v: (u**2 + v**2 <= 1) & (v <= 0.1),
    "pill": lambda u, v: (np.maximum(np.abs(u) - 0.68, 0) ** 2 + v**2) <= 0.32**2,
}


@pytest.mark.vouches("worlds/posed", paper="P167")
@pytest.mark.parametrize("angles", [(0, 0, 0), (50, -20, 40), (-60, 60, 200)], ids=str)
@pytest.mark.parametrize("name", ROUND)
def test_turned_round_outlines_agree_with_counted_points(name, angles):
    """24 x 24 points a pixel, each asked whether it lies in the object after scipy's rotation is taken back."""
    size, fine, scale = 16, 24, 0.36
    yaw, pitch, roll = map(float, angles)
    centre = np.array([[0.47, 0.55]], np.float32)
    cover = coverage(np.array([_render.SHAPE_NAMES.index(name)]), centre, pose(yaw, pitch, roll, scale), size)[0]
    back = np.linalg.inv(Rotation.from_euler("yxz", angles, degrees=True).as_matrix()[:2, :2]) / scale
    at = (np.arange(size * fine) + 0.5) / (size * fine)
    dx, dy = np.meshgrid(at - centre[0, 0], at - centre[0, 1])
    inside = ROUND[name](back[0, 0] * dx + back[0, 1] * dy, back[1, 0] * dx + back[1, 1] * dy)
    oracle = inside.reshape(size, fine, size, fine).mean(axis=(1, 3))
    assert abs(cover.sum() / oracle.sum() - 1) < 0.04
    assert np.abs(cover - oracle).mean() < 0.01


def test_facing_the_viewer_is_how_the_world_shapes_draws():
    labels = np.arange(len(OBJECTS))
    centre, scale = np.full((10, 2), 0.5, np.float32), np.full(10, 0.4, np.float32)
    for roll in (0.0, 25.0):
        expected = _render.coverage(INDEX[labels], centre, scale, np.full(10, roll, np.float32), 24)
        np.testing.assert_allclose(coverage(INDEX[labels], centre, pose(roll=roll, scale=0.4, count=10), 24), expected, atol=1e-4)


def test_no_object_looks_the_same_after_a_quarter_turn():
    for index in INDEX:
        first, turned = (coverage(np.array([index]), np.full((1, 2), 0.5), pose(roll=roll), 32)[0] for roll in (0.0, 90.0))
        assert np.abs(first - turned).sum() / first.sum() > 0.2


@pytest.mark.vouches("worlds/posed", paper="P167")
def test_poses_fill_the_ranges_asked_for_and_move_nothing_else(make):
    usual, strange = make("posed"), make("posed", roll=(-180.0, 180.0), yaw=(20.0, 60.0))
    assert np.abs(usual.test.factors["roll"]).max() <= 15
    assert np.abs(strange.train.factors["roll"]).max() > 120
    assert strange.test.factors["yaw"].min() >= 20
    for name in ("pitch", "scale", "position", "background"):
        assert np.array_equal(usual.test.factors[name], strange.test.factors[name])
    assert np.array_equal(usual.test.labels, strange.test.labels)


@pytest.mark.vouches("worlds/pose_grid", paper="P167")
def test_the_grid_shows_the_objects_of_posed_in_every_pose():
    draw = Draw("world", 0, 0)
    grid = pose_grid(draw, test=10, rolls=4, tilts=[0.0, 40.0], scales=[0.3, 0.2]).test
    assert len(grid) == 10 * 4 * 2 * 2 * 2
    places = grid.factors["pose"].reshape(10, 32, 4)
    assert (places == places[:1]).all()
    assert len(np.unique(places[0], axis=0)) == 32
    assert np.array_equal(grid.factors["object"], np.repeat(np.arange(10), 32))
    np.testing.assert_allclose(grid.factors["roll"], 90 * grid.factors["pose"][:, 0])
    np.testing.assert_allclose(grid.factors["yaw"], np.array([0.0, 40.0])[grid.factors["pose"][:, 1]])
    np.testing.assert_allclose(grid.factors["scale"], np.array([0.3, 0.2], np.float32)[grid.factors["pose"][:, 3]])
    own = posed(draw, train=10, test=10, yaw=(0, 0), pitch=(0, 0), roll=(0, 0), scale=(0.3, 0.3)).test
    first = (places == 0).all(-1).reshape(-1)
    assert np.array_equal(grid.images[first], own.images)
    assert np.array_equal(grid.labels[first], own.labels)


def test_two_shots_differ_where_the_object_is_alone():
    studio = Studio(Draw("world", 0, 0).under("test"), 20, 16, (0.5, 0.5))
    front, turned = studio.shoot(pose(count=20)), studio.shoot(pose(roll=80.0, count=20))
    far = np.hypot(*(np.indices((16, 16)) - 7.5)) > 0.36 * 16 + 1.5
    assert np.array_equal(front.images[:, :, far], turned.images[:, :, far])
    assert not np.array_equal(front.images, turned.images)


@pytest.mark.parametrize(
    ("world", "parameters", "words"),
    [
        (posed, {"yaw": (-70.0, 0.0)}, "yaw = (-70.0, 0.0)"),
        (posed, {"test": 4}, "test = 4"),
        (pose_grid, {"tilts": [0.0, 80.0]}, "tilts = (0.0, 80.0)"),
        (pose_grid, {"test": 4}, "test = 4"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(world, parameters, words):
    with pytest.raises(StudyError) as error:
        world(Draw("world", 0, 0), **parameters)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("parameter", "low", "high"),
    [("yaw", -60, 60), ("pitch", -60, 60), ("roll", -360, 360), ("scale", 0.05, 1), ("position", 0, 1)],
)
def test_poses_within_the_bounds_are_made_and_those_beyond_refused(parameter, low, high):
    """Seen from more than 60 degrees an outline hardly shows; a whole turn of roll either way is every roll."""
    counts = {"size": 8, "train": 10, "test": 10}
    assert posed(Draw("w"), **counts, **{parameter: (low, high)})
    for span in ((low - 0.01, high), (low, high + 0.01)):
        with pytest.raises(StudyError, match=rf"{parameter} = .*\(from, to\) with {low} <= from <= to <= {high}"):
            posed(Draw("w"), **counts, **{parameter: span})
