"""Evolved fooling images against closed forms: known optima, the operator's density, a pattern worked out by hand."""

from decimal import Decimal
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import stats
from torch import nn

from assay.attacks import _evolution
from assay.attacks._evolution import Cppn, Direct, Fresh, activated, climb, evolve, polynomial, shuffled_pixels, static
from assay.data.batch import to_tensors
from assay.data.seeds import Draw
from assay.protocols.fooling import fooling, nearest, nines
from assay.training.network import Network, Trained
from assay.worlds.digits import digits
from assay.worlds.with_fooling_class import with_fooling_class

SHAPE = (1, 4, 4)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Corners(nn.Module):
    """Logits of two classes: how bright the left and the right half are."""

    def __init__(self, scale: float = 4.0):
        super().__init__()
        self.scale = scale

    def forward(self, images):
        left, right = images[..., :2].mean((1, 2, 3)), images[..., 2:].mean((1, 2, 3))
        return self.scale * torch.stack([left - right, right - left], dim=1)


@pytest.mark.vouches("protocols/fooling", paper="P082")
def test_champions_come_close_to_the_known_optimum_and_each_run_has_its_own():
    """The best image of a class is white in its half and black in the other: probability sigmoid(2 * scale)."""
    champions = evolve(Corners(), Direct(SHAPE), 2, 200, 40, generator(), runs=3)
    assert champions.shape == (3, 2, *SHAPE)
    best = torch.sigmoid(torch.tensor(8.0)).item()
    for run in champions:
        confidence = Corners()(run).softmax(1).diagonal()
        assert (confidence > best - 0.002).all()
        assert (confidence <= best + 1e-6).all()
        assert run[0, ..., :2].min() > 0.5 > run[0, ..., 2:].max()
    early = evolve(Corners(), Direct(SHAPE), 2, 3, 40, generator(), runs=3)
    assert not early[0].equal(early[1])


@pytest.mark.vouches("protocols/fooling", paper="P082")
def test_a_champion_is_never_lost_and_without_selection_it_is_the_best_of_all_tries():
    """The same numbers drawn again: the best of everything that was tried."""
    tries, children = 7, 5
    champions = evolve(Corners(), Fresh(partial(static, SHAPE)), 2, tries, children, generator())[0]
    again, seen = generator(), []
    for turn in range(tries):
        if turn:
            torch.randint(2, (1, children), generator=again)  # the parents, which fresh images have no use for
        seen.append(static(SHAPE, children, again))
    seen = torch.cat(seen)
    expected = seen[Corners()(seen).softmax(1).argmax(0)]
    assert champions.equal(expected)
    confidences = [Corners()(evolve(Corners(), Direct(SHAPE), 2, n, 10, generator())[0]).diagonal().min() for n in (1, 10, 100)]
    assert confidences == sorted(confidences)
    assert confidences[0] < confidences[2]


@pytest.mark.vouches("protocols/fooling", paper="P082")
def test_polynomial_mutation_has_the_density_that_defines_it():
    """Deb's operator: density (n + 1) / 2 (1 - |x|) ** n, so |x| is Beta(1, n + 1) and either sign is as likely."""
    step = polynomial(torch.rand(20_000, generator=generator(), dtype=torch.float64)).numpy()
    assert stats.kstest(np.abs(step), stats.beta(1, 16).cdf).pvalue > 1e-3
    assert abs((step > 0).mean() - 0.5) < 0.02
    child = Direct((1, 40, 40)).vary({"pixels": torch.full((20, 1, 40, 40), 0.5)}, generator())["pixels"]
    assert abs((child != 0.5).float().mean() - 0.1) < 0.01


def test_patterns_have_the_shape_asked_for():
    """A network that reads x alone draws a ramp along the rows, y alone one along the columns."""
    encoding = Cppn((1, 3, 5), hidden=0)
    for source, expected in ((0, torch.linspace(0, 1, 5).expand(3, 5)), (1, torch.linspace(0, 1, 3)[:, None].expand(3, 5))):
        wired = torch.zeros(1, 1, 4, dtype=torch.bool)
        wired[0, 0, source] = True
        genome = {"weight": torch.ones(1, 1, 4), "wired": wired, "activation": torch.tensor([[3]])}
        torch.testing.assert_close(encoding.images(genome), expected[None, None])


@pytest.mark.vouches("protocols/fooling", paper="P082")
def test_a_pattern_producing_network_by_hand():
    """A hidden node takes sin(3 x); the output is the hidden node's Gaussian of it plus y, unchanged."""
    encoding = Cppn((1, 5, 5), hidden=2)
    genome = encoding.start(1, generator())
    weight, wired = torch.zeros(1, 3, 6), torch.zeros(1, 3, 6, dtype=torch.bool)
    for node, source, value in ((0, 0, 3.0), (1, 4, 0.7), (2, 5, 0.5), (2, 1, 0.25)):
        weight[0, node, source], wired[0, node, source] = value, True
    weight[0, 2, 3] = 9.0  # not wired: without influence
    kinds = torch.tensor([[0, 2, 3]])
    image = encoding.images({"weight": weight, "wired": wired, "activation": kinds})[0, 0].numpy()
    x = np.linspace(-1, 1, 5)[None, :]
    y = np.linspace(-1, 1, 5)[:, None]
    gaussian = 2 * np.exp(-((0.7 * np.sin(3 * x)) ** 2)) - 1
    np.testing.assert_allclose(image, np.clip(0.5 + 0.5 * (0.5 * gaussian + 0.25 * y), 0, 1), atol=1e-6)
    assert {key: value.shape[1:] for key, value in genome.items()}["weight"] == (3, 6)
    assert not genome["wired"][:, :2].any()  # starts without hidden nodes
    later, numbers = genome, generator(1)
    for _ in range(50):
        later = encoding.vary(later, numbers)
    assert later["wired"][:, :2].any() or later["wired"][:, 2, 4:].any()
    reads = later["wired"][0]
    assert not reads[0, 4:].any()  # no node reads itself or one after it
    assert not reads[1, 5:].any()


def test_activations_by_hand():
    total = torch.tensor([[0.5], [0.5], [0.5], [0.5]])
    expected = [np.sin(0.5), np.tanh(0.5), 2 * np.exp(-0.25) - 1, 0.5]
    np.testing.assert_allclose(activated(total, torch.arange(4))[:, 0], expected, rtol=1e-6)


@pytest.mark.vouches("protocols/fooling", paper="P082")
def test_ascent_on_a_linear_network_goes_along_its_weights_and_shrinks():
    """The gradient has one direction, so k steps give a geometric series."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    w = (network[1].weight[1] - network[1].weight[0]).detach()
    start = torch.full((2, *SHAPE), 0.5)
    images = climb(network, start, torch.tensor([0, 1]), 6, 0.05, 0.02)
    kept = 0.98**6
    along = 0.05 * sum(0.98**k for k in range(6)) * w / w.norm()
    expected = torch.stack([0.5 * kept - along, 0.5 * kept + along]).clamp(0, 1).reshape(images.shape)
    torch.testing.assert_close(images, expected, atol=1e-5, rtol=0)


def test_shuffling_keeps_the_values_of_an_image_and_the_colours_of_its_pixels():
    images = torch.rand(1, 3, 4, 4)
    shuffled = shuffled_pixels(images, 5, generator())
    colours = {tuple(pixel.tolist()) for pixel in images[0].flatten(1).T}
    for one in shuffled:
        assert {tuple(pixel.tolist()) for pixel in one.flatten(1).T} == colours
        assert not one.equal(images[0])


@pytest.mark.vouches("worlds/with_fooling_class", paper="P082")
def test_the_further_class_holds_images_that_the_network_is_sure_of():
    torch.manual_seed(0)
    source = Network(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), torch.zeros(1), torch.full((1,), 0.05)).eval()
    of = partial(digits, train=60, test=30)
    world, plain = with_fooling_class(Draw("x", 0), source=Trained(source.requires_grad_(False)), of=of, runs=2), of(Draw("x", 0))
    assert world.classes == (*plain.classes, "fooling")
    np.testing.assert_array_equal(world.train.images[:60], plain.train.images)
    np.testing.assert_array_equal(world.test.images, plain.test.images)
    assert world.train.labels[60:].tolist() == [10] * 20
    sure = source(torch.from_numpy(world.train.images[60:])).softmax(1)[range(20), [*range(10)] * 2]
    assert sure.median() > 0.9


@pytest.mark.vouches("worlds/with_fooling_class", paper="P082")
def test_images_of_the_further_class_are_encoded_as_asked(monkeypatch):
    encodings = []

    def found(network, encoding, classes, generations, children, generator, runs):
        encodings.append(type(encoding))
        return torch.zeros(runs, classes, *encoding.shape)

    monkeypatch.setattr(_evolution, "evolve", found)
    source = Trained(Network(nn.Flatten(), torch.zeros(1), torch.ones(1)))
    for method in ("direct", "cppn"):
        with_fooling_class(Draw("x", 0), source=source, of=partial(digits, train=20, test=20), method=method)
    assert encodings == [Direct, Cppn]


@pytest.mark.vouches("protocols/fooling", paper="P082")
def test_measures_of_a_network_that_cannot_be_fooled_and_of_one_that_can():
    world = to_tensors(digits(Draw("x", 0), train=100, test=50), torch.device("cpu"))

    def observed(scale, method):
        # Class k adds up six pixels of its own, so every class can be reached from anywhere.
        model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10, bias=False))
        network = Network(model, torch.zeros(1), torch.full((1,), 1 / scale)).eval().requires_grad_(False)
        model[1].weight.copy_(F.pad(torch.eye(10).repeat_interleave(6, 1), (0, 4)))
        arm = SimpleNamespace(
            network=network, world=world, device=torch.device("cpu"), generator=lambda name: generator(), keep=lambda *given: None
        )
        return dict(fooling(arm, other=Trained(network), method=method, generations=40, children=20))

    blunt, sharp = observed(0.01, "direct"), observed(200, "direct")
    assert blunt["reached"] == 0
    assert sharp["reached"] == sharp["transfer"] == 1
    assert sharp["confidence"] == sharp["transfer_confidence"] > 0.99
    assert 10 ** -sharp["nines"] == pytest.approx(1 - float(sharp["confidence"]), rel=1e-3)
    assert observed(200, "gradient")["reached"] == 1
    assert sharp["distance"] > 1


@pytest.mark.vouches("protocols/fooling", paper="P082")
def test_nines_against_decimals_of_any_length_where_a_probability_rounds_to_one():
    logits, targets = torch.tensor([[3.0, 1.0, 0.5], [0.0, 90.0, 1.0], [0.0, 2.0, 2.0]]), torch.tensor([0, 1, 0])
    expected = []
    for row, target in zip(logits.tolist(), targets.tolist(), strict=True):
        powers = [Decimal(value).exp() for value in row]
        others = sum(power for k, power in enumerate(powers) if k != target)
        expected.append(-(others / sum(powers)).log10())
    assert logits.double().softmax(1)[1, 1] == 1
    np.testing.assert_allclose(nines(logits, targets), [float(value) for value in expected], rtol=1e-9)


def test_nearest_by_hand():
    images, train = torch.zeros(1, 1, 1, 2), torch.tensor([[[[3.0, 4.0]]], [[[0.0, 2.0]]]])
    assert nearest(images, train).tolist() == [2.0]
