"""Crop selection and the circularly invariant network, against brute force and what they guarantee."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn

from assay.data.batch import to_tensors
from assay.data.seeds import Draw
from assay.errors import StudyError
from assay.models.aps import APS, LargestPolyphase
from assay.protocols.crop_selection import central_detail, crop_selection, cut, flipped, selected, wrapped
from assay.training.network import Network
from assay.worlds.shapes import shapes

CPU = torch.device("cpu")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.vouches("protocols/crop_selection", paper="P128")
def test_scores_are_those_of_each_crop_alone():
    """The score of a crop is a function of its own pixels: cut out, it has the same score as in its window."""
    windows = torch.rand(3, 3, 9, 9, generator=generator())
    scores = central_detail(windows, 6)
    assert scores.shape == (3, 4, 4)
    for top in range(4):
        for left in range(4):
            alone = central_detail(windows[:, :, top : top + 6, left : left + 6], 6)
            torch.testing.assert_close(alone[:, 0, 0], scores[:, top, left])
    grey = windows[0].double().mean(0).numpy()
    detail = abs(np.diff(grey, axis=0))[:, :-1] + abs(np.diff(grey, axis=1))[:-1]
    bell = np.exp(-((np.arange(5) - 2) ** 2) / (2 * 1.5**2))
    expected = ndimage.correlate(detail, np.outer(bell, bell), mode="constant")[2:-2, 2:-2]
    np.testing.assert_allclose(scores[0], expected, rtol=1e-6)


@pytest.mark.vouches("protocols/crop_selection", paper="P128")
def test_the_crop_chosen_is_the_best_by_brute_force():
    windows = torch.rand(5, 2, 8, 8, generator=generator())
    weights = torch.randn(2, 5, 5, generator=generator(1))

    def score(images, side):
        return nn.functional.conv2d(images, weights[None])[:, 0]

    found = selected(windows, 5, score)
    for window, crop in zip(windows, found, strict=True):
        crops = [window[:, top : top + 5, left : left + 5] for top in range(4) for left in range(4)]
        assert crop.equal(max(crops, key=lambda each: float((each * weights).sum())))
    assert selected(windows, 4, None).equal(windows[:, :, 2:6, 2:6])
    ends = cut(windows, torch.tensor([0, 1, 2, 3, 3]), torch.tensor([3, 0, 0, 1, 3]), 5)
    assert ends[1].equal(windows[1, :, 1:6, 0:5])


@pytest.mark.vouches("protocols/crop_selection", paper="P128")
def test_the_same_crop_is_chosen_as_often_as_the_windows_share_the_best_one():
    """Where the best crop of both windows together lies in both, both choose it: on noise in |A and B| / |A or B| of images."""
    canvas = torch.rand(1500, 1, 17, 16, generator=generator())
    weights = torch.randn(1, 1, 8, 8, generator=generator(1))

    def score(images, side):
        return nn.functional.conv2d(images, weights)[:, 0]

    one, other = (selected(canvas[:, :, start : start + 16], 8, score) for start in (0, 1))
    same = (one == other).flatten(1).all(1)
    best = score(canvas, 8).flatten(1).argmax(1) // 9
    shared = (best >= 1) & (best <= 8)
    assert same[shared].all()
    # Nine rows of crops in each window, eight of ten in both; scores of neighbours are nearly independent.
    assert abs(same.double().mean() - 0.8) < 4 * (0.8 * 0.2 / 1500) ** 0.5


@pytest.mark.vouches("protocols/crop_selection", paper="P128")
def test_circular_shifts_cannot_change_what_is_chosen():
    images = torch.rand(6, 3, 8, 8, generator=generator())
    assert wrapped(images).shape == (6, 3, 15, 15)  # eight crops along each axis, every shift once
    crops = selected(wrapped(images), 8, central_detail)
    for shift in ((1, 0), (3, 5), (-1, -1)):
        assert selected(wrapped(images.roll(shift, (2, 3))), 8, central_detail).equal(crops)
    assert crops.flatten(1).sort(1).values.equal(images.flatten(1).sort(1).values)


class LeftEdge(nn.Module):
    """Class 1 where the leftmost column is bright: any shift can change it."""

    def forward(self, images):
        bright = images[..., 0].mean((1, 2)) - 0.5
        return torch.stack([-bright, bright], dim=1)


def arm(model: nn.Module) -> SimpleNamespace:
    world = shapes(Draw("x", 0), size=8, train=10, test=40)
    return SimpleNamespace(
        network=Network(model, torch.zeros(3), torch.ones(3)).eval(),
        world=to_tensors(world, CPU),
        generator=lambda name: generator(),
        make=lambda plug: to_tensors(plug(Draw("x", 0)), CPU),
        keep=lambda *given: None,
    )


def canvas(draw, side=16):
    """Vertical stripes, one bright column in four; each image starts at another."""
    world = shapes(draw, size=side, train=10, test=40)
    columns = (torch.arange(side)[None] + torch.arange(40)[:, None]) % 4 == 0
    world.test.images[:] = columns[:, None, None, :].numpy()
    return world


@pytest.mark.vouches("protocols/crop_selection", paper="P128")
def test_flips_of_stripes_by_hand():
    """The answer is 1 at one of four places of the window; a step of one either way reaches it from three of them."""
    found = dict(crop_selection(arm(LeftEdge()), canvas=canvas, window=12, reach=1))
    assert found["flips"] == pytest.approx(0.75)
    assert found["same_pixels"] == pytest.approx(2 / 8)  # up and down
    # Of eight steps those up and down keep every answer; from the stripe itself no other does, from beside it one way.
    assert found["consistency"] == pytest.approx((2 + 5 + 8 + 5) / 32)
    still = dict(crop_selection(arm(LeftEdge()), canvas=canvas, window=12, reach=1, select="detail"))
    assert still["flips"] == 0
    assert still["cyclic_flips"] == 0
    assert flipped(torch.tensor([[1, 1, 1], [2, 1, 1], [1, 1, 2], [0, 0, 0]]), 1) == 0.5


def test_a_canvas_without_room_is_refused():
    assert list(crop_selection(arm(LeftEdge()), canvas=partial(canvas, side=14), window=12))
    with pytest.raises(StudyError, match="raise size in canvas"):
        list(crop_selection(arm(LeftEdge()), canvas=partial(canvas, side=13), window=12))


@pytest.mark.vouches("models/aps", paper="P128")
def test_adaptive_sampling_keeps_the_largest_component_and_the_answer_under_circular_shifts():
    maps = torch.rand(7, 3, 6, 6, generator=generator())
    kept = LargestPolyphase()(maps)
    for one, chosen in zip(maps, kept, strict=True):
        parts = [one[:, down::2, right::2] for down in (0, 1) for right in (0, 1)]
        assert chosen.equal(max(parts, key=lambda part: float(part.norm())))
    torch.manual_seed(0)
    model = APS(3, 5, 16).eval().double()
    larger = torch.rand(4, 3, 17, 17, generator=generator(), dtype=torch.float64)
    images = larger[..., :16, :16]
    with torch.no_grad():
        answers = model(images)
        for shift in ((1, 0), (0, 3), (5, 6)):
            torch.testing.assert_close(model(images.roll(shift, (2, 3))), answers)
        assert not torch.allclose(model(larger[..., 1:, 1:]), answers)
