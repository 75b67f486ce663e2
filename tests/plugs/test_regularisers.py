"""Regularisers and what they are measured by: areas, places and chances worked out by hand or by timm."""

from functools import partial
from types import SimpleNamespace
from zlib import crc32

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.calibration import calibration_curve
from torch import nn

from assay.augment.cutmix import cutmix, span
from assay.augment.cutout import covered, cutout
from assay.data.batch import Batch, TensorSplit, TensorWorld
from assay.metrics.ece import ece
from assay.models.resnet import resnet
from assay.models.stochastic_depth import stochastic_depth
from assay.protocols.robustness_uncertainty import passes, robustness_uncertainty
from assay.scores.msp import msp

from timm.data.mixup import rand_bbox  # isort: skip  (after the shim that resnet imports)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def numbered(count: int, side: int = 16) -> Batch:
    """Images of one colour each, the share of its number in the batch; a class for each image."""
    images = (torch.arange(count) / count).reshape(-1, 1, 1, 1).expand(count, 3, side, side).clone()
    labels = torch.arange(count)
    return Batch(images, labels, torch.eye(count), labels, images)


@pytest.mark.vouches("augment/cutmix", paper="P238")
def test_targets_of_cutmix_are_areas():
    for seed in range(100):
        given = numbered(4)
        mixed = cutmix(given, generator(seed))
        flat = mixed.images[:, 0].flatten(1)
        for own in range(4):
            area = (flat[own, :, None] == torch.arange(4) / 4).double().mean(0)
            np.testing.assert_allclose(mixed.targets[own], area, atol=1e-6)
        foreign = mixed.images[:, 0] != given.images[:, 0]
        if foreign.any():
            place = foreign[foreign.flatten(1).any(1)][0]
            rows, columns = place.any(1), place.any(0)
            assert place.equal(rows[:, None] & columns[None])  # a rectangle, the same in all images
            assert rows.diff().sum() <= 2
    assert torch.equal(mixed.labels, given.labels)


@pytest.mark.vouches("augment/cutmix", paper="P238")
def test_rectangles_of_cutmix_are_timms(monkeypatch):
    """The rectangle for every middle pixel and a range of areas."""
    for weight in np.linspace(0, 1, 9):
        length = int(np.sqrt(1 - weight) * 16)
        for middle in range(16):
            monkeypatch.setattr(np.random, "randint", lambda *_, at=middle, **__: at)
            low, high, left, right = rand_bbox((16, 16), weight)
            found = span(middle, length, 16)
            assert (found.start, found.stop) == (low, high) == (left, right)


@pytest.mark.vouches("augment/cutmix", paper="P238")
def test_areas_of_cutmix_follow_a_uniform_draw_cut_at_the_edges():
    kept = np.array(
        [float(cutmix(numbered(2, side=64), generator(seed)).images[0, 0].eq(0).double().mean()) for seed in range(800)]
    )
    random = np.random.default_rng(0)
    expected = []
    for weight, y, x in random.random((20000, 3)):
        half = np.sqrt(1 - weight) / 2
        sides = [min(1, middle + half) - max(0, middle - half) for middle in (y, x)]
        expected.append(1 - sides[0] * sides[1])
    mixed = kept[kept < 1]  # half of the permutations of two leave both in place
    assert 0.4 < len(mixed) / len(kept) < 0.6
    assert stats.ks_2samp(mixed, expected).pvalue > 1e-3
    assert cutmix(numbered(2), generator(), chance=1e-9).images.equal(numbered(2).images)


@pytest.mark.vouches("augment/cutout", paper="P238")
def test_cutout_blanks_squares_that_may_stick_out():
    count = 4000
    images = torch.rand(1, 3, 8, 8, generator=generator()).expand(count, 3, 8, 8)
    labels = torch.zeros(count, dtype=torch.long)
    batch = Batch(images, labels, torch.ones(count, 1), torch.arange(count), images)
    changed = cutout(batch, generator(), share=0.5)
    blank = (changed.images != images).all(1)
    mean = images.mean((0, 2, 3))
    np.testing.assert_allclose(changed.images.permute(0, 2, 3, 1)[blank], mean.expand(int(blank.sum()), 3), atol=1e-6)
    # A square of four about pixel m covers m - 2 to m + 1: two to four pixels along each axis, four in five places of eight.
    lengths = [len(set(range(middle - 2, middle + 2)) & set(range(8))) for middle in range(8)]
    areas = np.bincount([a * b for a in lengths for b in lengths], minlength=17) / 64
    found = np.bincount(blank.flatten(1).sum(1).numpy(), minlength=17) / count
    np.testing.assert_allclose(found, areas, atol=0.03)
    corner = covered(torch.tensor([0, 7]), 4, torch.arange(8))
    assert corner.int().tolist() == [[1, 1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 1, 1]]
    assert changed.targets is batch.targets
    smallest = cutout(batch, generator(), share=0.05)
    assert ((smallest.images != images).all(1).flatten(1).sum(1) == 1).all()


@pytest.mark.vouches("models/stochastic_depth", paper="P238")
def test_blocks_are_left_out_by_the_linear_rule_in_training_alone():
    torch.manual_seed(0)
    model = stochastic_depth(3, 10, 16, blocks=2, drop=0.8)
    chain = [block for stage in (model.layer1, model.layer2, model.layer3, model.layer4) for block in stage]
    images = torch.rand(2000, 8, 1, 1, generator=generator())
    for number, block in enumerate(chain, 1):
        assert block.drop_path.drop_prob == pytest.approx(0.8 * number / 8)
    last = chain[1]  # keeps width and size, so that its shortcut is the identity
    last.train()
    with torch.no_grad():
        positive = images + 1  # a block that is left out passes what it got
        left_out = (last(positive) == positive).flatten(1).all(1).double().mean()
    np.testing.assert_allclose(left_out, 0.2, atol=0.04)
    # At test time it is the plain network with the same weights.
    plain = resnet(3, 10, 16, blocks=2)
    plain.load_state_dict(model.state_dict())
    pictures = torch.rand(4, 3, 16, 16, generator=generator())
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(pictures), plain.eval()(pictures))


@pytest.mark.vouches("metrics/ece", paper="P238")
def test_calibration_error_by_hand():
    # Confidences 0.9, 0.9, 0.9, 0.6, 0.6: right twice of three, once of two.
    confidence = torch.tensor([0.9, 0.9, 0.9, 0.6, 0.6], dtype=torch.float64)
    logits = torch.stack([confidence, 1 - confidence], dim=1).log()
    labels = torch.tensor([0, 0, 1, 0, 1])
    assert ece(logits, labels) == pytest.approx(0.6 * (0.9 - 2 / 3) + 0.4 * (0.6 - 0.5))
    # In one bin gaps cancel: 0.78 on average, 0.6 right.
    assert ece(logits, labels, bins=1) == pytest.approx(0.78 - 0.6)
    assert ece(torch.tensor([[50.0, 0.0]]), torch.tensor([0])) == pytest.approx(0, abs=1e-9)


@pytest.mark.vouches("metrics/ece", paper="P238")
def test_a_bin_of_calibration_holds_its_upper_end():
    """Of two bins the first ends at one half: a confidence of 0.5 lies in it, one of 0.9 in the other, and gaps do not cancel."""
    logits = torch.tensor([[0.0, 0.0], [np.log(9), 0.0]], dtype=torch.float64)
    assert ece(logits, torch.tensor([0, 1]), bins=2) == pytest.approx((0.5 + 0.9) / 2)


@pytest.mark.vouches("metrics/ece", paper="P238")
def test_calibration_error_is_that_of_scikit_learns_curve():
    random = np.random.default_rng(0)
    logits = torch.from_numpy(random.normal(size=(3000, 5)) * 2)
    labels = torch.from_numpy(random.integers(0, 5, 3000))
    confidence, answer = logits.softmax(1).max(1)
    right = (answer == labels).numpy()
    accuracy, mean = calibration_curve(right, confidence.numpy(), n_bins=15)
    counts = np.histogram(confidence.numpy(), np.linspace(0, 1, 16))[0]
    expected = (np.abs(accuracy - mean) * counts[counts > 0]).sum() / 3000
    assert ece(logits, labels) == pytest.approx(expected)


class Ink(nn.Module):
    """Surer of class 1 the lighter the first pixel is; right above 0.5."""

    def forward(self, images):
        light = images[:, 0, 0, 0].clamp(0.01, 0.99)
        return torch.stack([1 - light, light], dim=1).log()


@pytest.mark.vouches("protocols/robustness_uncertainty", paper="P238")
def test_all_axes_of_a_hand_worked_network():
    def spoil(images, severity, generator):
        return torch.cat([torch.zeros_like(images[:severity]), images[severity:]])

    def darken(network, images, labels, generator, *, eps=0.4, clip=True):
        return images - torch.where(torch.arange(len(images)) < 3, 0.5, 0.0).reshape(-1, 1, 1, 1)

    def grey(draw):
        return TensorWorld(None, TensorSplit(torch.full((4, 1, 1, 1), 0.6), torch.zeros(4, dtype=torch.long), {}), (), {})

    def light(draw):
        return TensorWorld(None, TensorSplit(torch.full((4, 1, 1, 1), 0.95), torch.zeros(4, dtype=torch.long), {}), (), {})

    images = torch.full((10, 1, 1, 1), 0.8)
    test = TensorSplit(images, torch.ones(10, dtype=torch.long), {})
    train = TensorSplit(images, torch.tensor([1] * 8 + [0] * 2), {})
    recipe = {"objective": {"parameters": {"label_smoothing": 0.0}}, "budget": {"epochs": 8}}
    arm = SimpleNamespace(
        world=TensorWorld(train, test, ("no", "yes"), {}),
        network=Ink(),
        trained=SimpleNamespace(records={}, recipe=recipe),
        make=lambda world: world(None),
        generator=lambda *names: generator(crc32(repr(names).encode())),
        recipe=recipe,
    )
    rows = robustness_uncertainty(
        arm,
        foreign=[partial(grey), partial(light)],
        attack=partial(darken),
        score=msp,
        corruptions=[partial(spoil)],
        severities=[2, 4],
    )
    found = {row[:-1]: row[-1] for row in rows}
    assert found["top1",] == 1
    assert found["train_top1",] == pytest.approx(0.8)
    assert found["ece",] == pytest.approx(0.2)
    assert found["corrupted_error",] == found["error", "spoil"] == pytest.approx(0.3)
    assert found["adversarial",] == pytest.approx(0.7)
    assert found["masking",] == pytest.approx(0.7)  # one of ten tosses puts every image at 0.4: blind noise fools all, not 0.3
    assert found["auroc_set", "grey"] == 1
    assert found["auroc_set", "light"] == 0
    assert found["auroc",] == pytest.approx(0.5)
    assert found["passes",] == 8


def test_passes_count_the_steps_of_an_attack():
    def trained_against(**parameters):
        objective = {"parameters": {"attack": {"plug": "attacks/pgd", "parameters": parameters}}}
        return passes({"objective": objective, "budget": {"epochs": 5}})

    assert trained_against(steps=3) == 20
    assert trained_against() == 10
