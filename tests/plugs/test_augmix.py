"""AugMix: operations against PIL, the mix by its convex structure, the consistency loss and calibration error by hand."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from scipy.spatial.distance import jensenshannon
from scipy.special import softmax
from torch import nn

from assay.augment import _operations
from assay.augment.augmix import augmix, mix
from assay.augment.one_operation import one_operation
from assay.data.batch import Batch, TensorSplit, TensorWorld
from assay.errors import StudyError
from assay.language.plugs import describe
from assay.metrics.rms_calibration_error import rms_calibration_error
from assay.objectives.jsd import divergence, jsd
from assay.protocols.corrupted import corrupted

SIZE = 16


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def eight_bit(count: int = 4) -> np.ndarray:
    """(B, H, W, 3) smooth random images of 8-bit levels, not using the full range."""
    random = np.random.default_rng(0)
    small = random.integers(20, 220, (count, 5, 5, 3), dtype=np.uint8)
    return np.stack([np.asarray(Image.fromarray(image).resize((SIZE, SIZE), Image.Resampling.BICUBIC)) for image in small])


def tensor(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255


def batch(count: int = 8) -> Batch:
    images = tensor(eight_bit(count))
    labels = torch.arange(count) % 3
    return Batch(images, labels, F.one_hot(labels, 3).float(), torch.arange(count), images)


def in_pil(name: str, image: Image.Image, level: float, sign: int) -> Image.Image:
    """The operation as the authors call it from PIL, at a level in [0, 1]."""
    bilinear = Image.Resampling.BILINEAR
    turn, shear, move = sign * level * 30, sign * level * 0.3, sign * level * SIZE / 3
    affine = {
        "shear_x": (1, shear, 0, 0, 1, 0),
        "shear_y": (1, 0, 0, shear, 1, 0),
        "translate_x": (1, 0, move, 0, 1, 0),
        "translate_y": (1, 0, 0, 0, 1, move),
    }
    if name in affine:
        return image.transform((SIZE, SIZE), Image.Transform.AFFINE, affine[name], resample=bilinear)
    return {
        "autocontrast": lambda: ImageOps.autocontrast(image),
        "equalize": lambda: ImageOps.equalize(image),
        "posterize": lambda: ImageOps.posterize(image, 4 - int(level * 4)),
        "solarize": lambda: ImageOps.solarize(image, 256 - int(level * 256)),
        "rotate": lambda: image.rotate(turn, resample=bilinear),
    }[name]()


@pytest.mark.vouches("augment/augmix", paper="P194")
@pytest.mark.parametrize("name", _operations.OPERATIONS)
def test_operations_are_those_of_pil(name):
    """Up to one level, where PIL rounds to 8 bits on the way, on all but a few border pixels."""
    images = eight_bit()
    level, sign = torch.tensor([0.03, 0.17, 0.26, 0.29]), torch.tensor([1.0, -1.0, -1.0, 1.0])
    chosen = torch.full((4,), _operations.OPERATIONS.index(name))
    ours = _operations.apply(tensor(images), chosen, level, sign)
    theirs = [
        np.asarray(in_pil(name, Image.fromarray(image), float(strength), int(way)))
        for image, strength, way in zip(images, level, sign, strict=True)
    ]
    gap = (ours - tensor(np.stack(theirs))).abs() * 255
    assert (gap > 1.01).float().mean() < 0.004
    if name not in ("posterize", "solarize"):
        assert (ours - tensor(images)).abs().mean() > 0.005


@pytest.mark.vouches("augment/augmix", paper="P194")
@pytest.mark.parametrize("name", ["autocontrast", "equalize"])
def test_tones_are_pils_level_by_level(name):
    """On images of every darkest and lightest level, one or few levels among them."""
    generator = np.random.default_rng(0)
    ends = [(low, high) for low in range(0, 256, 5) for high in range(low, 256, 3)]
    images = np.stack([generator.integers(low, high + 1, (8, 8, 3), dtype=np.uint8) for low, high in ends])
    images[::7, :4] = images[::7, :1, :1]
    images[ends.index((10, 61)), ..., 0] = np.linspace(10, 61, 64).round().reshape(8, 8)
    apply = {"autocontrast": ImageOps.autocontrast, "equalize": ImageOps.equalize}[name]
    expected = np.stack([np.asarray(apply(Image.fromarray(image))) for image in images])
    ours = _operations.tone(name, tensor(images), torch.zeros(len(images)))
    assert (ours * 255).round().to(torch.uint8).permute(0, 2, 3, 1).equal(torch.from_numpy(expected))


@pytest.mark.vouches("augment/augmix", paper="P194")
def test_the_mix_is_convex_in_the_image_and_its_chains(monkeypatch):
    """With a stand-in operation that turns an image black, a mix is the image times 1 - m, so its weights can be read off."""
    monkeypatch.setattr(_operations, "random_operation", lambda images, severity, generator: torch.zeros_like(images))
    images = torch.ones(4000, 1, 1, 1)
    share = 1 - mix(images, 3.0, 3, None, 1.0, generator()).flatten()
    # m ~ Beta(1, 1) is uniform.
    np.testing.assert_allclose(np.quantile(share, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.03)


@pytest.mark.vouches("augment/augmix", paper="P194")
def test_chains_have_one_to_three_operations_and_dirichlet_weights(monkeypatch):
    """With an operation that adds one, an image of zeros becomes m * sum_i w_i * depth_i; its first two moments are known."""
    monkeypatch.setattr(_operations, "random_operation", lambda images, severity, generator: images + 1)
    zeros = torch.zeros(20000, 1, 1, 1)
    fixed = mix(zeros, 3.0, 3, 2, 1.0, generator()).flatten()
    np.testing.assert_allclose(fixed.mean(), 0.5 * 2, atol=0.02)  # weights sum to one, so only m is left
    np.testing.assert_allclose(fixed.var(), 4 / 12, atol=0.02)
    drawn = mix(zeros, 3.0, 3, None, 1.0, generator()).flatten()
    np.testing.assert_allclose(drawn.mean(), 0.5 * 2, atol=0.02)
    # E[m^2] E[(sum w d)^2] - 1 with E[m^2] = 1/3, E[(sum w d)^2] = 4 + (2/3) * E[sum w^2], E[sum w^2] = 2 / (3 + 1).
    np.testing.assert_allclose(drawn.var(), (4 + (2 / 3) * 0.5) / 3 - 1, atol=0.02)
    assert drawn.max() <= 3


@pytest.mark.vouches("augment/augmix", paper="P194")
def test_views_leave_the_clean_images_and_zero_views_replace_them():
    given = batch()
    seen = augmix(given, generator())
    assert seen.images is given.images
    assert len(seen.views) == 2
    assert not seen.views[0].equal(seen.views[1])
    for view in seen.views:
        assert view.shape == given.images.shape
        assert view.min() >= 0
        assert view.max() <= 1
    replaced = augmix(given, generator(), views=0)
    assert replaced.views == ()
    assert not replaced.images.equal(given.images)
    assert replaced.targets is given.targets


def test_same_generator_same_images():
    given = batch()
    for plug in (augmix, one_operation):
        first, second = plug(given, generator(3)), plug(given, generator(3))
        assert first.images.equal(second.images)
        assert all(a.equal(b) for a, b in zip(first.views, second.views, strict=True))


def test_one_operation_changes_images_and_keeps_labels():
    given = batch(40)
    changed = one_operation(given, generator())
    assert (changed.images != given.images).flatten(1).any(1).float().mean() > 0.9
    assert changed.targets is given.targets
    assert changed.images.min() >= 0
    assert changed.images.max() <= 1


def test_operations_share_no_name_with_the_test_corruptions():
    assert not set(_operations.OPERATIONS) & set(describe("protocols", "corrupted").parameters["corruptions"].default)


@pytest.mark.vouches("objectives/jsd", paper="P194")
def test_divergence_is_scipys_for_two_views_and_entropy_gap_for_three():
    torch.manual_seed(0)
    logits = 3 * torch.randn(3, 7, 5, dtype=torch.float64)
    chances = softmax(logits.numpy(), axis=-1)
    two = np.mean([jensenshannon(p, q) ** 2 for p, q in zip(chances[0], chances[1], strict=True)])
    np.testing.assert_allclose(divergence(logits[:2]), two, rtol=1e-9)
    entropy = -(chances * np.log(chances)).sum(-1)
    average = chances.mean(0)
    three = (-(average * np.log(average)).sum(-1) - entropy.mean(0)).mean()
    np.testing.assert_allclose(divergence(logits), three, rtol=1e-9)


@pytest.mark.vouches("objectives/jsd", paper="P194")
def test_divergence_has_its_two_extremes():
    certain = 100 * torch.eye(3).unsqueeze(1)
    np.testing.assert_allclose(divergence(certain), np.log(3), rtol=1e-5)
    np.testing.assert_allclose(divergence(certain[:1].repeat(3, 1, 1)), 0, atol=1e-6)


@pytest.mark.vouches("objectives/jsd", paper="P194")
def test_loss_is_clean_cross_entropy_plus_twelve_divergences():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE * SIZE, 3))
    seen = augmix(batch(), generator())
    answers = torch.stack([network(images) for images in (seen.images, *seen.views)])
    expected = F.cross_entropy(answers[0], seen.labels) + 12 * divergence(answers)
    torch.testing.assert_close(jsd(network, seen), expected)


def test_loss_without_views_says_what_to_add():
    with pytest.raises(StudyError, match="augmix"):
        jsd(nn.Identity(), batch())


def confident(confidence: list[float], correct: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Two-class logits with these confidences, and labels that make these answers right."""
    chance = torch.tensor(confidence, dtype=torch.float64)
    logits = torch.stack([chance.log(), (1 - chance).log()], dim=1)
    return logits, 1 - torch.tensor(correct)


@pytest.mark.vouches("metrics/rms_calibration_error", paper="P194")
def test_calibration_error_by_hand():
    """Sorted into bins of two: confidences .6 .7 right half the time, .8 .9 always; gaps .15 and .15, then .15 and -.35."""
    shuffled = [2, 0, 3, 1]
    confidence, correct = np.array([0.6, 0.7, 0.8, 0.9]), np.array([1, 0, 1, 1])
    logits, labels = confident(confidence[shuffled].tolist(), correct[shuffled].tolist())
    assert rms_calibration_error(logits, labels, bin_size=2) == pytest.approx(0.15)
    logits, labels = confident(confidence[shuffled].tolist(), np.array([1, 0, 1, 0])[shuffled].tolist())
    assert rms_calibration_error(logits, labels, bin_size=2) == pytest.approx(np.sqrt((0.15**2 + 0.35**2) / 2))
    assert rms_calibration_error(logits, labels, bin_size=100) == pytest.approx(0.25)


@pytest.mark.vouches("metrics/rms_calibration_error", paper="P194")
def test_answers_drawn_with_their_own_confidence_are_calibrated_and_sharpened_ones_are_not():
    torch.manual_seed(0)
    logits = 2 * torch.randn(20000, 4)
    labels = torch.multinomial(logits.softmax(1), 1).squeeze(1)
    assert rms_calibration_error(logits, labels) < 0.06  # what bins of 100 leave by chance
    assert rms_calibration_error(3 * logits, labels) > 0.2


@pytest.mark.vouches("protocols/corrupted", paper="P194")
@pytest.mark.vouches("protocols/corrupted", paper="P095")
def test_corruption_measures_of_a_hand_worked_network():
    """Severity s of the first corruption spoils s of ten images, the second spoils none; a spoilt image is answered wrongly."""

    def spoil(images, severity, generator):
        return torch.cat([torch.zeros_like(images[:severity]), images[severity:]])

    def keep(images, severity, generator):
        return images

    class Answer(nn.Module):
        def forward(self, images):
            return torch.stack([1 - images[:, 0, 0, 0], images[:, 0, 0, 0]], dim=1) * 50

    images = torch.ones(10, 1, 1, 1)
    split = TensorSplit(images, torch.ones(10, dtype=torch.long), {})
    arm = SimpleNamespace(
        world=TensorWorld(split, split, ("no", "yes"), {}), network=Answer(), generator=lambda *names: generator()
    )
    rows = list(corrupted(arm, corruptions=[partial(spoil), partial(keep)], severities=[2, 4]))
    measured = {row[:-1]: row[-1] for row in rows}
    assert measured["top1",] == 1
    assert measured["rms",] == pytest.approx(0)
    assert measured["mce", 2] == pytest.approx(0.1)
    assert measured["mce", 4] == pytest.approx(0.2)
    assert measured["mce",] == pytest.approx(0.15)
    assert measured["error", "spoil"] == pytest.approx(0.3)
    assert measured["error", "keep"] == 0
    # Certain answers of which 10% and 20% are wrong, in one bin each.
    assert measured["corrupted_rms",] == pytest.approx(0.15)
