"""Worlds that change another world, against what their papers say they keep and what they destroy."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from scipy import ndimage, stats

from assay.data.seeds import Draw
from assay.data.stream import whole
from assay.language.plugs import find, load
from assay.worlds.domains import STYLE, STYLES

WRAPPING = [name for name, plug in find("worlds").items() if "of" in plug.parameters]
MADE_BY_NETWORKS = {name for name in WRAPPING if any(each.parent for each in find("worlds")[name].parameters.values())}


@pytest.mark.parametrize("name", sorted(set(WRAPPING) - MADE_BY_NETWORKS))
def test_worlds_of_streamed_images_are_changed_like_others(tiny_datasets, name):
    """The images of ImageNet, read into memory first, come out the same."""
    streamed = partial(load("worlds", "imagenet"), train=64, test=32, size=16)

    def in_memory(draw):
        world = streamed(draw)
        splits = {part: replace(split, images=whole(split.images)) for part, split in world.splits().items()}
        return replace(world, train=splits.pop("train"), test=splits.pop("test"), extra=splits)

    parameters = {"classes": [1, 0]} if name in ("pick_classes", "planted") else {}
    one, other = (load("worlds", name)(Draw("w"), of=of, **parameters) for of in (streamed, in_memory))
    for part, split in one.splits().items():
        assert np.array_equal(whole(split.images), other.splits()[part].images)
        assert np.array_equal(split.labels, other.splits()[part].labels)


@pytest.mark.vouches("worlds/random_labels", paper="P186")
@pytest.mark.parametrize("fraction", [0.0, 0.3, 1.0])
def test_random_labels_replaces_the_asked_share_by_any_class(make, fraction):
    plain, world = make("shapes", train=3000, size=8), make("random_labels", fraction=fraction, train=3000, size=8)
    wrong = (world.train.labels != plain.train.labels).mean()
    share = fraction * 0.9
    assert abs(wrong - share) <= 4 * np.sqrt(share * (1 - share) / 3000)
    assert np.array_equal(world.train.images, plain.train.images)
    assert np.array_equal(world.test.labels, plain.test.labels)
    assert np.array_equal(world.train.factors["clean_label"], plain.train.labels)
    drawn = world.train.labels[world.train.factors["corrupted"]]
    assert fraction == 0 or stats.chisquare(np.bincount(drawn, minlength=10)).pvalue > 1e-4


@pytest.mark.vouches("worlds/pixel_shuffle", paper="P186")
def test_one_permutation_serves_all_images(make):
    """The permutation is read off the first images, where every pixel is unique, and makes every other image of both splits."""
    plain, world = make("shapes"), make("pixel_shuffle")
    before, after = plain.train.images.reshape(64, 3, -1), world.train.images.reshape(64, 3, -1)
    key = [tuple(pixel) for pixel in before[:4].reshape(12, -1).T]
    assert len(set(key)) == len(key)
    order = [key.index(tuple(pixel)) for pixel in after[:4].reshape(12, -1).T]
    assert order != sorted(order)
    assert np.array_equal(before[:, :, order], after)
    assert np.array_equal(plain.test.images.reshape(32, 3, -1)[:, :, order], world.test.images.reshape(32, 3, -1))
    assert np.array_equal(plain.train.factors["mask"].reshape(64, -1)[:, order], world.train.factors["mask"].reshape(64, -1))
    assert np.array_equal(plain.train.labels, world.train.labels)


@pytest.mark.vouches("worlds/pixel_shuffle", paper="P186")
def test_per_image_permutations_keep_each_images_pixels(make):
    plain, world = make("shapes"), make("pixel_shuffle", per_image=True)
    luminance = np.array([1.0, 10.0, 100.0])  # tells pixels apart by all three channels
    before = np.einsum("nchw,c->nhw", plain.train.images, luminance).reshape(64, -1)
    after = np.einsum("nchw,c->nhw", world.train.images, luminance).reshape(64, -1)
    np.testing.assert_allclose(np.sort(before, axis=1), np.sort(after, axis=1))
    orders = {tuple(before[i].argsort().argsort()[after[i].argsort()]) for i in range(64)}
    assert len(orders) == 64


@pytest.mark.vouches("worlds/noise_images", paper="P186")
def test_noise_images_have_the_data_s_mean_and_deviation_and_no_structure(make):
    plain, world = make("shapes", train=2000, size=8), make("noise_images", train=2000, size=8)
    images = world.train.images
    np.testing.assert_allclose(images.mean(axis=(0, 2, 3)), plain.train.images.mean(axis=(0, 2, 3)), atol=0.01)
    np.testing.assert_allclose(images.std(axis=(0, 2, 3)), plain.train.images.std(axis=(0, 2, 3)), atol=0.02)
    assert np.array_equal(world.train.labels, plain.train.labels)
    assert abs(np.corrcoef(images[:, 0, 3, 3], images[:, 0, 3, 4])[0, 1]) < 4 / np.sqrt(2000)
    pixels = images.reshape(2000, -1)
    pvalues = [stats.f_oneway(*(pixels[world.train.labels == c, i] for c in range(10))).pvalue for i in range(0, 192, 8)]
    assert min(pvalues) > 1e-4


@pytest.mark.vouches("worlds/threshold_samples", paper="P234")
def test_threshold_samples_are_the_papers_share_and_disjoint_between_parts(make):
    """N / (c + 1) samples get the extra class; two runs never choose the same sample."""
    worlds = [make("threshold_samples", train=1100, size=8, part=part) for part in range(11)]
    chosen = np.array([world.train.factors["threshold"] for world in worlds])
    assert (chosen.sum(axis=1) == 1100 // 11).all()
    assert (chosen.sum(axis=0) == 1).all()
    for world in worlds:
        assert len(world.classes) == 11
        assert np.array_equal(world.train.labels == 10, world.train.factors["threshold"])
        assert world.test.labels.max() < 10
    hit = np.bincount(worlds[0].train.factors["clean_label"][chosen[0]], minlength=10)
    assert stats.chisquare(hit).pvalue > 1e-4


@pytest.mark.vouches("worlds/threshold_samples", paper="P234")
def test_threshold_samples_leave_images_and_other_labels_with_their_noise(make):
    noisy = {"label_noise": 0.4, "train": 200}
    plain, world = make("shapes", **noisy), make("threshold_samples", **noisy)
    kept = ~world.train.factors["threshold"]
    assert np.array_equal(plain.train.images, world.train.images)
    assert np.array_equal(plain.train.labels[kept], world.train.labels[kept])
    assert np.array_equal(plain.train.factors["clean_label"], world.train.factors["clean_label"])


def test_styles_do_what_they_are_named_for(make):
    plain = make("shapes")
    inverted = make("domains", train_styles=["inverted"], test_styles=["grey"])
    np.testing.assert_allclose(inverted.train.images, 1 - plain.train.images)
    assert np.ptp(inverted.test.images, axis=1).max() < 1e-6
    poster = make("domains", train_styles=["poster"]).train.images
    assert len(np.unique(poster.round(5))) <= 4
    sketch = make("domains", test_styles=["sketch"]).test
    assert sketch.images.mean() > 0.6
    outline = sketch.factors["mask"][:, None] != np.roll(sketch.factors["mask"][:, None], 1, axis=-1)
    edge = sketch.images[np.broadcast_to(outline, sketch.images.shape)]
    assert edge.mean() < sketch.images.mean() - 0.15


@pytest.mark.parametrize("name", STYLES)
def test_a_style_changes_each_image_by_itself(name):
    images = np.random.default_rng(0).random((3, 3, 9, 9), dtype=np.float32)
    alone = np.concatenate([STYLE[name](images[[index]]) for index in range(3)])
    np.testing.assert_allclose(STYLE[name](images), alone, atol=1e-6)


def test_sketches_have_the_edges_of_scipys_sobel_image_by_image():
    images = np.random.default_rng(0).random((3, 1, 9, 9), dtype=np.float32)
    for image, drawn in zip(images, STYLE["sketch"](images), strict=True):
        grey = ndimage.gaussian_filter(image[0], 0.6)
        edge = np.hypot(ndimage.sobel(grey, axis=0), ndimage.sobel(grey, axis=1))
        np.testing.assert_allclose(drawn[0], 1 - edge / edge.max(), atol=1e-6)


def test_blurred_pictures_are_scipys_channel_by_channel():
    images = np.random.default_rng(0).random((3, 3, 9, 9), dtype=np.float32)
    expected = [ndimage.gaussian_filter(channel, 1) for channel in images.reshape(9, 9, 9)]
    np.testing.assert_allclose(STYLE["blurred"](images).reshape(9, 9, 9), expected, atol=1e-6)


def test_styles_are_recorded_and_differ_between_training_and_test(make):
    world = make("domains", train=600, size=8)
    counts = np.bincount(world.train.factors["domain"], minlength=len(STYLES))
    assert {STYLES[i] for i in np.flatnonzero(counts)} == {"photo", "poster", "washed"}
    assert stats.chisquare(counts[counts > 0]).pvalue > 1e-4
    assert {STYLES[i] for i in set(world.test.factors["domain"])} == {"sketch"}
    assert set(world.extra["seen"].factors["domain"]) <= set(world.train.factors["domain"])
    assert np.array_equal(world.extra["seen"].labels, world.test.labels)
