"""RISE and SmoothGrad against closed forms and captum; their protocol's confidence matching and heat."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from captum.attr import NoiseTunnel, Saliency
from skimage.transform import resize
from torch import nn

from assay.attributions.rise import random_masks, rise
from assay.attributions.smoothgrad import smoothgrad
from assay.data.batch import TensorSplit, TensorWorld
from assay.metrics.deletion import deletion
from assay.metrics.insertion import insertion
from assay.protocols.explainability import explainability, heat_of, mean_confidence, scale_for


class Prescribed(nn.Module):
    """A network whose softmax is p and 1 - p, p being a given function of the image."""

    def __init__(self, probability):
        super().__init__()
        self.probability = probability

    def forward(self, images):
        p = self.probability(images)
        return torch.stack([p, 1 - p], 1).log()


@pytest.mark.vouches("attributions/rise", paper="P288")
@pytest.mark.parametrize("keep", [0.3, 0.5])
def test_rise_of_one_pixel_is_the_masks_second_moment(keep):
    """Where p is the pixel's value: the map there is E[m^2] / keep, keep far away, as cells are drawn apart.

    A mask's value is a bilinear mean of four coins with weights (t, 1 - t) along each axis. The 4 cells fill 20 pixels, of which
    the mask begins at one of the first four; so t is that of pixels 3 to 6, and E[m^2] = keep^2 + keep (1 - keep) w^2 with w the
    mean of t^2 + (1 - t)^2.
    """
    network = Prescribed(lambda images: images[:, 0, 3, 3].clamp(1e-9, 1 - 1e-9))
    images = torch.ones(1, 1, 16, 16, dtype=torch.float64)
    found = rise(network, images, torch.tensor([0]), masks=20000, grid=4, probability=keep, fill=0.0)[0, 0]
    t = ((np.arange(3, 7) + 0.5) * 4 / 20 - 0.5) % 1
    w = (t**2 + (1 - t) ** 2).mean()
    assert found[3, 3].item() == pytest.approx((keep**2 + keep * (1 - keep) * w**2) / keep, abs=0.02)
    far = torch.cat([found[:, 14:].flatten(), found[14:].flatten()])
    assert far.mean().item() == pytest.approx(keep, abs=0.02)
    row, column = divmod(found.argmax().item(), 16)
    assert max(abs(row - 3), abs(column - 3)) <= 1


@pytest.mark.vouches("attributions/rise", paper="P288")
def test_rise_is_the_weighted_mean_of_masks_written_out():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 4)).double().requires_grad_(False)
    images, targets = torch.rand(3, 3, 8, 8, dtype=torch.float64), torch.tensor([0, 3, 1])
    drawn = []

    def spy(count, grid, probability, size, generator):
        drawn.append(random_masks(count, grid, probability, size, generator))
        return drawn[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("assay.attributions.rise.random_masks", spy)
        found = rise(network, images, targets, masks=40, grid=2, probability=0.4, fill=0.5)
    expected = np.zeros((3, 8, 8))
    for row in range(3):
        for mask in drawn[0].double():
            shown = images[row] * mask + 0.5 * (1 - mask)
            expected[row] += network(shown[None]).softmax(1)[0, targets[row]].item() * mask[0].numpy()
    np.testing.assert_allclose(found[:, 0], expected / (40 * 0.4), rtol=1e-6)


@pytest.mark.vouches("attributions/rise", paper="P288")
@pytest.mark.parametrize(("grid", "size"), [(2, 8), (4, 16), (7, 32), (8, 30), (1, 5)])
def test_masks_are_grids_resized_as_the_authors_do(grid, size):
    """grid x grid coins through scikit-image's resize of first order to grid + 1 cells, cut out; the draws are the plug's."""
    masks = random_masks(6, grid, 0.4, size, torch.Generator().manual_seed(3))[:, 0]
    draws = torch.Generator().manual_seed(3)
    cell = int(np.ceil(size / grid))
    coins = (torch.rand((6, grid, grid), generator=draws) < 0.4).double().numpy()
    down, right = torch.randint(cell, (2, 6, 1), generator=draws)[..., 0].tolist()
    for number, mask in enumerate(masks):
        large = resize(coins[number], ((grid + 1) * cell,) * 2, order=1, mode="reflect", anti_aliasing=False)
        y, x = down[number], right[number]
        np.testing.assert_allclose(mask, large[y : y + size, x : x + size], atol=1e-6)


def test_masks_are_kept_with_the_probability_everywhere_and_cells_are_drawn_apart():
    masks = random_masks(8000, 4, 0.3, 16, torch.Generator().manual_seed(0))[:, 0]
    assert masks.min() >= 0
    assert masks.max() <= 1
    assert (masks.mean(0) - 0.3).abs().max() < 0.02
    flat = masks.flatten(1)
    correlation = torch.corrcoef(flat.T).reshape(16, 16, 16, 16)
    assert correlation[8, 8, 8, 9] > 0.7  # neighbours are alike...
    assert correlation[3, 3, 3, 14:].abs().max() < 0.06  # ...two cells of 5 pixels apart they are not
    assert correlation[3, 3, 14, 14].abs() < 0.06


class Cubic(nn.Module):
    """A logit that is the sum of the pixels' cubes, and one that is its negative."""

    def forward(self, images):
        total = (images**3).flatten(1).sum(1)
        return torch.stack([total, -total], 1)


@pytest.mark.vouches("attributions/smoothgrad", paper="P288")
def test_smoothgrad_of_a_cubic_is_its_closed_form_and_captums():
    """E[3 (x + e)^2] = 3 x^2 + 3 sigma^2, sigma a share of the image's range; captum's noise tunnel within its scatter."""
    torch.manual_seed(0)
    images = torch.rand(2, 3, 4, 4, dtype=torch.float64)
    images[1] *= 0.5
    targets = torch.tensor([0, 1])
    found = smoothgrad(Cubic(), images, targets, deviation=0.2, samples=4000)
    sigma = 0.2 * (images.flatten(1).amax(1) - images.flatten(1).amin(1)).reshape(-1, 1, 1, 1)
    sign = torch.tensor([1.0, -1.0]).reshape(-1, 1, 1, 1)
    torch.testing.assert_close(found, sign * (3 * images**2 + 3 * sigma**2), atol=0.1, rtol=0)
    tunnel = NoiseTunnel(Saliency(Cubic()))
    for row in range(2):
        one = images[row : row + 1].clone().requires_grad_(True)
        reference = tunnel.attribute(
            one, nt_samples=4000, stdevs=sigma[row].item(), target=int(targets[row]), abs=False, nt_type="smoothgrad"
        )
        torch.testing.assert_close(found[row : row + 1], reference, atol=0.15, rtol=0)


@pytest.mark.vouches("attributions/smoothgrad", paper="P288")
def test_smoothgrad_without_noise_is_the_gradient():
    images = torch.rand(2, 3, 4, 4)
    torch.testing.assert_close(smoothgrad(Cubic(), images, torch.tensor([0, 0]), deviation=0.0, samples=2), 3 * images**2)


@pytest.mark.vouches("protocols/explainability", paper="P288")
def test_confidence_is_matched():
    torch.manual_seed(0)
    for spread in (0.1, 1.0, 8.0):
        logits = spread * torch.randn(200, 6)
        for wanted in (0.4, 0.6, 0.8):
            assert mean_confidence(logits, scale_for(logits, wanted)) == pytest.approx(wanted, abs=1e-4)


def test_heat_is_positive_part_of_one_map_and_size_of_several():
    maps = torch.tensor([-1.0, 2.0, 0.0, -3.0]).reshape(1, 1, 2, 2)
    assert heat_of(maps).flatten().tolist() == [0, 2, 0, 0]
    assert heat_of(maps.expand(-1, 3, -1, -1)).flatten().tolist() == [3, 6, 0, 9]


@pytest.mark.vouches("protocols/explainability", paper="P288")
def test_insertion_and_deletion_follow_confidence_where_the_map_is_the_same():
    """A bright square tells the class; two networks give the same answers and the same map, one with larger logits."""
    masks = torch.zeros(8, 8, 8)
    masks[:, 2:5, 3:6] = 1
    images = 0.5 + 0.5 * masks[:, None].expand(-1, 3, -1, -1)
    labels = torch.zeros(8, dtype=torch.long)
    boxes = torch.tensor([3, 2, 6, 5]).expand(8, 1, 4)
    split = TensorSplit(images, labels, {"mask": masks, "boxes": boxes})
    world = TensorWorld(split, split, ("square", "none"), {})

    class Bright(nn.Module):
        def __init__(self, scale):
            super().__init__()
            self.scale = scale

        def forward(self, images):
            excess = (images - 0.5).mean((1, 2, 3))
            return self.scale * torch.stack([excess, 0.05 - excess], 1)

    def truth(network, images, targets):
        return masks[: len(images), None]

    rows = {}
    for scale in (5.0, 20.0):
        kept = {}
        arm = SimpleNamespace(world=world, network=Bright(scale), keep=kept.__setitem__)
        rows[scale] = dict(explainability(arm, attribution=truth, confidence=0.7))
        assert rows[scale]["pointing"] == rows[scale]["overlap"] == rows[scale]["top1"] == 1
        assert rows[scale]["insertion"] == insertion(arm.network, images, labels, masks[:, None], steps=8)
        assert rows[scale]["deletion"] == deletion(arm.network, images, labels, masks[:, None], fill=0.5, steps=8)
        matched = Bright(scale * scale_for(arm.network(images), 0.7))
        for metric, erased in ((insertion, {}), (deletion, {"fill": 0.5})):
            expected = metric(matched, images, labels, masks[:, None], steps=8, **erased)
            assert rows[scale][f"matched_{metric.__name__}"] == pytest.approx(expected, abs=1e-6)
        assert kept["maps"].shape == (8, 1, 8, 8)
    assert rows[5.0]["confidence"] < rows[20.0]["confidence"]
    assert rows[5.0]["insertion"] < rows[20.0]["insertion"] - 0.1
    for metric in ("matched_insertion", "matched_deletion"):
        assert rows[5.0][metric] == pytest.approx(rows[20.0][metric], abs=1e-4)
