"""BlurPool networks against timm's own anti-aliased ResNet and sampling theory, and shift consistency by hand."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn

from assay.data.batch import TensorSplit, TensorWorld
from assay.models.blurpool_resnet import blurpool_resnet
from assay.models.resnet import resnet
from assay.protocols.shift_consistency import agreement, cropped, rolled, shift_consistency

from timm.layers import BlurPool2d  # isort: skip  (after the shim that the models import)
from timm.models.resnet import BasicBlock  # isort: skip

BINOMIAL = {3: [1, 2, 1], 5: [1, 4, 6, 4, 1], 7: [1, 6, 15, 20, 15, 6, 1]}


def network(**parameters) -> nn.Module:
    torch.manual_seed(0)
    return blurpool_resnet(3, 10, 16, **parameters).eval()


def images(count: int = 4, size: int = 16) -> torch.Tensor:
    torch.manual_seed(1)
    return torch.rand(count, 3, size, size)


def twin(block: nn.Module, aa_layer) -> BasicBlock:
    """timm's block of the same weights with timm's own anti-aliasing and the given shortcut."""
    theirs = BasicBlock(8, 16, stride=2, downsample=block.downsample, aa_layer=aa_layer).eval()
    theirs.load_state_dict(block.state_dict())
    return theirs


@pytest.mark.vouches("models/blurpool_resnet", paper="P244")
@pytest.mark.parametrize("taps", [3, 5])
def test_blocks_are_those_timm_anti_aliases(taps):
    block = network(taps=taps).layer2[0]
    theirs = twin(block, partial(BlurPool2d, filt_size=taps, pad_mode="replicate"))
    features = torch.rand(4, 8, 8, 8)
    torch.testing.assert_close(block(features), theirs(features))


@pytest.mark.vouches("models/blurpool_resnet", paper="P244")
@pytest.mark.parametrize("taps", [3, 5, 7])
def test_max_pooling_becomes_dense_max_then_binomial_blur_then_every_second_pixel(taps):
    features = torch.rand(2, 8, 16, 16)
    dense = ndimage.maximum_filter(features.numpy(), (1, 1, 3, 3), mode="constant", cval=-np.inf)
    kernel = np.array(BINOMIAL[taps]) / sum(BINOMIAL[taps])
    blurred = ndimage.convolve1d(ndimage.convolve1d(dense, kernel, axis=2, mode="nearest"), kernel, axis=3, mode="nearest")
    np.testing.assert_allclose(network(taps=taps).maxpool(features), blurred[..., ::2, ::2], atol=1e-6)
    late = network(taps=taps, place="after").maxpool(features)
    small = dense[..., ::2, ::2]
    expected = ndimage.convolve1d(ndimage.convolve1d(small, kernel, axis=2, mode="nearest"), kernel, axis=3, mode="nearest")
    np.testing.assert_allclose(late, expected, atol=1e-6)


@pytest.mark.vouches("models/blurpool_resnet", paper="P244")
def test_shortcuts_are_blurred_before_they_are_subsampled():
    """The finest stripes alias to a constant when every second pixel is taken; a binomial filter removes them exactly."""
    stripes = torch.tensor([0.0, 1.0]).repeat(8).expand(1, 8, 16, 16)
    flat = torch.full((1, 8, 16, 16), 0.5)
    inside = slice(1, -1)  # borders are replicated
    for place, alias in (("before", False), ("after", True)):
        shortcut = network(taps=3, place=place).layer2[0].downsample[0]
        equal = torch.allclose(shortcut(stripes)[..., inside, inside], shortcut(flat)[..., inside, inside], atol=1e-6)
        assert equal != alias


@pytest.mark.vouches("models/blurpool_resnet", paper="P244")
def test_arms_differ_in_filters_alone():
    plain = network(taps=1)
    reference = plain.state_dict()
    for parameters in ({"taps": 3}, {"taps": 5}, {"taps": 7}, {"taps": 3, "place": "after"}):
        other = network(**parameters)
        values = list(other.state_dict().values())
        assert all(a.equal(b) for a, b in zip(reference.values(), values, strict=True))
        assert other.forward_features(images()).shape == plain.forward_features(images()).shape
        assert not torch.allclose(other(images()), plain(images()))
    torch.manual_seed(0)
    pooled = resnet(3, 10, 16).eval()
    pooled.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
    assert plain(images()).equal(pooled(images()))


def inconsistency(model: nn.Module) -> float:
    """Mean square change of the logits when the image moves by one pixel, against their variance over images."""
    torch.manual_seed(2)
    noise = torch.rand(64, 3, 32, 32)
    with torch.no_grad():
        here, there = model(noise), model(noise.roll((1, 1), (2, 3)))
    return float((here - there).square().mean() / here.var(0).mean())


@pytest.mark.vouches("models/blurpool_resnet", paper="P244")
def test_untrained_logits_move_less_with_the_image_the_wider_the_filter():
    """On noise, whose spectrum is flat, nearly all of the change under shifts is aliasing."""
    strided, three, five = (inconsistency(network(taps=taps)) for taps in (1, 3, 5))
    assert five < three < strided
    assert inconsistency(network(taps=3, place="after")) > three


class Peak(nn.Module):
    """Answers the row of the brightest pixel, over `cells` rows."""

    def __init__(self, cells: int):
        super().__init__()
        self.cells = cells

    def forward(self, images):
        row = images.amax((1, 3)).argmax(1)
        return nn.functional.one_hot(row * self.cells // images.shape[2], self.cells).float()


def arm(model: nn.Module, size: int = 8) -> SimpleNamespace:
    point = torch.zeros(1, 1, size, size)
    point[..., 4, 4] = 1
    split = TensorSplit(point, torch.tensor([1]), {})
    return SimpleNamespace(
        world=TensorWorld(split, split, ("top", "bottom"), {}), network=model, generator=lambda *names: torch.Generator()
    )


@pytest.mark.vouches("protocols/shift_consistency", paper="P244")
def test_consistency_of_a_network_that_reads_the_row():
    """A point in row 4 of 8, shifted by 0 to 4, lies in rows 4 5 6 7 (bottom half) and 0 (top), whatever the columns.

    Of the pairs of the 25 shifts, those within the 20 or within the 5 agree. At distance 4 in the larger coordinate, rows
    (0, 4) disagree (25 pairs of columns), and pairs with columns 4 apart disagree when exactly one row is 4 (8 of 25).
    """

    def dark(images, severity, generator):
        return torch.zeros_like(images)

    measured = {row[:-1]: row[-1] for row in shift_consistency(arm(Peak(2)), corruptions=[partial(dark)])}
    assert measured["top1",] == 1
    assert measured["consistency",] == pytest.approx((190 + 10) / 300)
    far = [(abs(a - c), abs(b - d), a == 4, c == 4) for a in range(5) for b in range(5) for c in range(5) for d in range(5)]
    same = [first == second for down, right, first, second in far if max(down, right) == 4]
    assert measured["consistency", 4] == pytest.approx(sum(same) / len(same))
    # Windows of 4 x 4 hold the point unless they begin at row or column 0, and in their lower half if they begin at row 1 or 2:
    # 8 of the 25 answer 1.
    assert measured["cropped_consistency",] == pytest.approx((28 + 136) / 300)
    assert measured["corrupted_top1",] == 0


@pytest.mark.vouches("protocols/shift_consistency", paper="P244")
def test_agreement_is_the_share_of_equal_pairs():
    answers = torch.randint(0, 3, (50, 3, 3), generator=torch.Generator().manual_seed(0))
    counts = torch.stack([(answers.flatten(1) == k).sum(1) for k in range(3)]).double()
    assert agreement(answers) == pytest.approx(float((counts * (counts - 1)).sum(0).mean() / (9 * 8)))
    assert agreement(torch.ones(4, 5, 5), 2) == 1


def test_shifts_keep_what_they_say():
    given = images(2, 8)
    assert rolled(given, 1, 2, 4)[:, :, 1:, 2:].equal(given[:, :, :-1, :-2])
    assert cropped(given, 1, 2, 4).equal(given[:, :, 1:5, 2:6])
