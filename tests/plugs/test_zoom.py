"""Zooms, their oracle and MEMO, on images whose content is known and against a loop over copies of the network."""

from copy import deepcopy
from functools import partial

import numpy as np
import pytest
import torch
from fake_arm import FakeArm
from PIL import Image
from torch import nn

from assay.augment.augmix import augmix
from assay.data.batch import to_tensors
from assay.data.world import Split, World
from assay.models.resnet import resnet
from assay.protocols._memo import adapted_logits, marginal_entropy
from assay.protocols.zoom import ANCHORS, five_crops, zoom, zoomed
from assay.training.network import Network

CPU = torch.device("cpu")


@pytest.mark.vouches("protocols/zoom", paper="P135")
@pytest.mark.parametrize("factor", [1.0, 1.5, 3.0])
def test_a_zoom_is_pils_resize_cropped_about_the_anchor(factor):
    images = torch.rand(2, 1, 24, 24, generator=torch.Generator().manual_seed(0))
    side = round(8 * factor)
    for row, column in ANCHORS:
        ours = zoomed(images, 8, factor, (row, column))
        assert ours.shape == (2, 1, 8, 8)
        for image, seen in zip(images, ours, strict=True):
            plane = Image.fromarray(image[0].numpy(), mode="F").resize((side, side), Image.Resampling.BILINEAR)
            windows = np.lib.stride_tricks.sliding_window_view(np.asarray(plane), (8, 8))
            starts = np.arange(len(windows)) + 4  # of all crops inside, the one whose centre is nearest to the patch's
            top, left = (abs(starts - (place + 0.5) / 3 * side).argmin() for place in (row, column))
            np.testing.assert_allclose(seen[0], windows[top, left], atol=1e-5)


@pytest.mark.vouches("protocols/zoom", paper="P135")
def test_memo_is_a_step_on_the_marginal_entropy_of_each_image_alone():
    torch.manual_seed(0)
    model = resnet(3, 4, 8, width=4)
    network = Network(model, torch.full((3,), 0.4), torch.full((3,), 0.3)).eval().requires_grad_(False)
    images, copies = torch.rand(3, 3, 8, 8), torch.rand(3, 5, 3, 8, 8)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    ours = adapted_logits(network, images, copies, 0.3)
    assert all(value.equal(before[name]) for name, value in network.state_dict().items())
    for image, views, logits in zip(images, copies, ours, strict=True):
        own = deepcopy(network).requires_grad_(True)
        mean = own(views).softmax(1).mean(0)
        (-(mean * mean.log()).sum()).backward()
        assert marginal_entropy(own(views)).item() == pytest.approx(-(mean * mean.log()).sum().item(), rel=1e-5)
        with torch.no_grad():
            for parameter in own.parameters():
                parameter -= 0.3 * parameter.grad
            torch.testing.assert_close(logits, own(image[None])[0], atol=1e-4, rtol=1e-4)
            assert not torch.allclose(logits, network(image[None])[0], atol=1e-3)


class Bright(nn.Module):
    """Class 1, surer the whiter, where the middle of the input is white; class 0, never very sure, elsewhere."""

    def forward(self, images):
        white = images[..., 2:6, 2:6].mean((1, 2, 3))
        return torch.stack([torch.full_like(white, 0.5), 4 * white], dim=1)


def dotted(draw, *, place: tuple[float, float]):
    """Black images of 24 px with a white square of 4 px about a place (row, column) in image sides, all of class 1."""
    images = np.zeros((10, 1, 24, 24), np.float32)
    top, left = (round(24 * each) - 2 for each in place)
    images[:, :, top : top + 4, left : left + 4] = 1
    split = Split(images, np.ones(10, np.int64))
    return World(split, split, ("black", "white"))


def observed(**parameters) -> dict:
    world = dotted(None, place=(0.5, 0.5))
    own = Split(world.test.images[:, :, 8:16, 8:16], world.test.labels)
    arm = FakeArm(
        network=Network(Bright(), torch.zeros(1), torch.ones(1)).eval(),
        world=to_tensors(World(own, own, world.classes), CPU),
        make=lambda plug: to_tensors(plug(None), CPU),
        generator=lambda *names: torch.Generator().manual_seed(0),
        keep=lambda *given: None,
    )
    worlds = {"spread": partial(dotted, place=(1 / 6, 5 / 6)), "biased": partial(dotted, place=(0.5, 0.5))}
    rows = zoom(arm, **worlds, scales=[1.0, 3.0], **parameters)
    return {tuple(keys) if len(keys) > 1 else keys[0]: float(value) for *keys, value in rows}


@pytest.mark.vouches("protocols/zoom", paper="P135")
def test_a_dot_is_found_by_the_zoom_that_shows_it_and_by_no_other():
    """At three times, one patch of the nine fills the input; a dot in the top right patch is seen only there."""
    found = observed(method="oracle")
    seen = {key[1] for key, value in found.items() if key[0] == "zoom_top1" and value == 1}
    assert "3x top right" in seen
    assert "3x centre" not in seen
    assert found["top1"] == found["biased_top1"] == 1
    assert found["biased_zoom_top1", "3x centre"] == 1
    assert found["biased_zoom_top1", "3x top right"] == 0
    one = observed(method="centre", scale=3.0)
    assert (one["top1"], one["biased_top1"], one["own_top1"]) == (0, 1, 1)
    assert len(seen) == 1 or seen == {"3x top right", "1x centre"}
    # Every image is seen as black at some zoom, which is the one wrong class there is.
    assert observed(method="wrong_oracle")["top1"] == 1
    # One zoom is surest, of white; most zooms see black, and so does their mean.
    assert observed(method="confident")["top1"] == 1
    assert observed(method="mean")["top1"] == 0


@pytest.mark.vouches("protocols/zoom", paper="P135")
def test_memo_goes_through_the_augmentation_and_five_crops_are_corners_and_centre():
    images = torch.rand(2, 1, 10, 10)
    crops = five_crops(images, 8)
    assert crops[0].equal(images[..., :8, :8])
    assert crops[3].equal(images[..., 2:, 2:])
    assert crops[4].equal(images[..., 1:9, 1:9])
    found = observed(method="memo", scale=3.0, copies=3, copy_by=partial(augmix, views=0))
    assert (found["top1"], found["biased_top1"]) == (0, 1)  # a network without weights cannot move
    assert observed(method="five_crop").keys() == {"own_top1", "top1", "biased_top1"}
