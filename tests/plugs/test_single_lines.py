"""Single lines of methods that larger tests pass over, each by a case worked by hand or by an invariant."""

from functools import partial
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fake_arm import FakeArm
from torch import nn

from assay.attacks._evolution import Cppn, Direct, Fresh
from assay.attributions.gradient_x_input import gradient_x_input
from assay.attributions.smoothgrad import smoothgrad
from assay.corruptions.stripe import stripe
from assay.data.batch import TensorSplit, TensorWorld
from assay.data.seeds import Draw
from assay.errors import StudyError
from assay.metrics.azimuthal_spectrum import azimuthal_spectrum
from assay.models import timm as timm_models
from assay.models.allconv import AllConv
from assay.protocols import generalisation, ood, sample_complexity
from assay.protocols._first_layer import first_filters
from assay.protocols.adversarial import adversarial
from assay.protocols.explainability import explainability
from assay.protocols.fooling import _encoding
from assay.protocols.level_set import paired
from assay.protocols.localisation import localisation
from assay.protocols.robustness_uncertainty import passes
from assay.protocols.spectra import images_from
from assay.surgery._averaging import soup
from assay.training.network import Network, Trained
from assay.worlds import defects as surfaces
from assay.worlds import fractals
from assay.worlds._sources import arrays
from assay.worlds.cue_conflict import _another
from assay.worlds.digits import digits
from assay.worlds.dsd import dsd
from assay.worlds.fashion_mnist import fashion_mnist
from assay.worlds.frequency_cues import frequency_cues
from assay.worlds.mnist import mnist
from assay.worlds.noise_images import noise_images
from assay.worlds.random_labels import random_labels
from assay.worlds.shapes import shapes
from assay.worlds.spectrum_noise import spectrum_noise

CPU = torch.device("cpu")


def arm_of(network, world, **changes):
    given = {
        "name": "a",
        "seed": 0,
        "device": CPU,
        "network": network,
        "trained": Trained(network),
        "world": world,
        "generator": lambda *names: torch.Generator().manual_seed(0),
        "kept": {},
    }
    arm = FakeArm(**{**given, **changes})
    arm.keep = lambda name, array: arm.kept.__setitem__(name, array)
    return arm


def linear(features: int = 12, classes: int = 2) -> Network:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(features, classes))
    return Network(model, torch.zeros(3), torch.ones(3)).eval().requires_grad_(False)


def world_of(images, labels, classes=("a", "b"), **factors) -> TensorWorld:
    split = TensorSplit(images, labels, factors)
    return TensorWorld(split, split, classes, {})


class Product(nn.Module):
    """Logits whose first is the sum over pixels of red times green."""

    def forward(self, images):
        product = (images[:, 0] * images[:, 1]).flatten(1).sum(1)
        return torch.stack([product, 0 * product], 1)


def test_smoothgrads_noise_is_another_in_each_channel():
    """The gradient of red times green in red is green with noise, in green red with noise: equal where the noise is shared."""
    images = torch.full((1, 3, 4, 4), 0.5)
    images[0, 2, 0, 0] = 0.0  # a range for the noise to be a share of
    maps = smoothgrad(Product(), images, torch.tensor([0]), deviation=0.3, samples=4)
    assert not torch.allclose(maps[:, 0], maps[:, 1])


def test_the_maps_of_allconv_have_half_the_resolution():
    model = AllConv(3, 5, 12, width=2)
    assert model.forward_features(torch.rand(2, 3, 12, 12)).shape == (2, 8, 6, 6)
    layers = [layer for layer in model.stack if isinstance(layer, nn.Conv2d)]
    assert [layer.stride for layer in layers] == [(1, 1), (2, 2), (1, 1), (1, 1)]
    assert [layer.out_channels for layer in layers] == [2, 4, 8, 8]


def test_a_grey_image_has_the_spectrum_of_its_equal_channels():
    images = torch.rand(3, 1, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(azimuthal_spectrum(images), azimuthal_spectrum(images.expand(-1, 3, -1, -1)), atol=1e-3, rtol=0)


@pytest.mark.parametrize(("channels", "expected"), [(1, [2.0]), (2, [1.0, 2.0]), (3, [1.0, 2.0, 3.0]), (5, [1.0, 2, 3, 1, 2])])
def test_statistics_of_three_colours_for_other_channels(channels, expected):
    assert timm_models._by_channel((1.0, 2.0, 3.0), channels).tolist() == expected


def test_stripes_are_sixteenths_of_the_width():
    images = torch.zeros(1, 1, 2, 160)
    for severity in range(1, 6):
        inverted = stripe(images, severity, torch.Generator())[0, 0, 0]
        assert inverted.nonzero().flatten().tolist() == [*range(10 * severity), *range(160 - 10 * severity, 160)]


def test_a_traced_way_passes_the_image_itself_in_its_middle():
    network = linear()
    images = torch.rand(6, 3, 2, 2)
    arm = arm_of(network, world_of(images, torch.tensor([0, 1] * 3)))
    attack = lambda network, images, labels, generator, eps, clip=True: images + eps  # noqa: E731
    list(adversarial(arm, attack=partial(attack, clip=True), eps=[0.1]))
    trace = arm.kept["trace"]
    assert len(trace) % 2 == 1
    np.testing.assert_allclose(trace[len(trace) // 2], network(images)[0].numpy(), atol=1e-6)


def test_boxes_are_of_the_heat_above_its_least_value():
    """A map of 0.5 with a square of 1 has its box around the square, as has one of 0 with a square of 0.5."""
    images = torch.rand(2, 3, 16, 16)
    mask = torch.zeros(2, 16, 16, dtype=torch.uint8)
    mask[:, 4:9, 5:11] = 1
    boxes = torch.tensor([[[5, 4, 11, 9]]] * 2)
    arm = arm_of(linear(768), world_of(images, torch.tensor([0, 1]), mask=mask, boxes=boxes))
    attribution = lambda network, images, targets: 0.5 + 0.5 * mask[:, None].float()  # noqa: E731
    found = dict(explainability(arm, attribution=attribution, count=2, steps=2))
    assert found["overlap"] == found["pointing"] == 1


def test_localisation_keeps_the_filters_of_the_first_layer():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    network = Network(model, torch.zeros(3), torch.ones(3)).eval().requires_grad_(False)
    masks = torch.zeros(2, 2, 12, 12, dtype=torch.uint8)
    masks[:, 0, :4], masks[:, 1, 8:] = 1, 1
    boxes = torch.tensor([[[0, 0, 12, 4], [0, 8, 12, 12]]] * 2)
    world = world_of(
        torch.rand(2, 3, 12, 12), torch.tensor([0, 1]), objects=torch.tensor([[0, 1], [1, 0]]), masks=masks, boxes=boxes
    )
    arm = arm_of(network, world)
    attribution = lambda network, images, targets: images.abs()  # noqa: E731
    list(localisation(arm, attribution=attribution, count=2, occluded=2))
    assert torch.equal(arm.kept["filters"], model[0].weight)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_first_filters_are_those_that_see_pixels(channels):
    layers = [nn.Conv2d(channels, 4, 3), nn.Conv2d(4, 2, 3), nn.Conv2d(2, 5, 3)]
    assert torch.equal(first_filters(nn.Sequential(*layers)), layers[0].weight)
    assert not first_filters(nn.Sequential(*layers)).requires_grad
    assert first_filters(nn.Sequential(*layers[1:])) is None


def test_masking_is_told_the_error_under_the_attack(monkeypatch):
    told = []
    monkeypatch.setattr(generalisation, "masking", lambda arm, attack, images, labels, error: told.append(error) or 0.0)
    network, images = linear(), torch.rand(10, 3, 2, 2)
    answers = network(images).argmax(1)
    labels = torch.where(torch.arange(10) < 3, 1 - answers, answers)
    attack = lambda network, images, labels, generator: images  # noqa: E731
    corruption = partial(lambda images, severity, generator: images)
    corruption.func.__name__ = "none"
    arm = arm_of(network, world_of(images, labels))
    found = dict(generalisation.generalisation(arm, corruptions=[corruption], attack=attack, images=10))
    assert found["attacked_top1"] == found["corrupted_top1"] == pytest.approx(0.7)
    assert told == [pytest.approx(0.3)]


def test_collections_are_as_large_as_their_authors_say():
    def sizes(name):
        return import_module(f"assay.worlds.{name}").MOST

    assert sizes("cifar10") == sizes("cifar100") == sizes("cifar10_c") == {"train": 50_000, "test": 10_000}
    assert sizes("idx") == {"train": 60_000, "test": 10_000}
    assert sizes("imagenet") == sizes("imagenet_c") == {"train": 1_281_167, "test": 50_000}
    clothes, numerals = arrays("fashion_mnist.npz"), arrays("mnist.npz")
    assert sizes("fashion_mnist") == {part: len(clothes[f"{part}_labels"]) for part in ("train", "test")}
    assert sizes("mnist") == {"train + test": len(numerals["labels"])}


def test_a_classifier_makes_no_images_whose_spectra_could_be_taken():
    with pytest.raises(StudyError, match="protocol spectra: the network of arm 'a' makes no images"):
        images_from(arm_of(linear(), None), "network", 4)


def test_gradient_times_input_is_the_change_from_the_baseline_of_a_linear_network():
    """Summed over pixels: w (x - b), the difference of the logits."""
    network, images, targets = linear(), torch.rand(3, 3, 2, 2), torch.tensor([0, 1, 1])
    maps = gradient_x_input(network, images, targets, baseline=0.25)
    change = network(images) - network(torch.full_like(images, 0.25))
    torch.testing.assert_close(maps.flatten(1).sum(1), change.gather(1, targets[:, None])[:, 0])


def test_a_shortcut_by_position_places_classes_on_a_circle():
    world = shapes(Draw("w"), size=16, train=80, test=20, classes=4, shortcut="position", correlation=1.0)
    place, labels = world.train.factors["position"], world.train.labels
    for label, expected in enumerate([(0.7, 0.5), (0.5, 0.7), (0.3, 0.5), (0.5, 0.3)]):
        np.testing.assert_allclose(place[labels == label], [expected] * (labels == label).sum(), atol=1e-6)


def test_in_a_conflict_every_other_class_lends_its_texture():
    labels = np.arange(4000) % 4
    other = _another(Draw("w"), labels, 4)
    counts = np.bincount((other - labels) % 4, minlength=4)
    assert counts[0] == 0
    assert all(abs(count - 4000 / 3) < 5 * (4000 * 2 / 9) ** 0.5 for count in counts[1:])


def test_passes_are_counted_by_hand():
    recipe = {"objective": {"parameters": {}}, "budget": {"epochs": 8}}
    assert passes(recipe) == 8
    recipe["objective"]["parameters"]["attack"] = {"parameters": {"steps": 3}}
    assert passes(recipe) == 8 * 4
    recipe["objective"]["parameters"]["attack"] = {"parameters": {}}
    assert passes(recipe) == 8 * 2


def test_fooling_searches_in_the_encoding_asked_for():
    train = torch.rand(4, 3, 6, 6)
    for method, kind in {"direct": Direct, "cppn": Cppn, "noise": Fresh, "shuffled": Fresh}.items():
        assert isinstance(_encoding(method, train), kind)


def test_a_source_is_paired_with_the_next_row_of_another_class():
    labels = torch.tensor([0, 0, 1, 2, 2, 0])
    sources, targets = paired(torch.tensor([True, True, True, False, True, True]), labels, 5)
    assert sources.tolist() == [0, 1, 2, 4, 5]
    assert targets.tolist() == [2, 2, 4, 5, 2]


def test_of_equal_rates_the_choice_of_larger_area_is_taken(monkeypatch):
    own, strange = np.array([1.0] * 20), {"a": [0.9] * 10 + [1.5] * 10, "b": [0.1] * 10 + [1.0] * 10}

    def scores(arm, score, split):
        return own if split == "own" else np.array(strange[score.keywords["kind"]])

    monkeypatch.setattr(ood, "_scores", scores)
    assert ood._choose(None, dict, {"kind": ["a", "b"]}, "own", "other") == {"kind": "b"}
    assert ood._choose(None, dict, {"kind": ["b", "a"]}, "own", "other") == {"kind": "b"}


def test_every_setting_of_the_sweep_is_measured_once(monkeypatch):
    asked = []

    def measure(arm, k, d, *rest):
        asked.append((k, d))
        return 100 * k + d, 0.5

    monkeypatch.setattr(sample_complexity, "_measure", measure)
    arm = SimpleNamespace(recipe={"world": {"plug": "worlds/dsd", "parameters": {"dimension": 8, "patches": 4}}})
    rows = list(sample_complexity.sample_complexity(arm, patches=[2, 4], dimensions=[8, 16]))
    assert asked == [(2, 8), (4, 8), (4, 16)]
    assert {row[:2]: row[2] for row in rows if row[0].startswith("samples")} == {
        ("samples_k", 2): 208,
        ("samples_k", 4): 408,
        ("samples_d", 8): 408,
        ("samples_d", 16): 416,
    }


def test_networks_of_two_architectures_are_not_averaged_and_the_part_is_named():
    def network(*layers):
        return Network(nn.Sequential(*layers), torch.zeros(3), torch.ones(3))

    first = network(nn.Flatten(), nn.Linear(12, 2))
    with pytest.raises(StudyError, match=r"network 2 differs from the first in 'model\.1\.bias'"):
        soup([first, network(nn.Flatten(), nn.Linear(12, 2, bias=False))], torch.rand(2, 3, 2, 2), [0.5, 0.5])
    other, images = network(nn.Flatten(), nn.Linear(12, 2, bias=False)), torch.rand(2, 3, 2, 2)
    with pytest.raises(StudyError, match=r"network 2 differs from the first in 'model\.1\.bias'"):
        soup([other, first], images, [0.5, 0.5])


def test_maps_of_a_fractal_are_chosen_by_their_determinants():
    """Two maps in turn, of areas 0.25 and 0.06; what the second made lies below what the first can make of it."""
    maps = np.zeros((1, fractals.MAPS, 6), np.float32)
    maps[0, ::2] = (0.5, 0.3, 0.0, 0.5, 1.0, 0.0)
    maps[0, 1::2] = (0.0, 0.3, 0.2, 0.1, 0.0, -5.0)
    points = fractals._chaos_game(Draw("game"), np.repeat(maps, 400, 0))
    share = (points[..., 1] < -4.2).mean()
    assert share == pytest.approx((0.06 + 0.01) / (0.25 + 0.06 + 0.02), abs=0.01)


def test_stones_are_as_bright_as_other_surfaces():
    draw = Draw("surface")
    for index in range(len(surfaces.SURFACES)):
        image = surfaces._surfaces(draw, np.full(200, index), 16)
        assert image.mean() == pytest.approx(0.5, abs=0.02), surfaces.SURFACES[index]


def test_surfaces_have_their_threads_and_grain():
    """Six threads across and down, four bands of wood, and streaks of metal along the rows, by numpy's spectrum."""
    spectra = {}
    for index, name in enumerate(surfaces.SURFACES):
        images = surfaces._surfaces(Draw("surface"), np.full(200, index), 32).mean(1)
        spectra[name] = (np.abs(np.fft.fft2(images - images.mean((1, 2), keepdims=True))) ** 2).mean(0)[:17, :17]
    strongest = {name: np.unravel_index(power.argmax(), power.shape) for name, power in spectra.items()}
    assert strongest["weave"] == (6, 6)
    assert strongest["wood"] == (0, 4)
    assert spectra["metal"][:, 1:].max() < 1e-6 * spectra["metal"].max()


def test_grey_digits_are_repeated_over_channels():
    grey, coloured = (digits(Draw("w"), size=8, train=20, test=10, channels=channels) for channels in (1, 3))
    assert coloured.train.images.shape == (20, 3, 8, 8)
    assert all(np.array_equal(coloured.train.images[:, [channel]], grey.train.images) for channel in range(3))


def test_noise_stays_within_the_range_of_images():
    bright = lambda draw: shapes(draw, size=12, train=40, test=20, contrast=(0.5, 0.6), noise=0.5)  # noqa: E731
    for split in noise_images(Draw("w"), of=bright).splits().values():
        assert split.images.min() == 0
        assert split.images.max() == 1


def test_random_labels_have_a_stream_of_their_own():
    """Of a name that no world's own stream has, so that drawing them tells nothing of the world."""
    labels = random_labels(Draw("w"), of=partial(shapes, size=8, train=40, test=20)).train.labels
    assert np.array_equal(labels, Draw("w").under("random_labels")("label").integers(0, 10, 40))


@pytest.mark.parametrize(
    ("world", "options"),
    [(spectrum_noise, {"size": 8}), (frequency_cues, {"size": 16}), (dsd, {}), (digits, {}), (mnist, {}), (fashion_mnist, {})],
)
def test_worlds_refuse_splits_smaller_than_their_classes(world, options):
    with pytest.raises(StudyError, match="test = 1 cannot be used"):
        world(Draw("w"), train=20, test=1, **options)
    with pytest.raises(StudyError, match="train = 1 cannot be used"):
        world(Draw("w"), train=1, test=20, **options)


@pytest.mark.parametrize("world", [mnist, fashion_mnist])
def test_a_split_of_one_image_a_class_is_enough(world):
    for split in world(Draw("w"), train=10, test=10).splits().values():
        assert sorted(split.labels) == list(range(10))
