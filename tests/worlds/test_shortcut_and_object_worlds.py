"""urban_shapes against UrbanCars' definition (P093); two_objects."""

import numpy as np
import pytest


@pytest.mark.vouches("worlds/urban_shapes", paper="P093")
def test_combinations_have_the_shares_of_urbancars(make):
    """Given the class, each shortcut is aligned in 95% of training images, independently; all eight groups are equal in test."""
    world = make("urban_shapes", train=4000, test=800)
    group = world.train.factors["group"]
    aligned, background_only, co_object_only, neither = 0.95 * 0.95, 0.95 * 0.05, 0.05 * 0.95, 0.05 * 0.05
    for label in (0, 1):
        counts = np.bincount(group[world.train.labels == label], minlength=8)
        own = label * 4 + label * 3  # both shortcuts equal to the class
        expected = {own: aligned, own ^ 1: background_only, own ^ 2: co_object_only, own ^ 3: neither}
        for index, share in expected.items():
            assert abs(counts[index] - 2000 * share) <= 2
    assert np.array_equal(np.bincount(world.test.factors["group"]), np.full(8, 100))


@pytest.mark.vouches("worlds/urban_shapes", paper="P093")
def test_groups_are_numbered_as_by_the_authors(make):
    """group = object * 4 + (background * 2 + co-object), dataset/urbancars.py of the authors' code."""
    factors = make("urban_shapes").train.factors
    assert np.array_equal(factors["group"], factors["clean_label"] * 4 + factors["background"] * 2 + factors["co_object"])


def test_no_group_is_empty_even_in_a_small_training_split(make):
    assert (np.bincount(make("urban_shapes", train=64).train.factors["group"], minlength=8) > 0).all()


@pytest.mark.vouches("worlds/urban_shapes", paper="P093")
def test_core_and_co_object_have_the_layout_of_urbancars(make):
    """Core half the side wide in the middle, co-object a quarter wide at (0.5, 0.875), both up to the jitter."""
    factors = make("urban_shapes", size=64, train=200).train.factors
    core, small = (factors["boxes"][:, slot] / 64 for slot in (0, 1))
    assert abs((core[:, 2] - core[:, 0]).mean() - 0.5) < 0.06
    assert abs(((core[:, 0] + core[:, 2]) / 2).mean() - 0.5) < 0.03
    assert abs(((small[:, 0] + small[:, 2]) / 2).mean() - 0.5) < 0.03
    assert abs(((small[:, 1] + small[:, 3]) / 2).mean() - 0.875) < 0.05
    assert abs((small[:, 2] - small[:, 0]).mean() - 0.25) < 0.06


def test_each_shortcut_is_seen_in_the_pixels_and_the_other_is_not_there(make):
    """The greenness outside the objects tells the background, the redness of the co-object tells the co-object."""
    split = make("urban_shapes", train=800, size=24).test
    outside = (split.factors["masks"].max(axis=1) == 0)[:, None]
    red, green, blue = ((split.images * outside).sum(axis=(2, 3)) / outside.sum(axis=(2, 3))).T
    assert ((green - (red + blue) / 2 > 0.06) == split.factors["background"]).mean() > 0.97
    small = split.factors["masks"][:, 1][:, None]
    red, _, blue = ((split.images * small).sum(axis=(2, 3)) / small.sum(axis=(2, 3))).T
    assert ((blue > red) == split.factors["co_object"]).mean() > 0.97


def test_validation_is_balanced_and_does_not_move_the_rest(make):
    plain, more = make("urban_shapes"), make("urban_shapes", valid=80)
    assert np.array_equal(np.bincount(more.extra["valid"].factors["group"]), np.full(8, 10))
    assert np.array_equal(plain.train.images, more.train.images)


def test_two_objects_lie_apart_and_the_label_is_one_of_them(make):
    world = make("two_objects", size=32)
    factors = world.test.factors
    assert np.array_equal(factors["present"].sum(axis=1), np.full(32, 2))
    assert np.array_equal(factors["objects"][:, 0], world.test.labels)
    assert (factors["masks"].sum(axis=(2, 3)) > 20).all()
    centre = (factors["boxes"][..., :2] + factors["boxes"][..., 2:]) / 2
    assert np.linalg.norm(centre[:, 0] - centre[:, 1], axis=1).min() > 32 * 0.3
    assert world.train.factors["present"].sum(axis=1).max() == 1
    assert world.extra["single"].factors["present"].sum(axis=1).max() == 1
