"""Worlds of real images against the packages' own readers, and the stereo pair against its truth."""

import numpy as np
import skimage.data
import torch
import torch.nn.functional as F
from skimage.measure import block_reduce
from sklearn.datasets import load_digits, load_sample_image

from assay.worlds._sources import resize


def test_digits_are_scikit_learns_each_at_most_once(make):
    world, bunch = make("digits", train=1000, test=797), load_digits()
    sources = np.concatenate([world.train.factors["source"], world.test.factors["source"]])
    assert sorted(sources) == list(range(1797))
    np.testing.assert_allclose(world.train.images[:, 0] * 16, bunch.images[world.train.factors["source"]])
    assert np.array_equal(world.test.labels, bunch.target[world.test.factors["source"]])


def test_another_repetition_draws_other_digits_for_training(make):
    first, second = (set(make("digits", seed=seed).train.factors["source"].tolist()) for seed in (0, 1))
    assert first != second


def test_digit_label_noise_is_the_shared_one(make):
    world = make("digits", train=1000, label_noise=0.4)
    wrong = (world.train.labels != world.train.factors["clean_label"]).mean()
    assert abs(wrong - 0.4) < 4 * np.sqrt(0.24 / 1000)
    assert np.array_equal(world.train.factors["clean_label"], load_digits().target[world.train.factors["source"]])


def test_resizing_is_torchs_antialiased_bilinear():
    images = np.random.default_rng(0).random((5, 25, 25), dtype=np.float32)
    for size in (40, 16, 12):
        oracle = F.interpolate(torch.from_numpy(images)[:, None], (size, size), mode="bilinear", antialias=True)[:, 0]
        np.testing.assert_allclose(resize(images, size)[:, 3:-3, 3:-3], oracle[:, 3:-3, 3:-3], atol=1e-5)
        if size > 25:  # to the very edge, beyond whose pixels nothing is read
            np.testing.assert_allclose(resize(images, size), oracle, atol=1e-5)


def test_photo_patches_are_crops_of_the_photographs(make):
    world = make("photos", shrink_by=2)
    pictures = {"chelsea": skimage.data.chelsea(), "astronaut": skimage.data.astronaut(), "china": load_sample_image("china.jpg")}
    for name, picture in pictures.items():
        small = block_reduce(picture / 255, (2, 2, 1), np.mean)
        rows = np.flatnonzero(world.train.labels == world.classes.index(name))
        for row in rows:
            x, y = world.train.factors["corner"][row]
            np.testing.assert_allclose(world.train.images[row].transpose(1, 2, 0), small[y : y + 16, x : x + 16], atol=1e-5)


def test_patches_of_the_two_splits_never_overlap(make):
    for name in ("photos", "textures", "stereo"):
        world = make(name, size=16)
        for source in range(len(world.classes)):
            train = world.train.factors["corner"][world.train.labels == source, 0]
            test = world.test.factors["corner"][world.test.labels == source, 0]
            assert train.max() + 16 <= test.min()


def test_faces_are_scikit_images_and_balanced(make):
    world, images = make("faces", train=120, test=80), skimage.data.lfw_subset()
    np.testing.assert_allclose(world.train.images[:, 0], images[world.train.factors["source"]], atol=1e-6)
    assert np.array_equal(world.train.labels == 1, world.train.factors["source"] < 100)
    assert world.train.labels.mean() == world.test.labels.mean() == 0.5
    assert len(set(world.train.factors["source"]) | set(world.test.factors["source"])) == 200


def test_the_right_image_moved_by_the_disparity_is_the_left_image(make):
    split = make("stereo", size=64, shrink_by=2).train
    columns = np.arange(64)

    def mismatch(disparity):
        at = np.clip(np.round(columns - disparity).astype(int), 0, 63)
        moved = np.take_along_axis(split.factors["right"], np.broadcast_to(at[:, None], split.images.shape), axis=3)
        seen = split.factors["known"] & (columns - disparity >= 0)
        return np.abs(moved - split.images).mean(axis=1)[seen].mean()

    true = mismatch(split.factors["disparity"])
    assert true < 0.6 * mismatch(np.zeros_like(split.factors["disparity"]))
    assert true < 0.6 * mismatch(split.factors["disparity"] + 6)
    _, _, truth = skimage.data.stereo_motorcycle()
    assert 0.9 < split.factors["disparity"].max() / (truth[np.isfinite(truth)].max() / 2) <= 1
