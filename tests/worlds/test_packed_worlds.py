"""Real images that come with the repository: against their makers' statements, and other packages' copies of the same images."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from assay.errors import StudyError
from assay.storage.places import PROJECT

DATA = PROJECT / "data"


def stored(name):
    return np.load(DATA / name, allow_pickle=False)


def test_fashion_mnist_is_balanced_and_its_test_part_whole():
    held = stored("fashion_mnist.npz")
    assert held["train_images"].shape == (12000, 28, 28)
    assert held["test_images"].shape == (10000, 28, 28)
    assert np.bincount(held["test_labels"]).tolist() == [1000] * 10
    # The first images of the published training part: an ankle boot, two shirts, two dresses.
    assert held["train_labels"][:5].tolist() == [9, 0, 0, 3, 0]
    # Mean and spread that the field normalises with, of the whole training part.
    assert held["train_images"].mean() / 255 == pytest.approx(0.2860, abs=0.002)
    assert held["train_images"].std() / 255 == pytest.approx(0.3530, abs=0.002)


def test_mnist_has_500_of_each_digit_and_mnists_statistics():
    held = stored("mnist.npz")
    assert np.bincount(held["labels"]).tolist() == [500] * 10
    assert held["images"].mean() / 255 == pytest.approx(0.1307, abs=0.003)
    assert held["images"].std() / 255 == pytest.approx(0.3081, abs=0.003)


@pytest.mark.parametrize(("data_set", "called"), [("mnist", "mnist"), ("fashion_mnist", "fashionMNIST")])
def test_foolbox_names_its_samples_as_nearest_neighbours_here_do(data_set, called):
    """foolbox ships twenty images of each collection, the label in the file's name."""
    import foolbox

    held = stored(f"{data_set}.npz")
    prefix = "train_" if data_set == "fashion_mnist" else ""
    known = held[f"{prefix}images"].reshape(-1, 784).astype(np.float64)
    right, paths = 0, list(Path(foolbox.__file__).parent.glob(f"data/{called}_*.png"))
    for path in paths:
        image = np.asarray(Image.open(path).convert("L"), np.float64).reshape(-1)
        nearest = ((known - image) ** 2).sum(1).argmin()
        right += int(held[f"{prefix}labels"][nearest]) == int(path.stem.rpartition("_")[2])
    assert len(paths) == 20
    assert right >= 15


@pytest.mark.parametrize("name", ["fashion_mnist", "mnist"])
def test_images_are_the_stored_ones_where_nothing_is_resized(make, name):
    world, held = make(name, size=28, channels=3), stored(f"{name}.npz")
    for part, split in (("train", world.train), ("test", world.test)):
        prefix = f"{part}_" if name == "fashion_mnist" else ""
        rows = split.factors["source"]
        for channel in range(3):
            np.testing.assert_allclose(split.images[:, channel] * 255, held[f"{prefix}images"][rows], atol=1e-3)
        assert np.array_equal(split.labels, held[f"{prefix}labels"][rows])
        assert np.ptp(np.bincount(split.labels)) <= 1


def test_no_digit_of_mnist_is_in_both_splits(make):
    world = make("mnist", train=4000, test=1000)
    assert sorted(np.concatenate([world.train.factors["source"], world.test.factors["source"]])) == list(range(5000))


@pytest.mark.parametrize("name", ["fashion_mnist", "mnist"])
def test_label_noise_is_the_shared_one(make, name):
    world = make(name, train=3000, label_noise=0.4)
    wrong = (world.train.labels != world.train.factors["clean_label"]).mean()
    assert abs(wrong - 0.4) < 4 * np.sqrt(0.24 / 3000)
    assert np.array_equal(world.test.labels, world.test.factors["clean_label"])


def test_a_symbol_is_in_one_split_alone_and_groups_keep_their_shares(make):
    world = make("emoji", train=3000, test=400)
    held = stored("emoji.npz")
    train, test = (set(split.factors["source"].tolist()) for split in (world.train, world.test))
    assert not train & test
    assert len(train | test) <= len(held["symbols"]) == 1586
    share = np.bincount(world.train.labels) / len(world.train)
    assert np.abs(share - np.bincount(held["labels"]) / 1586).max() < 0.03
    assert share.max() == pytest.approx(0.216, abs=0.02)


def test_styles_are_those_asked_for_and_seen_shows_the_tested_symbols_in_trained_styles(make):
    world = make("emoji", train=500, test=200, train_styles=["noto", "openmoji"], test_styles=["fluent"])
    assert set(world.train.factors["domain"].tolist()) == {0, 3}
    assert set(world.test.factors["domain"].tolist()) == {2}
    seen = world.extra["seen"]
    assert set(seen.factors["domain"].tolist()) == {0, 3}
    assert np.array_equal(seen.factors["source"], world.test.factors["source"])
    assert len(set(world.test.factors["source"].tolist())) == len(world.test)


def test_a_symbol_keeps_its_mask_and_colours_on_any_background(make):
    white, black = (make("emoji", background=value) for value in (1.0, 0.0))
    for split, other in ((white.train, black.train), (white.test, black.test)):
        assert np.array_equal(split.factors["mask"], other.factors["mask"])
        difference = (split.images - other.images).mean(1)  # what shines through
        assert np.array_equal(difference <= 0.5, split.factors["mask"] | (difference == 0.5))
        assert split.factors["mask"].mean() > 0.2  # a symbol fills a third of its picture, more or less by those drawn
    # A red apple is red inside its mask.
    held = stored("emoji.npz")
    apple = held["noto"][held["symbols"].tolist().index("red-apple")]
    red, green, blue, coverage = (apple[..., channel].astype(float) for channel in range(4))
    inside = coverage == 255
    assert red[inside].mean() > 2 * max(green[inside].mean(), blue[inside].mean())


def test_premultiplied_colours_never_exceed_their_coverage():
    for file in ("emoji.npz", "emoji_openmoji.npz"):
        held = stored(file)
        for style in set(held.files) - {"symbols", "groups", "labels"}:
            assert held[style].dtype == np.uint8
            assert (held[style][..., :3] <= held[style][..., 3:].astype(int) + 1).all()
    assert np.array_equal(stored("emoji.npz")["symbols"], stored("emoji_openmoji.npz")["symbols"])


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("fashion_mnist", {"train": 12001}, ["train = 12001", "12000"]),
        ("fashion_mnist", {"test": 9}, ["test = 9", "at least 10"]),
        ("mnist", {"train": 4500, "test": 501}, ["train + test = 5001", "5000"]),
        ("emoji", {"test": 477}, ["test = 477", "476"]),
        ("emoji", {"train": 1111, "train_styles": ["noto"]}, ["train = 1111", "1110"]),
        ("emoji", {"train_styles": []}, ["train_styles = []", "noto"]),
    ],
)
def test_what_is_not_there_is_refused_in_one_line(make, name, parameters, words):
    with pytest.raises(StudyError) as error:
        make(name, **parameters)
    assert "\n" not in str(error.value)
    assert all(word in str(error.value) for word in words), str(error.value)
