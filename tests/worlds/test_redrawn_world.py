"""The world `redrawn`: what it draws anew follows the world's distribution, and nothing else moves."""

from functools import partial

import numpy as np
import pytest
from scipy import stats

from assay.data.seeds import Draw
from assay.errors import StudyError
from assay.language.plugs import load


@pytest.mark.vouches("worlds/redrawn", paper="P220")
def test_a_redrawn_test_split_is_a_fresh_sample_of_the_same_distribution(make):
    plain, replica = make("shapes", test=1500, size=8), make("redrawn", streams=["test"], test=1500, size=8)
    assert np.array_equal(plain.train.images, replica.train.images)
    for name in ("scale", "rotation", "hue", "background_hue"):
        before, after = plain.test.factors[name], replica.test.factors[name]
        assert stats.ks_2samp(before, after).pvalue > 1e-4
        assert abs(np.corrcoef(before, after)[0, 1]) < 4 / np.sqrt(1500)
    both = np.stack([np.bincount(split.test.factors["texture"], minlength=5) for split in (plain, replica)])
    assert stats.chi2_contingency(both).pvalue > 1e-4
    assert not any(np.array_equal(a, b) for a, b in zip(plain.test.images, replica.test.images, strict=True))


def test_turns_are_different_samples(make):
    first, second = make("redrawn", streams=["test"]), make("redrawn", streams=["test"], turn=2)
    assert not np.array_equal(first.test.images, second.test.images)


@pytest.mark.vouches("worlds/redrawn", paper="P190")
@pytest.mark.parametrize(
    ("streams", "moved"),
    [
        (["object/scale"], {"scale"}),
        (["object/rotation"], {"rotation"}),
        (["object/position"], {"position"}),
        (["background/hue"], {"background_hue"}),
        (["light"], set()),
        (["object/hue", "background/kind"], {"hue", "background"}),
    ],
)
def test_a_counterfactual_moves_its_own_factors_alone(make, streams, moved):
    plain, edited = make("shapes"), make("redrawn", streams=streams)
    derived = {"mask", "masks", "boxes", "colour"}  # what follows from position, size, turn and hue
    for name, value in plain.test.factors.items():
        if name not in derived:
            assert np.array_equal(value, edited.test.factors[name]) != (name in moved), name
    assert np.array_equal(plain.test.labels, edited.test.labels)
    assert not np.array_equal(plain.test.images, edited.test.images)


def test_another_background_leaves_the_objects_pixels(make):
    """The luminance, which the object's shade is a step away from, is kept."""
    plain = make("shapes", size=24, noise=0.0)
    edited = make("redrawn", size=24, noise=0.0, streams=["background"], keep=["background/luminance"])
    inside = plain.test.factors["mask"].astype(bool)
    same = np.isclose(plain.test.images, edited.test.images, atol=1e-6).all(axis=1)
    assert same[inside].mean() > 0.75  # those along the outline are mixed with what is behind
    assert same[~inside].mean() < 0.05


def test_names_that_no_stream_has_are_refused_in_one_line(make):
    with pytest.raises(StudyError, match=r"world redrawn: streams = backgruond cannot be used") as error:
        make("redrawn", streams=["backgruond"])
    assert "\n" not in str(error.value)
    with pytest.raises(StudyError, match=r"keep = object/luminance"):
        make("redrawn", streams=["test"], keep=["object/luminance"])


def test_a_redrawn_world_can_be_redrawn_in_turn():
    """The split that the inner world draws anew is the inner world's, the other one the outer one's."""
    world = partial(load("worlds", "shapes"), size=8, train=20, test=20)
    redrawn = load("worlds", "redrawn")
    train, test = (partial(redrawn, of=world, streams=[part]) for part in ("train", "test"))
    both = redrawn(Draw("w"), of=train, streams=["test"])
    assert np.array_equal(both.test.images, test(Draw("w")).test.images)
    assert not np.array_equal(both.train.images, world(Draw("w")).train.images)
