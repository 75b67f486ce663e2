"""Walks on level sets of networks whose level sets are known."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from assay.attacks._traversal import confidence, parallel, traverse
from assay.protocols.level_set import least_between, level_set, likeness, paired

SHAPE = (3, 8, 8)


@pytest.fixture(scope="module")
def linear():
    """Two classes by the sign of w . x + b, in double precision; level sets are planes."""
    torch.manual_seed(5)
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 2)).double().eval().requires_grad_(False)
    images = 0.2 + 0.6 * torch.rand(40, *SHAPE, dtype=torch.float64)
    network[1].weight *= 20
    network[1].bias -= network(images).mean(0)
    return network, images


def ends_of(network, images):
    labels = network(images).argmax(1)
    start, other = paired(torch.ones(40, dtype=torch.bool), labels, 40)
    return images[start], labels[start], images[other]


@pytest.mark.vouches("protocols/level_set", paper="P006")
def test_on_a_plane_the_walk_goes_the_targets_way_without_its_part_across_the_plane(linear):
    """x_s + (1 - (1 - rate)^m) P (x_t - x_s), P the projection onto the plane; the confidence does not change."""
    network, images = linear
    sources, labels, targets = ends_of(network, images)
    ends = traverse(network, sources, labels, targets, steps=50, rate=0.05, alpha=0.0, eps=0.0, tolerance=0.1)
    w = network[1].weight[1] - network[1].weight[0]
    w = w / w.norm()
    way = (targets - sources).flatten(1)
    flat = way - (way @ w)[:, None] * w
    torch.testing.assert_close((ends - sources).flatten(1), (1 - 0.95**50) * flat)
    torch.testing.assert_close(confidence(network, ends, labels), confidence(network, sources, labels))
    torch.testing.assert_close(least_between(network, sources, ends, labels), confidence(network, sources, labels))


@pytest.mark.vouches("protocols/level_set", paper="P006")
def test_the_straight_walk_stops_at_the_last_step_that_keeps_the_confidence(linear):
    network, images = linear
    sources, labels, targets = ends_of(network, images)
    ends = traverse(
        network, sources, labels, targets, steps=300, rate=0.02, alpha=0.1, eps=0.1, tolerance=0.2, along_level_set=False
    )
    lost = confidence(network, sources, labels) - confidence(network, ends, labels)
    assert (lost <= 0.2).all()
    beyond = ends + 0.02 * (targets - ends)
    lost_beyond = confidence(network, sources, labels) - confidence(network, beyond, labels)
    share = (ends - sources).flatten(1).norm(dim=1) / (targets - sources).flatten(1).norm(dim=1)
    stopped = share < 0.9
    assert stopped.double().mean() > 0.5
    assert (lost_beyond > 0.2)[stopped].all()
    torch.testing.assert_close(ends, torch.lerp(sources, targets, share[:, None, None, None]))


@pytest.mark.vouches("protocols/level_set", paper="P006")
def test_the_correction_goes_against_the_loss_and_is_bounded_in_each_pixel(linear):
    network, images = linear
    sources, labels, targets = ends_of(network, images)
    options = {"steps": 1, "rate": 0.05, "tolerance": 1.0}
    plain = traverse(network, sources, labels, targets, alpha=0.0, eps=0.0, **options)
    corrected = traverse(network, sources, labels, targets, alpha=1e-3, eps=1e-3, **options)
    assert (confidence(network, corrected, labels) > confidence(network, plain, labels)).all()
    assert (corrected - plain).abs().max() <= 1e-3 + 1e-12
    watched = sources.clone().requires_grad_(True)
    (raw,) = torch.autograd.grad(nn.functional.cross_entropy(network(watched), labels, reduction="sum"), watched)
    torch.testing.assert_close(corrected - plain, (-1e-3 * raw).clamp(-1e-3, 1e-3))


@pytest.mark.vouches("protocols/level_set", paper="P006")
def test_the_walk_keeps_to_the_plane_however_certain_the_network(linear):
    """In single precision at margins of about 200, where the cross-entropy's gradient is too small to be held."""
    network, images = linear
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 2)).eval().requires_grad_(False)
    network[1].bias.data = torch.tensor([200.0, 0.0])
    sources, targets = images[:20].float(), images[20:].float()
    labels = torch.zeros(20, dtype=torch.long)
    ends = traverse(network, sources, labels, targets, steps=10, rate=0.1, alpha=1.0, eps=0.1, tolerance=0.1)
    across = network(ends) - network(sources)
    torch.testing.assert_close(across[:, 0] - across[:, 1], torch.zeros(20), atol=1e-3, rtol=0)
    assert ((ends - sources).abs().flatten(1).amax(1) > 0.05).all()


def test_the_part_along_a_direction_by_hand():
    vectors = torch.tensor([[3.0, 4.0], [1.0, 2.0]]).reshape(2, 1, 1, 2)
    directions = torch.tensor([[2.0, 0.0], [0.0, 0.0]]).reshape(2, 1, 1, 2)
    assert parallel(vectors, directions).flatten(1).tolist() == [[3, 0], [0, 0]]


def test_pairs_are_of_two_classes():
    labels = torch.tensor([0, 0, 1, 1, 0, 2])
    sources, targets = paired(torch.tensor([True, True, True, False, True, False]), labels, 3)
    assert sources.tolist() == [0, 1, 2]
    assert targets.tolist() == [2, 2, 4]
    sources, targets = paired(torch.tensor([True, True, False, False, False, False]), labels, 6)
    assert sources.tolist() == [0, 1, 2, 3, 4, 5]
    assert targets.tolist() == [2, 2, 4, 4, 5, 0]


@pytest.mark.vouches("protocols/level_set", paper="P006")
@pytest.mark.parametrize("way", ["traversal", "straight", "attack"])
def test_the_protocol_reports_the_walks(linear, way):
    network, images = linear
    labels = network(images).argmax(1)
    given = SimpleNamespace(
        name="tried",
        network=network,
        world=SimpleNamespace(test=SimpleNamespace(images=images, labels=labels)),
        generator=lambda *names: torch.Generator(),
        keep=lambda name, array: None,
    )
    found = dict(level_set(given, way=way, attack=lambda network, x, y, generator: x, pairs=40, eps=0.0))
    sources, own, _ = ends_of(network, images)
    assert found["top1"] == 1
    assert found["source_confidence"] == pytest.approx(float(confidence(network, sources, own).mean()))
    if way == "attack":  # one that does nothing
        assert found["distance"] == 0
        assert found["ssim"] == pytest.approx(1)
        assert found["confidence"] == pytest.approx(found["target_confidence"])
    else:
        assert found["confidence"] >= found["source_confidence"] - 0.2
        assert 0 < found["distance"] < 1
    if way == "traversal":
        assert found["path_confidence"] >= found["source_confidence"] - 1e-6
        assert found["ssim"] > 0.9


def test_walks_start_from_images_answered_rightly(linear):
    """The first five labels are wrong, so their confidence is below a half; of those left it is above."""
    network, images = linear
    labels = network(images).argmax(1)
    labels[:5] = 1 - labels[:5]
    given = SimpleNamespace(
        name="tried",
        network=network,
        world=SimpleNamespace(test=SimpleNamespace(images=images, labels=labels)),
        generator=lambda *names: torch.Generator(),
        keep=lambda name, array: None,
    )
    found = dict(level_set(given, way="attack", attack=lambda network, x, y, generator: x, pairs=3, eps=0.0))
    assert found["source_confidence"] == pytest.approx(float(confidence(network, images[5:8], labels[5:8]).mean()))
    assert found["top1"] == 35 / 40


def test_the_least_on_a_way_is_looked_for_from_end_to_end():
    """Logits (4 x - 2) ** 2 and 0 of a plain image of level x: undecided at a half, surer towards both ends."""

    def network(images):
        valley = (4 * images.mean((1, 2, 3)) - 2) ** 2
        return torch.stack([valley, torch.zeros_like(valley)], 1)

    levels = torch.tensor([[0.0, 1.0], [0.0, 0.25], [1.0, 0.75], [0.9, 0.1]])
    sources, ends = levels.T[..., None, None, None].expand(2, 4, *SHAPE)
    least = least_between(network, sources, ends, torch.zeros(4, dtype=torch.long))
    torch.testing.assert_close(least, torch.tensor([0.0, 1.0, 1.0, 0.0]).double().sigmoid())


def test_likeness_of_an_image_with_itself_and_with_its_negative():
    images = torch.from_numpy(np.random.default_rng(0).random((3, *SHAPE)))
    assert likeness(images, images) == pytest.approx(1)
    assert likeness(images, 1 - images) < -0.5
