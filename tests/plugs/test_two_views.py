"""Augmentations that make views, against torchvision's definitions and by what must not change."""

from dataclasses import replace
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from scipy import stats

from assay.augment.color_jitter import blend, color_jitter, turn_hue
from assay.augment.flip import flip
from assay.augment.grayscale import grayscale, grey
from assay.augment.resized_crop import cut, resized_crop
from assay.augment.views import views
from assay.data.batch import Batch
from assay.errors import StudyError
from assay.training import shim  # noqa: F401  (before torchvision)

from torchvision.transforms.v2 import functional as TF  # isort: skip


@pytest.fixture
def batch():
    images = torch.rand(64, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    labels = torch.arange(64) % 4
    return Batch(images, labels, F.one_hot(labels, 4).float(), torch.arange(64), images)


def seeded():
    return torch.Generator().manual_seed(0)


@pytest.mark.vouches("augment/resized_crop", paper="P232")
@pytest.mark.vouches("augment/resized_crop", paper="P106")
@pytest.mark.parametrize("box", [(0, 0, 16, 16), (3, 5, 8, 8), (2, 0, 9, 14), (10, 11, 6, 5)])
def test_a_window_of_whole_pixels_is_resized_as_torchvision_does(batch, box):
    top, left, height, width = box
    corner = torch.tensor([top, left]).expand(64, 2) / 16
    extent = torch.tensor([height, width]).expand(64, 2) / 16
    expected = TF.resized_crop(batch.images, top, left, height, width, [16, 16], antialias=False)
    torch.testing.assert_close(cut(batch.images, corner, extent), expected, atol=1e-5, rtol=0)


@pytest.mark.vouches("augment/resized_crop", paper="P232")
def test_windows_cover_the_shares_of_area_asked_for():
    # On an image whose two channels are the pixels' coordinates, a window shows its own extent.
    ramp = (torch.arange(64) + 0.5) / 64
    image = torch.stack([ramp[:, None].expand(64, 64), ramp.expand(64, 64)])
    images = image.expand(400, 2, 64, 64)
    labels = torch.zeros(400, dtype=torch.long)
    batch = Batch(images, labels, torch.ones(400, 1), labels, images)
    seen = resized_crop(batch, seeded(), smallest=0.3, largest=0.6).images
    height = (seen[:, 0, 63, 0] - seen[:, 0, 0, 0]) * 64 / 63
    width = (seen[:, 1, 0, 63] - seen[:, 1, 0, 0]) * 64 / 63
    area, ratio = height * width, width / height
    assert area.min() > 0.28
    assert area.max() < 0.62
    assert area.mean() == pytest.approx(0.45, abs=0.02)
    assert ratio.min() > 0.73
    assert ratio.max() < 1.37
    assert ratio.log().mean().abs() < 0.05
    # Windows start anywhere from one edge to where they touch the other.
    for start, extent in ((seen[:, 0, 0, 0] - height / 128, height), (seen[:, 1, 0, 0] - width / 128, width)):
        assert stats.kstest((start / (1 - extent))[extent < 0.9].numpy(), stats.uniform().cdf).pvalue > 1e-3


def test_windows_out_of_order_are_refused(batch):
    with pytest.raises(StudyError, match=r"smallest = 0.9 exceeds largest = 0.5"):
        resized_crop(batch, seeded(), smallest=0.9, largest=0.5)


@pytest.mark.vouches("augment/color_jitter", paper="P232")
@pytest.mark.parametrize("turn", [-0.5, -0.1, 0.0, 0.07, 0.31])
def test_turning_the_hue_is_torchvisions(batch, turn):
    expected = TF.adjust_hue(batch.images, turn)
    torch.testing.assert_close(turn_hue(batch.images, torch.full((64,), turn)), expected, atol=1e-5, rtol=0)


@pytest.mark.vouches("augment/color_jitter", paper="P232")
@pytest.mark.parametrize("factor", [0.6, 1.0, 1.4])
def test_brightness_contrast_and_saturation_are_torchvisions(batch, factor):
    images, factors = batch.images, torch.full((64,), factor)
    mean = grey(images).mean((2, 3), keepdim=True)
    pairs = [
        (blend(images, torch.zeros_like(images), factors), TF.adjust_brightness(images, factor)),
        (blend(images, mean, factors), TF.adjust_contrast(images, factor)),
        (blend(images, grey(images), factors), TF.adjust_saturation(images, factor)),
    ]
    for ours, expected in pairs:
        torch.testing.assert_close(ours, expected, atol=1e-5, rtol=0)


@pytest.mark.vouches("augment/color_jitter", paper="P232")
def test_jitter_of_strength_zero_changes_nothing_and_of_full_strength_the_share_asked_for(batch):
    still = color_jitter(batch, seeded(), brightness=0, contrast=0, saturation=0, hue=0, probability=1)
    torch.testing.assert_close(still.images, batch.images, atol=1e-6, rtol=0)
    moved = color_jitter(batch, seeded(), probability=0.5)
    changed = (moved.images != batch.images).flatten(1).any(1).float().mean()
    assert 0.3 < changed < 0.7
    assert moved.images.min() >= 0
    assert moved.images.max() <= 1


def test_jitter_takes_grey_images():
    images = torch.rand(8, 1, 8, 8)
    labels = torch.zeros(8, dtype=torch.long)
    moved = color_jitter(Batch(images, labels, torch.ones(8, 1), labels, images), seeded(), probability=1)
    assert moved.images.shape == images.shape


@pytest.mark.vouches("augment/grayscale", paper="P232")
def test_grey_images_are_torchvisions_and_as_many_as_asked_for(batch):
    every = grayscale(batch, seeded(), probability=1)
    torch.testing.assert_close(every.images, TF.rgb_to_grayscale(batch.images, 3), atol=1e-5, rtol=0)
    some = grayscale(batch, seeded(), probability=0.25).images
    share = (some == some[:, :1]).flatten(1).all(1).float().mean()
    assert 0.1 < share < 0.4
    assert torch.equal(grayscale(batch, seeded(), probability=0).images, batch.images)
    one_channel = replace(batch, images=batch.images[:, :1])
    assert torch.equal(grayscale(one_channel, seeded(), probability=1).images, one_channel.images)


@pytest.mark.vouches("augment/views", paper="P232")
@pytest.mark.vouches("augment/views", paper="P106")
def test_views_are_drawn_independently_from_the_original_images(batch):
    ramp = torch.rand(64, 3, 1, 1) * torch.ones(64, 3, 16, 16)
    ramp[..., 0] = 1
    marked = Batch(torch.zeros_like(ramp), batch.labels, batch.targets, batch.index, ramp)
    made = views(marked, seeded(), of=[partial(flip)], count=2)
    assert torch.equal(made.images, marked.images)
    flipped = torch.stack([(view != ramp).flatten(1).any(1) for view in made.views])
    for view, turned in zip(made.views, flipped, strict=True):
        assert torch.equal(torch.where(turned[:, None, None, None], view.flip(-1), view), ramp)
    # Two fair coins agree about half the time; one coin for both views would always agree.
    assert 0.3 < (flipped[0] == flipped[1]).float().mean() < 0.7
    assert len(views(made, seeded(), of=[partial(flip)], count=1).views) == 3
