"""What protocols keep to look at, which figures show and no measure depends on."""

import numpy as np
import pytest
import torch
from fake_arm import FakeArm
from torch import nn

from assay.attributions.gradient import gradient
from assay.data.batch import TensorSplit, TensorWorld
from assay.models.allconv import AllConv
from assay.protocols import fooling as module
from assay.protocols.axioms import axioms
from assay.protocols.convergent import convergent
from assay.protocols.crop_selection import crop_selection
from assay.protocols.explainability import explainability
from assay.protocols.fooling import fooling
from assay.protocols.level_set import level_set
from assay.protocols.localisation import localisation
from assay.protocols.poses import poses
from assay.protocols.spectra import spectra
from assay.protocols.zoom import zoom
from assay.training.network import Network, Trained

CPU = torch.device("cpu")


def split_of(count: int, channels: int = 1, side: int = 8, seed: int = 0) -> TensorSplit:
    images = torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(seed))
    return TensorSplit(images, torch.arange(count) % 2, {})


def arm_of(network: nn.Module, train: TensorSplit, test: TensorSplit, **others) -> tuple[FakeArm, dict]:
    """An arm, and what it is told to keep."""
    kept = {}
    world = TensorWorld(train, test, ("a", "b"), {})
    given = {
        "name": "a",
        "seed": 0,
        "device": CPU,
        "network": network,
        "trained": Trained(network),
        "world": world,
        "generator": lambda *names: torch.Generator().manual_seed(0),
        "keep": lambda name, array: kept.__setitem__(name, torch.as_tensor(array)),
    }
    return FakeArm(**{**given, **others}), kept


def network_of(*layers: nn.Module, channels: int = 1) -> Network:
    torch.manual_seed(0)
    return Network(nn.Sequential(*layers), torch.zeros(channels), torch.ones(channels)).eval().requires_grad_(False)


def linear(values: int = 64, classes: int = 2, channels: int = 1) -> Network:
    return network_of(nn.Flatten(), nn.Linear(values, classes), channels=channels)


def test_spectra_keep_as_many_made_images_as_real_ones():
    train, test = split_of(20, seed=1), split_of(20, seed=2)
    arm, kept = arm_of(linear(), train, test)
    list(spectra(arm, source="real"))
    assert kept["images"].equal(train.images[:16])
    assert kept["images_real"].equal(test.images[:16])


def test_spectra_are_of_as_many_images_as_the_test_split_has():
    """A generator is asked for as many; so is the training split, of which the first come."""
    train, test = split_of(40, seed=1), split_of(12, seed=2)
    arm, kept = arm_of(linear(), train, test)
    found = dict(row[-2:] for row in spectra(arm, source="real") if row[0] != "spectrum")
    made, real = train.images[:12], test.images
    assert found["diversity"] == pytest.approx(float(made.std(0).mean() / real.std(0).mean()))
    assert kept["images"].equal(made)


def test_units_are_compared_on_the_first_1024_images():
    """The last images are of another kind, and would change every correlation."""
    images = torch.randn(1040, 4, generator=torch.Generator().manual_seed(0))
    images[1024:] = 50 * images[1024:].abs()
    split = TensorSplit(images.reshape(-1, 1, 2, 2), torch.arange(1040) % 2, {})
    first, second = linear(4, 3), network_of(nn.Flatten(), nn.Linear(4, 2))
    second.model[1].weight.copy_(torch.randn(2, 4, generator=torch.Generator().manual_seed(3)))
    arm, kept = arm_of(first, split, split)
    rows = list(convergent(arm, other=Trained(second), layers=["1"], samples=2000))
    a, b = (network(split.images[:1024]).numpy() for network in (first, second))
    expected = np.corrcoef(a, b, rowvar=False)[:3, 3:]
    np.testing.assert_allclose(kept["correlations_1"], expected, atol=1e-5)
    found = {name: value for name, depth, value in rows if depth == 1}
    assert found["best"] == pytest.approx(expected.max(1).mean(), abs=1e-5)
    assert found["unmatched"] == pytest.approx((expected.max(1) < 0.5).mean())
    assert found["one_r2"] == pytest.approx((expected**2).max(0).mean(), abs=1e-5)


def test_units_of_convolutions_are_channels_and_their_samples_positions():
    split = split_of(30, side=6)
    first, second = (network_of(nn.Conv2d(1, 3, 3), nn.Flatten(), nn.Linear(48, 2)) for _ in range(2))
    second.model[0].weight.mul_(-1)
    arm, kept = arm_of(first, split, split)
    list(convergent(arm, other=Trained(second), layers=["0"], samples=10_000))
    a = first.model[0](split.images).transpose(0, 1).flatten(1).numpy()
    np.testing.assert_allclose(kept["correlations_1"], -np.corrcoef(a), atol=1e-5)
    list(convergent(arm, other=Trained(first), layers=["0"], samples=10_000, mismatched=True))
    b = first.model[0](split.images.roll(1, 0)).transpose(0, 1).flatten(1).numpy()
    np.testing.assert_allclose(kept["correlations_1"], np.corrcoef(a, b)[:3, 3:], atol=1e-5)


def test_walks_on_level_sets_keep_their_sources_ends_and_targets():
    network, split = linear(192, channels=3), split_of(20, channels=3)
    network.model[1].weight.mul_(20)
    network.model[1].bias.sub_(network(split.images).mean(0))
    split = TensorSplit(split.images, network(split.images).argmax(1), {})
    arm, kept = arm_of(network, split, split)
    moved = lambda network, images, labels, generator: (images + 0.1).clamp(0, 1)  # noqa: E731
    list(level_set(arm, way="attack", attack=moved, pairs=9))
    assert kept["source"].equal(split.images[:6])
    assert kept["end"].equal((kept["target"] + 0.1).clamp(0, 1))
    assert (network(kept["target"]).argmax(1) != split.labels[:6]).all()


def test_zooms_keep_whole_images_and_their_middle():
    spread, biased = split_of(12, side=24, seed=1), split_of(12, side=24, seed=2)
    own = split_of(4)
    arm, kept = arm_of(linear(), own, own, make=lambda world: TensorWorld(world(), world(), ("a", "b"), {}))
    list(zoom(arm, spread=lambda: spread, biased=lambda: biased, scales=[1.0, 3.0], method="oracle"))
    for prefix, split in (("", spread), ("biased_", biased)):
        shown = len(kept[f"{prefix}whole"])
        middle = split.images[:shown, :, 8:16, 8:16]  # at three times 8 pixels the image is as it was
        torch.testing.assert_close(kept[f"{prefix}zoomed"], middle)
        averaged = nn.functional.avg_pool2d(split.images[:shown], 3).mean((2, 3))
        torch.testing.assert_close(kept[f"{prefix}whole"].mean((2, 3)), averaged, atol=0.02, rtol=0)
        assert kept[f"{prefix}whole"].shape[2:] == (8, 8)


def test_crops_that_are_kept_are_of_the_window_that_has_not_moved():
    own, canvas = split_of(10), split_of(10, side=20, seed=4)
    arm, kept = arm_of(linear(), own, own, make=lambda world: TensorWorld(canvas, canvas, ("a", "b"), {}))
    list(crop_selection(arm, canvas=None, window=12, reach=2, select="centre"))
    assert kept["shown"].equal(canvas.images[: len(kept["shown"]), :, 6:14, 6:14])


def test_maps_are_kept_beside_their_images():
    images = split_of(16, channels=3, side=12)
    mask = torch.zeros(16, 12, 12, dtype=torch.uint8)
    mask[:, 2:6, 3:8] = 1
    both = torch.stack([mask, mask.flip(1)], 1)
    boxes = torch.tensor([[[3, 2, 8, 6], [3, 6, 8, 10]]] * 16)
    factors = {"mask": mask, "masks": both, "boxes": boxes, "objects": torch.tensor([[0, 1], [1, 0]] * 8)}
    test = TensorSplit(images.images, images.labels, factors)
    torch.manual_seed(0)
    network = Network(AllConv(3, 2, 12, width=2, norm=False), torch.zeros(3), torch.ones(3)).eval().requires_grad_(False)
    arm, kept = arm_of(network, test, test)
    maps = {label: gradient(network, test.images, torch.full((16,), label)) for label in (0, 1)}
    own = torch.where((test.labels == 0)[:, None, None, None], maps[0], maps[1])

    list(explainability(arm, attribution=gradient, count=12, steps=2))
    shown = len(kept["images"])
    assert kept["images"].equal(test.images[:shown])
    torch.testing.assert_close(kept["maps"], own[:shown].abs().sum(1, keepdim=True))

    list(localisation(arm, attribution=gradient, count=12, occluded=2))
    shown = len(kept["images"]) // 2
    assert kept["images"][::2].equal(test.images[:shown])
    assert kept["images"][1::2].equal(test.images[:shown])
    objects = test.factors["objects"][:shown].flatten()
    heats = torch.stack([maps[int(label)][row // 2] for row, label in enumerate(objects)]).sum(1, keepdim=True).clamp(min=0)
    torch.testing.assert_close(kept["maps"], heats)

    list(axioms(arm, attribution=gradient, count=14))
    shown = len(kept["images"])
    answers = network(test.images).argmax(1)[:shown]
    answered = torch.stack([maps[int(label)][row] for row, label in enumerate(answers)])
    assert kept["images"].equal(test.images[:shown])
    torch.testing.assert_close(kept["maps"], answered.sum(1, keepdim=True), atol=1e-5, rtol=1e-4)
    assert kept["filters"].equal(network.model.stack[0].weight)


def test_of_fooling_images_one_a_class_is_kept():
    split = split_of(10)
    network = linear()
    arm, kept = arm_of(network, split, split)
    list(fooling(arm, other=Trained(network), method="noise", generations=3, children=4, runs=2))
    assert kept["images"].shape == (2, 1, 8, 8)


def test_the_ascent_begins_about_the_mean_training_image(monkeypatch):
    """With noise of a hundredth of the pixel range, of another draw for each class; what is climbed to is kept."""
    starts = []
    monkeypatch.setattr(module, "climb", lambda network, images, *rest: starts.append(images) or images)
    split = split_of(40, side=16)
    arm, kept = arm_of(linear(256), split, split)
    list(fooling(arm, other=Trained(arm.network), method="gradient"))
    away = starts[0] - split.images.mean(0)
    assert away.std().item() == pytest.approx(0.01, rel=0.15)
    assert abs(torch.corrcoef(away.flatten(1))[0, 1].item()) < 0.3
    assert kept["images"].equal(starts[0])


def test_poses_keep_those_that_fool_most_surely():
    """Objects of class 0 in 2 x 1 x 1 x 8 poses; the network reads class 1 where pixels are bright, the surer the brighter."""
    places = torch.cartesian_prod(torch.arange(2), torch.tensor([0]), torch.tensor([0]), torch.arange(8))
    levels = torch.zeros(3, 16)
    levels[0, 3], levels[0, 9], levels[1, 5] = 0.9, 0.6, 0.8
    levels[2] = 1.0  # wrong in its first pose, so not known, and its poses do not count
    images = levels.flatten()[:, None, None, None].expand(-1, 1, 2, 2)
    factors = {"object": torch.arange(3).repeat_interleave(16), "pose": places.repeat(3, 1)}
    grid = TensorSplit(images, torch.zeros(48, dtype=torch.long), factors)
    network = network_of(nn.Flatten(), nn.Linear(4, 2))
    network.model[1].weight.copy_(torch.tensor([[0.0] * 4, [2.0] * 4]))
    network.model[1].bias.copy_(torch.tensor([4.0, 0.0]))
    arm, kept = arm_of(network, grid, grid, make=lambda world: TensorWorld(grid, grid, ("a", "b"), {}))
    list(poses(arm, grid=None))
    np.testing.assert_allclose(kept["images"][:3, 0, 0, 0], [0.9, 0.8, 0.6])
    other, none = arm_of(network, grid, grid, make=arm.make, seed=1)
    list(poses(other, grid=None))
    assert none == {}
