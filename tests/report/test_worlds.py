"""Worlds on a page: the strip shows the stored pixels, names what training was told, and says so when values were scaled."""

import io
import json

import numpy as np
import pytest
import skimage.data
import synthetic
from PIL import Image

from assay.errors import EvidenceError
from assay.report.worlds import GAP, TILE, fitting, labels, read_world, strip, written


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))


def test_each_pixel_becomes_a_square_of_its_colour():
    images = np.zeros((2, 3, 2, 2), np.float32)
    images[0, 0, 0, 1] = 1.0
    images[1, :, 1, 0] = (0.0, 0.4, 0.8)
    drawn = pixels(strip(images))
    side = TILE // 2
    assert drawn.shape == (TILE, 2 * TILE + GAP, 4)
    assert (drawn[:side, side:TILE] == (255, 0, 0, 255)).all()
    assert (drawn[side:, TILE + GAP : TILE + GAP + side] == (0, 102, 204, 255)).all()
    assert (drawn[:, TILE : TILE + GAP, 3] == 0).all()
    assert (np.delete(drawn[..., 3], range(TILE, TILE + GAP), axis=1) == 255).all()


def test_colours_of_a_photograph_are_kept_closely():
    photograph = skimage.data.astronaut()[::8, ::8].transpose(2, 0, 1)[None] / np.float32(255)
    drawn = pixels(strip(photograph))
    assert drawn.shape == (64, 64, 4)
    assert np.abs(drawn[..., :3].astype(float) - 255 * photograph[0].transpose(1, 2, 0)).mean() < 4


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_other_channels_are_drawn_grey(channels):
    drawn = pixels(strip(np.full((1, channels, 8, 8), 0.6, np.float32)))
    assert (drawn == (153, 153, 153, 255)).all()


def test_signals_of_one_row_are_drawn_as_bars():
    signal = np.linspace(0, 1, 64, dtype=np.float32).reshape(1, 1, 1, 64)
    drawn = pixels(strip(signal))
    assert drawn.shape == (16, 64, 4)
    assert (drawn == drawn[:1]).all()


@pytest.mark.parametrize(
    ("size", "count"), [((16, 16), 12), ((8, 8), 12), ((48, 48), 12), ((128, 128), 4), ((1, 128), 4), ((1024, 1024), 1)]
)
def test_a_row_takes_what_fits(size, count):
    assert fitting(*size) == count
    assert pixels(strip(np.zeros((count, 1, *size), np.float32))).shape[1] <= max(640, size[1])


def test_a_strip_of_noise_is_light():
    noise = np.random.default_rng(0).random((12, 3, 32, 32), np.float32)
    assert len(strip(noise)) < 15_000
    assert strip(noise) == strip(noise)


def test_wrong_labels_are_told_with_the_truth():
    samples = {"labels": np.array([0, 1, 1]), "clean_label": np.array([0, 0, 1])}
    assert labels(samples, ["cat", "dog"]) == ["cat", "dog (in truth cat)", "dog"]
    assert labels({"labels": np.array([1])}, ["cat", "dog"]) == ["dog"]


def test_a_world_is_written_as_in_a_study():
    plain = {"plug": "worlds/shapes", "parameters": {"size": 16}}
    noisy = {"plug": "worlds/shapes", "parameters": {"size": 16, "label_noise": 0.4}}
    assert written(plain) == "shapes"
    assert written(noisy) == {"shapes": {"label_noise": 0.4}}
    assert written({"plug": "worlds/fold", "parameters": {"of": plain}}) == "fold"
    assert written({"plug": "worlds/fold", "parameters": {"of": noisy}}) == {"fold": {"of": {"shapes": {"label_noise": 0.4}}}}
    assert written({"plug": "worlds/gone", "parameters": {"a": [noisy]}}) == {"gone": {"a": [{"shapes": {"label_noise": 0.4}}]}}


@pytest.fixture
def stored(tmp_path):
    synthetic.write_worlds(tmp_path)
    return tmp_path


def test_scaling_is_said_only_where_pixels_leave_the_unit_interval(stored):
    assert read_world(stored / "worlds" / "shapes-0a1b2c3d").scaling == ""
    signals = read_world(stored / "worlds" / "dsd-0a1b2c3d")
    low, high = signals.span
    images = np.load(stored / "worlds" / "dsd-0a1b2c3d" / "samples.npz")["images"][:4]
    assert (low, high) == (images.min(), images.max())
    assert "are drawn from black to white" in signals.scaling
    grey = pixels(signals.picture)[0, :, 0].astype(float)
    expected = 255 * (images.reshape(4, -1) - low) / (high - low)
    assert np.abs(grey.reshape(-1)[:128] - expected[0]).max() < 4


def test_picture_in_words(stored):
    world = read_world(stored / "worlds" / "shapes-0a1b2c3d")
    assert world.alt.startswith("12 training images of the world shapes, 16 by 16 pixels: square (in truth circle), square, ")
    assert list(world.splits) == ["train", "test", "valid"]


@pytest.mark.parametrize("name", ["card.json", "samples.npz"])
def test_lost_or_cut_file_is_one_line(stored, name):
    path = stored / "worlds" / "shapes-0a1b2c3d" / name
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(EvidenceError, match=name):
        read_world(stored / "worlds" / "shapes-0a1b2c3d")
    path.unlink()
    with pytest.raises(EvidenceError, match=name):
        read_world(stored / "worlds" / "shapes-0a1b2c3d")


@pytest.mark.parametrize("change", [{"classes": ["one"]}, {"splits": {"test": {}}}, {"world": {"plug": "shapes"}}])
def test_card_that_does_not_fit_its_samples_is_one_line(stored, change):
    path = stored / "worlds" / "shapes-0a1b2c3d" / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(EvidenceError, match="card and samples disagree"):
        read_world(stored / "worlds" / "shapes-0a1b2c3d")
