"""Cues in conflict: the pictures' outlines and spectra, shape bias counted by hand, filters against numpy and sines."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn

from assay.data.batch import TensorSplit, TensorWorld, to_tensors
from assay.data.seeds import Draw
from assay.errors import StudyError
from assay.protocols._filters import band_pass, high_pass, low_pass
from assay.protocols.cue_conflict import cue_conflict, shape_bias
from assay.worlds import _render
from assay.worlds.cue_conflict import PATTERNS, PLAIN, _surface
from assay.worlds.cue_conflict import cue_conflict as world_of_cues

CLEAR = {"noise": 0.0, "distractors": 0, "contrast": (0.35, 0.35), "texture_contrast": (0.5, 0.5), "size": 48}


@pytest.fixture(scope="module")
def world():
    return world_of_cues(Draw("world", 0, 0), train=70, test=70, **CLEAR)


def test_splits_differ_in_the_cues_alone(world):
    conflict, shape, texture = (world.extra[name] for name in ("conflict", "shape", "texture"))
    for split in (world.test, conflict, shape):
        assert np.array_equal(split.factors["shape"], split.labels)
        assert np.array_equal(split.factors["mask"], world.test.factors["mask"])
        # Thin tips cover less than half a pixel, so they reach beyond the mask.
        outside = ~ndimage.binary_dilation(split.factors["mask"], np.ones((1, 3, 3)), iterations=4)
        np.testing.assert_allclose(split.images.transpose(0, 2, 3, 1)[outside], world.test.images.transpose(0, 2, 3, 1)[outside])
    assert np.array_equal(world.test.factors["texture"], world.test.labels)
    assert (conflict.factors["texture"] != conflict.labels).all()
    assert (shape.factors["texture"] == -1).all()
    assert (texture.factors["shape"] == -1).all()
    assert np.array_equal(texture.factors["texture"], texture.labels)
    assert texture.factors["mask"].all()


def test_an_objects_outline_is_its_class(world):
    """Whatever their texture: every disc covers more than the average five-pointed star."""
    split = world.extra["conflict"]
    areas = split.factors["mask"].sum((1, 2))
    circles, stars = areas[split.labels == 0], areas[split.labels == 3]
    assert _render.SHAPE_NAMES[0] == "circle"
    assert _render.SHAPE_NAMES[3] == "star"
    assert circles.min() > stars.mean()


def test_patterns_have_the_frequency_of_their_class(world):
    """In pictures of texture alone, power lies where the class's pattern has its period: along two axes for checkers and dots."""
    split = world.extra["texture"]
    grey = split.images.mean(1) - split.images.mean((1, 2, 3))[:, None, None]
    window = np.hanning(48)[:, None] * np.hanning(48)
    power = np.abs(np.fft.fft2(grey * window)) ** 2
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(48) * 48, np.fft.fftfreq(48) * 48))
    for label, (kind, cycles) in enumerate(PATTERNS):
        spectrum = power[split.labels == label].sum(0)
        if kind == "noise":
            assert spectrum[radius > 10].sum() > 0.4 * spectrum.sum()
            continue
        strongest = radius.flat[np.where(radius > 1.5, spectrum, 0).argmax()]
        expected = cycles * (np.sqrt(2) if kind == "checker" else 1)
        assert abs(strongest - expected) < 1.1, (kind, cycles, strongest)


def test_the_turn_of_a_pattern_is_not_the_turn_of_its_shape(world):
    """Stripes at the same place in two images differ: the pattern's phase and angle are drawn for each."""
    stripes = world.extra["texture"].images[world.extra["texture"].labels == 0].mean(1)
    flat = stripes.reshape(len(stripes), -1)
    correlation = np.corrcoef(flat)[np.triu_indices(len(flat), 1)]
    assert abs(correlation).max() < 0.95
    assert abs(correlation.mean()) < 0.3


def test_objects_differ_from_their_ground_towards_the_middle_of_grey():
    """By the contrast given, so that neither clips; and no two classes have one pattern."""
    luminance = np.array([0.2, 0.4, 0.49, 0.51, 0.6, 0.8], np.float32)
    scene, plain = SimpleNamespace(luminance=luminance), np.full(6, PLAIN)
    images = _surface(Draw("w"), scene, np.zeros(6, np.float32), plain, (0.2, 0.2), (0.5, 0.5), 4)
    np.testing.assert_allclose(images.mean((1, 2, 3)), [0.4, 0.6, 0.69, 0.31, 0.4, 0.6], atol=1e-6)
    assert len(set(PATTERNS)) == len(PATTERNS)


@pytest.mark.vouches("protocols/cue_conflict", paper="P098")
def test_shape_bias_is_a_share_of_decided_answers():
    """Geirhos et al.: 3 answers by shape, 1 by texture and 2 by neither make a shape bias of 3 / 4."""
    shape = torch.tensor([0, 1, 2, 3, 0, 1])
    texture = torch.tensor([1, 2, 3, 0, 2, 0])
    answers = torch.tensor([0, 1, 2, 0, 3, 2])
    assert shape_bias(answers, shape, texture) == 3 / 4
    assert shape_bias(texture, shape, texture) == 0
    assert shape_bias(shape, shape, texture) == 1
    assert shape_bias(torch.full((6,), 9), shape, texture) == 0.5


class Reads(nn.Module):
    """Answers with a class written in one channel of the image's first pixel: the shape's, or the texture's."""

    def __init__(self, channel):
        super().__init__()
        self.channel = channel

    def forward(self, images):
        return nn.functional.one_hot((images[:, self.channel, 0, 0] * 10).round().long(), 10).float()


def written(shape, texture, labels):
    """Images of 8 pixels with the classes of both cues, in tenths, all over channels 0 and 1."""
    images = torch.stack([shape, texture, shape], 1)[:, :, None, None].float().expand(-1, -1, 8, 8) / 10
    return TensorSplit(images.contiguous(), labels, {"shape": shape, "texture": texture})


@pytest.mark.vouches("protocols/cue_conflict", paper="P098")
@pytest.mark.parametrize(("channel", "bias", "shape_top1", "texture_top1"), [(0, 1.0, 1.0, 0.0), (1, 0.0, 0.0, 1.0)])
def test_the_protocol_tells_a_reader_of_shapes_from_a_reader_of_textures(channel, bias, shape_top1, texture_top1):
    first, second, none = torch.tensor([1, 2, 3, 4]), torch.tensor([2, 3, 4, 1]), torch.full((4,), 9)
    both = written(first, first, first)
    extra = {
        "conflict": written(first, second, first),
        "shape": written(first, none, first),
        "texture": written(none, second, second),
    }
    kept = {}
    arm = SimpleNamespace(
        world=TensorWorld(both, both, tuple("abcdefghij"), extra),
        network=Reads(channel),
        keep=lambda name, array: kept.update({name: array}),
    )
    found = {row[:-1]: row[-1] for row in cue_conflict(arm)}
    assert found["top1",] == 1
    assert found["decided",] == 1
    assert found["shape_bias",] == bias
    assert found["shape_top1",] == shape_top1
    assert found["texture_top1",] == texture_top1
    # A flat image is its mean, which no filter takes away.
    assert found["low_passed", 2] == found["high_passed", 4] == 1
    assert len(kept["conflict"]) == 4


def test_a_world_without_the_splits_is_refused():
    one = torch.tensor([1])
    arm = SimpleNamespace(world=TensorWorld(written(one, one, one), written(one, one, one), ("a",), {}), network=None)
    with pytest.raises(StudyError, match="unknown split 'conflict'"):
        list(cue_conflict(arm))


def test_filters_keep_the_waves_below_or_above_the_cut():
    """A sum of plane waves of known radius: each filter leaves exactly those on its side, whatever their direction."""
    y, x = np.mgrid[:16, :16] / 16
    waves = {(fx, fy): np.cos(2 * np.pi * (fx * x + fy * y) + fx) for fx, fy in [(1, 0), (0, 2), (2, 2), (3, -4), (7, 1), (0, 8)]}
    image = 0.3 + sum(waves.values())
    images = torch.from_numpy(image).expand(2, 3, 16, 16)
    for cutoff in (0, 1, 2, 2.5, 5, 7.5, 8):
        low = 0.3 + sum(wave for (fx, fy), wave in waves.items() if np.hypot(fx, fy) <= cutoff)
        np.testing.assert_allclose(low_pass(images, cutoff)[1, 2], low * np.ones((16, 16)), atol=1e-9)
        np.testing.assert_allclose(high_pass(images, cutoff)[0, 1], image - low + 0.3, atol=1e-9)
    middle = 0.3 + waves[2, 2] + waves[0, 2]
    np.testing.assert_allclose(band_pass(images, 2, 4.9)[0, 0], middle, atol=1e-9)


def test_filters_agree_with_numpy_on_noise():
    images = torch.randn(3, 2, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(16) * 16, np.fft.fftfreq(16) * 16))
    expected = np.fft.ifft2(np.fft.fft2(images.numpy()) * (frequency <= 3)).real
    np.testing.assert_allclose(low_pass(images, 3), expected, atol=1e-9)


def test_the_world_reads_back_as_tensors(world):
    tensors = to_tensors(world, torch.device("cpu"))
    assert set(tensors.extra) == {"conflict", "shape", "texture"}
    assert tensors.extra["conflict"].images.shape == tensors.test.images.shape
