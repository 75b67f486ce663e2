"""Corruption and perturbation benchmarks: their numbers worked out by hand, their films against scipy and scikit-image."""

from functools import cache, partial

import numpy as np
import pytest
import torch
from fake_arm import FakeArm
from scipy import ndimage
from skimage import color, data, exposure, transform
from torch import nn

from assay.corruptions import _common, _sequences, gaussian_noise
from assay.corruptions._sequences import SEQUENCES, UNORDERED
from assay.data.batch import TensorSplit, TensorWorld
from assay.errors import StudyError
from assay.metrics.flip_probability import flip_probability
from assay.metrics.mce import mce
from assay.metrics.relative_mce import relative_mce
from assay.models.equalised import Equalised, equalise
from assay.models.resnet import resnet
from assay.protocols import common_corruptions as module
from assay.protocols.common_corruptions import common_corruptions
from assay.training.network import Trained

FRAMES = 7


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@cache
def photographs() -> torch.Tensor:
    """(4, 3, 16, 16) parts of a photograph."""
    cat = data.chelsea()[:200, :400].reshape(2, 100, 4, 100, 3).swapaxes(1, 2).reshape(8, 100, 100, 3)[:4]
    small = np.stack([transform.resize(part, (16, 16), anti_aliasing=True) for part in cat])
    return torch.from_numpy(small).permute(0, 3, 1, 2).float()


ERRORS = torch.tensor([[0.2, 0.4], [0.5, 0.7]]).double()
REFERENCE = torch.tensor([[0.4, 0.8], [0.5, 0.5]]).double()


@pytest.mark.vouches("metrics/mce", paper="P095")
def test_mce_is_a_mean_of_ratios_of_sums():
    # 0.6 / 1.2 and 1.2 / 1.0; neither the ratio of all sums, 1.8 / 2.2, nor the mean of four ratios, 0.85 by chance near it.
    assert mce(ERRORS, REFERENCE) == pytest.approx((0.5 + 1.2) / 2)
    assert mce(REFERENCE, REFERENCE) == pytest.approx(1)
    assert mce(ERRORS[:1], torch.zeros(1, 2), least=0.1) == pytest.approx(6)


@pytest.mark.vouches("metrics/relative_mce", paper="P095")
def test_relative_mce_counts_what_is_added_to_the_clean_error():
    # (0.6 - 0.2) / (1.2 - 0.6) and (1.2 - 0.2) / (1.0 - 0.6)
    assert relative_mce(ERRORS, 0.1, REFERENCE, 0.3) == pytest.approx((2 / 3 + 2.5) / 2)
    assert relative_mce(REFERENCE, 0.3, REFERENCE, 0.3) == pytest.approx(1)
    # A network that is better on every image, clean or not, by the same amount is not robuster.
    assert relative_mce(REFERENCE - 0.2, 0.1, REFERENCE, 0.3) == pytest.approx(1)
    assert relative_mce(ERRORS[:1], 0.1, torch.full((1, 2), 0.3), 0.3, least=0.1) == pytest.approx(4)


@pytest.mark.vouches("metrics/flip_probability", paper="P095")
def test_flips_are_counted_between_neighbours_or_from_the_first():
    answers = torch.tensor([[0, 5], [1, 5], [0, 5], [0, 5], [2, 6]])
    assert flip_probability(answers) == pytest.approx(4 / 8)
    assert flip_probability(answers, against="first") == pytest.approx(3 / 8)


class Ink(nn.Module):
    """Answers 1 where the first pixel is lighter than a threshold."""

    def __init__(self, threshold: float):
        super().__init__()
        self.threshold = threshold

    def forward(self, images):
        light = (images[:, 0, 0, 0] > self.threshold).float()
        return torch.stack([1 - light, light], dim=1)


def darken(images, severity, generator):
    """Severity s darkens s of ten images by 0.4."""
    return torch.cat([images[:severity] - 0.4, images[severity:]])


def blacken(images, severity, generator):
    """Severity s blackens s of ten images."""
    return torch.cat([torch.zeros_like(images[:severity]), images[severity:]])


def arm_of(network, count=10):
    images = torch.full((count, 1, 1, 1), 0.8)
    split = TensorSplit(images, torch.ones(count, dtype=torch.long), {})
    return FakeArm(
        name="arm", world=TensorWorld(split, split, ("no", "yes"), {}), network=network, generator=lambda *names: generator()
    )


def measured(network, reference, **settings):
    return {row[:-1]: row[-1] for row in common_corruptions(arm_of(network), reference=Trained(reference), **settings)}


@pytest.mark.vouches("protocols/common_corruptions", paper="P095")
@pytest.mark.vouches("protocols/common_corruptions", paper="P090")
def test_a_hand_worked_network_beside_a_hand_worked_reference():
    """0.8 darkened is 0.4: below the reference's threshold, not below the network's."""
    corruptions = [partial(darken), partial(blacken)]
    found = measured(Ink(0.3), Ink(0.5), corruptions=corruptions, severities=[2, 4])
    assert found["top1",] == 1
    assert found["error", "darken"] == 0
    assert found["error", "blacken"] == pytest.approx(0.3)
    assert found["corrupted_error",] == pytest.approx(0.15)
    assert found["mce",] == pytest.approx(0.5)
    assert found["relative_mce",] == pytest.approx(0.5)
    # A strength for each corruption.
    found = measured(Ink(0.3), Ink(0.5), corruptions=corruptions, severities={"darken": 1, "blacken": 5})
    assert found["error", "blacken"] == pytest.approx(0.5)
    # A network that is wrong on all clean images loses nothing, however wrong it stays.
    found = measured(Ink(0.9), Ink(0.5), corruptions=corruptions, severities=[2, 4])
    assert found["mce",] == pytest.approx(1 / 0.3)
    assert found["relative_mce",] == pytest.approx(0)
    with pytest.raises(StudyError, match="none for blacken, only for darken"):
        measured(Ink(0.3), Ink(0.5), corruptions=corruptions, severities={"darken": 1})


@pytest.mark.vouches("protocols/common_corruptions", paper="P095")
def test_ratios_that_rest_on_too_few_images_of_the_reference_are_left_out():
    """Of ten images the reference loses 1 + 3 to darkening and all ten of each to darkness; the network only the latter."""

    def dark(images, severity, generator):
        return torch.zeros_like(images)

    settings = {"corruptions": [partial(darken), partial(dark)], "severities": [1, 3]}
    whole = measured(Ink(0.3), Ink(0.5), **settings)
    assert (whole["mce",], whole["relative_mce",]) == (0.5, 0.5)
    assert ("ratios", "mce") not in whole
    for at_least, kept in ((4, 2), (5, 1), (20, 1)):
        found = measured(Ink(0.3), Ink(0.5), at_least=at_least, **settings)
        assert found["ratios", "mce"] == found["ratios", "relative_mce"] == kept
        assert found["mce",] == found["relative_mce",] == {2: 0.5, 1: 1}[kept]
    # Where none counts, the one that rests on most is left: darkness.
    none = measured(Ink(0.3), Ink(0.5), at_least=21, **settings)
    assert (none["ratios", "mce"], none["mce",], none["relative_mce",]) == (0, 1, 1)
    # A reference that is wrong on clean images errs on all, and loses nothing.
    wrong = measured(Ink(0.3), Ink(0.9), at_least=20, **settings)
    assert (wrong["ratios", "mce"], wrong["ratios", "relative_mce"]) == (2, 0)
    assert wrong["mce",] == 0.5
    assert wrong["relative_mce",] == 0


def fading(images, frames, generator):
    return torch.stack([images * (1 - step / 10) for step in range(frames)])


class Blinking(nn.Module):
    """Answers 1, which is right, at even multiples of 0.08."""

    def forward(self, images):
        odd = ((images[:, 0, 0, 0] / 0.08).round() % 2).float()
        return torch.stack([odd, 1 - odd], dim=1)


def faded(images, severity, generator):
    """Every image a step darker, which the blinking network takes for another class."""
    return images - 0.08


@pytest.mark.vouches("protocols/common_corruptions", paper="P095")
def test_flips_of_a_hand_worked_network(monkeypatch):
    """The film fades; the network's answer changes once in nine steps, the reference's answers blink."""
    monkeypatch.setitem(module.SEQUENCES, "brightness", fading)
    monkeypatch.setitem(module.SEQUENCES, "gaussian_noise", fading)
    settings = {"corruptions": [partial(blacken)], "severities": [1], "frames": 10}
    found = measured(Ink(0.3), Blinking(), perturbations=["brightness", "gaussian_noise"], **settings)
    assert found["flip_probability", "brightness"] == pytest.approx(1 / 9)
    # 0.8 (1 - s / 10) is below 0.3 for s of 7 to 9, so three of nine frames differ from the first.
    assert found["flip_probability", "gaussian_noise"] == pytest.approx(3 / 9)
    assert found["flip_probability",] == pytest.approx(2 / 9)
    # The reference flips at every step, and differs from the first frame in five of nine.
    assert found["mfr",] == pytest.approx((1 / 9 + (3 / 9) / (5 / 9)) / 2)
    # A network that never flips is taken to have one flip in the 90 steps of ten films.
    found = measured(Ink(-1), Blinking(), perturbations=["brightness", "gaussian_noise"], **settings)
    assert found["flip_probability",] == 0
    assert found["mfr",] == pytest.approx((1 / 90 + (1 / 90) / (5 / 9)) / 2)
    # Ten films: the reference has 90 flips between neighbours and 50 from the first frame.
    for at_least, kept, expected in ((50, 2, (1 / 9 + 3 / 5) / 2), (51, 1, 1 / 9), (90, 1, 1 / 9)):
        often = settings | {"corruptions": [partial(faded)], "severities": [1] * 10, "at_least": at_least}
        found = measured(Ink(0.3), Blinking(), perturbations=["brightness", "gaussian_noise"], **often)
        assert found["ratios", "mfr"] == kept
        assert found["mfr",] == pytest.approx(expected)
    found = measured(Ink(0.3), Blinking(), perturbations=["gaussian_noise", "brightness"], **often | {"at_least": 91})
    assert found["ratios", "mfr"] == 0
    assert found["mfr",] == pytest.approx(1 / 9)  # of brightness, in whose films the reference flips most


@pytest.mark.vouches("protocols/common_corruptions", paper="P090")
def test_accuracy_under_attack():
    def black_half(network, images, labels, generator):
        return torch.cat([torch.zeros_like(images[:5]), images[5:]])

    found = measured(Ink(0.3), Ink(0.5), corruptions=[partial(blacken)], severities=[1], attack=black_half)
    assert found["adversarial",] == pytest.approx(0.5)
    assert found["masking",] == 0


@pytest.mark.vouches("protocols/common_corruptions", paper="P090")
def test_an_attack_that_works_only_by_way_of_the_reference_shows_masked_gradients():
    def where_it_sees(network, images, labels, generator):
        """Blackens three images by the network itself, four by the other."""
        return blacken(images, 3 if network.threshold == 0.3 else 4, generator)

    found = measured(Ink(0.3), Ink(0.5), corruptions=[partial(blacken)], severities=[1], attack=where_it_sees)
    assert found["adversarial",] == pytest.approx(0.7)
    assert found["masking",] == pytest.approx(0.1)


def test_every_named_film_may_be_asked_for():
    parameter = next(p for p in module.common_corruptions.__annotations__.items() if p[0] == "perturbations")[1]
    assert set(parameter.__args__[0].__args__) == set(SEQUENCES)
    assert set(UNORDERED) < set(SEQUENCES)


@pytest.mark.parametrize("name", SEQUENCES)
def test_films_have_frames_in_range_and_move_little_by_little(name):
    for images in (photographs(), photographs()[:, :1]):
        film = SEQUENCES[name](images, FRAMES, generator())
        assert film.shape == (FRAMES, *images.shape)
        assert film.min() >= 0
        assert film.max() <= 1
        assert film.equal(SEQUENCES[name](images, FRAMES, generator()))
        steps = (film[1:] - film[:-1]).square().mean((1, 2, 3, 4))
        assert (steps > 0).all()
        if name not in UNORDERED:
            assert (film[-1] - film[0]).square().mean() > 2 * steps.mean()


@pytest.mark.parametrize("name", UNORDERED)
def test_films_of_noise_start_clean_and_draw_each_frame_anew(name):
    film = SEQUENCES[name](photographs(), FRAMES, generator())
    assert film[0].equal(photographs())
    noise = (film[1:] - photographs()).flatten(1)
    assert abs(float(torch.corrcoef(noise).triu(1).sum())) / 15 < 0.1
    if name == "gaussian_noise":
        inner = (photographs() > 0.2) & (photographs() < 0.8)
        deviation = (film[1:] - photographs())[:, inner].std()
        np.testing.assert_allclose(deviation, gaussian_noise.DEVIATION[0], rtol=0.1)


def warped(inverse) -> np.ndarray:
    """All photographs read by scikit-image at what `inverse` makes of positions in pixels from the middle."""

    def map_of(coordinates):
        return inverse(coordinates - 7.5) + 7.5

    pictures = photographs().permute(0, 2, 3, 1).double().numpy()
    read = [transform.warp(picture, map_of, order=1, mode="symmetric") for picture in pictures]
    return np.stack(read).transpose(0, 3, 1, 2)


def test_films_of_motion_are_scikit_images_warps():
    films = {name: SEQUENCES[name](photographs(), FRAMES, generator()) for name in ("translate", "rotate", "tilt", "scale")}
    shift = _sequences.DRIFT * 16 * 2 / (FRAMES - 1)
    expected = ndimage.shift(photographs().numpy(), (0, 0, 0, shift), order=1, mode="reflect")
    np.testing.assert_allclose(films["translate"][2], expected, atol=1e-5)
    for frame, degrees in ((0, -_sequences.TURN), (FRAMES - 1, _sequences.TURN)):
        turn = transform.AffineTransform(rotation=np.deg2rad(degrees))
        np.testing.assert_allclose(films["rotate"][frame], warped(turn.inverse), atol=1e-4)
    tilt = transform.ProjectiveTransform(np.array([[1, 0, 0], [0, 1, 0], [_sequences.TILT / 16, _sequences.TILT / 16, 1]]))
    np.testing.assert_allclose(films["tilt"][-1], warped(tilt), atol=1e-4)
    nearer = transform.AffineTransform(scale=1 / _sequences.SCALED)
    np.testing.assert_allclose(films["scale"][-1], warped(nearer), atol=1e-4)
    for name in ("translate", "tilt", "scale"):
        torch.testing.assert_close(films[name][0], photographs(), atol=1e-5, rtol=0)


def test_films_of_light_and_blur():
    brighter = SEQUENCES["brightness"](photographs(), FRAMES, generator())
    hsv = color.rgb2hsv(photographs().numpy(), channel_axis=1)
    hsv[:, 2] = np.clip(hsv[:, 2] + _sequences.BRIGHTER / 2, 0, 1)
    np.testing.assert_allclose(brighter[FRAMES // 2], color.hsv2rgb(hsv, channel_axis=1), atol=1e-5)
    zoomed = SEQUENCES["zoom_blur"](photographs(), 3, generator())
    parts = [_common.zoom(photographs(), factor) for factor in np.linspace(1, _sequences.ZOOMED, 3)]
    torch.testing.assert_close(zoomed[2], sum(parts) / 3)
    level = SEQUENCES["motion_blur"](photographs(), 3, generator())[1]
    torch.testing.assert_close(level, _common.streak(photographs(), torch.zeros(4), _sequences.STREAK * 16).clamp(0, 1))


def test_snow_sinks():
    black = torch.zeros(1, 1, 32, 32)
    film = SEQUENCES["snow"](black, 2, generator(3))[:, 0, 0]
    # The flakes also fall upside down; what sinks below the middle of the first frame is found lower in the last.
    sunk = round(_sequences.DRIFT * 32)
    layer, white = _sequences.snow.fallen(black, _sequences.MILDEST, generator(3))
    moved = torch.zeros_like(layer)
    moved[:, :, sunk:] = layer[:, :, :-sunk]
    moved[:, :, :sunk] = layer[:, :, :sunk].flip(2)  # mirrored in at the top
    torch.testing.assert_close(film[1], _sequences.snow.covered(black, moved, white)[0, 0], atol=1e-5, rtol=0)


@pytest.mark.vouches("models/equalised", paper="P095")
def test_equalisation_is_scikit_images():
    levels = (photographs() * 255).round().to(torch.uint8)
    ours = equalise(levels.float())
    for picture, mine in zip(levels.numpy(), ours.numpy(), strict=True):
        for channel in range(3):
            np.testing.assert_allclose(mine[channel], exposure.equalize_hist(picture[channel]), atol=1e-6)


@pytest.mark.vouches("models/equalised", paper="P095")
def test_an_equalised_network_does_not_see_increasing_changes_of_grey_values():
    torch.manual_seed(0)
    model = Equalised(3, 10, 16, of=resnet).eval()
    images = photographs()
    changed = 0.3 + 0.4 * images**2
    seen = model.view(torch.rand(2, 3, 64, 64))  # of different values: mean 0 and deviation 1 in every channel
    torch.testing.assert_close(seen.mean((2, 3)), torch.zeros(2, 3), atol=1e-3, rtol=0)
    torch.testing.assert_close(seen.std((2, 3)), torch.ones(2, 3), atol=1e-3, rtol=0)
    with torch.no_grad():
        torch.testing.assert_close(model(images), model(changed))
        assert not torch.allclose(model(images), model.inner(images))
        hidden = model.forward_head(model.forward_features(images), pre_logits=True)
        torch.testing.assert_close(model.get_classifier()(hidden), model(images))
