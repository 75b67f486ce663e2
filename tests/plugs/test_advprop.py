"""AdvProp: which batch norms see which images, against networks that hold the two halves apart; its protocol on known answers."""

from copy import deepcopy
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from assay.attacks.pgd import pgd
from assay.attacks.random_sign import random_sign
from assay.data.batch import Batch, TensorSplit, TensorWorld
from assay.data.seeds import Draw
from assay.data.world import Split, World
from assay.errors import StudyError
from assay.models.mlp import MLP
from assay.models.resnet import resnet
from assay.objectives.adversarial_training import evaluating
from assay.objectives.advprop import AdvProp, batch_norms
from assay.protocols.generalisation import generalisation
from assay.training.network import Network, Trained
from assay.worlds.misread import misread


def small_network():
    torch.manual_seed(0)
    return Network(resnet(3, 4, 8, width=2), torch.full((3,), 0.5), torch.full((3,), 0.25)).double().train()


def batch_of(count=24, seed=0):
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(count, 3, 8, 8, dtype=torch.float64, generator=generator)
    labels = torch.randint(0, 4, (count,), generator=generator)
    return Batch(images, labels, F.one_hot(labels, 4).double(), torch.arange(count), images)


def darker(network, images, labels, generator):
    """An attack whose result is known without looking at the network."""
    return images * 0.3


def prepared(network, **parameters):
    objective = AdvProp(**parameters)
    objective.prepare(network, None)
    return objective.train()


@pytest.mark.vouches("objectives/advprop", paper="P084")
def test_each_set_of_norms_learns_the_statistics_of_its_own_images_alone():
    """Two plain networks, one shown the clean images and one the attacked, end with the same statistics."""
    network, batch = small_network(), batch_of()
    clean, attacked = deepcopy(network), deepcopy(network)
    objective = prepared(network, attack=darker)
    objective.loss(network, batch)
    clean(batch.images)
    attacked(darker(None, batch.images, None, None))
    for own, norm in zip(batch_norms(network).values(), batch_norms(clean).values(), strict=True):
        torch.testing.assert_close(own.state_dict(), norm.state_dict())
    for auxiliary, norm in zip(objective.norms, batch_norms(attacked).values(), strict=True):
        torch.testing.assert_close(auxiliary.state_dict(), norm.state_dict())
    first = next(iter(batch_norms(network).values()))
    assert (first.running_mean - objective.norms[0].running_mean).abs().max() > 1e-3


@pytest.mark.vouches("objectives/advprop", paper="P084")
def test_the_loss_is_the_sum_of_both_halves_and_reaches_each_halfs_own_norms():
    network, batch = small_network(), batch_of()
    objective = prepared(network, attack=darker)
    for norm in objective.norms:
        nn.init.uniform_(norm.weight, 0.5, 2)
    other = deepcopy(network)
    for norm, auxiliary in zip(batch_norms(other).values(), objective.norms, strict=True):
        norm.load_state_dict(auxiliary.state_dict())
    clean = F.cross_entropy(deepcopy(network)(batch.images), batch.labels)
    attacked = F.cross_entropy(other(0.3 * batch.images), batch.labels)
    loss = objective.loss(network, batch)
    torch.testing.assert_close(loss, clean + attacked)
    loss.backward()
    attacked.backward()
    for auxiliary, norm in zip(objective.norms, batch_norms(other).values(), strict=True):
        torch.testing.assert_close(auxiliary.weight.grad, norm.weight.grad)


@pytest.mark.vouches("objectives/advprop", paper="P084")
def test_the_attack_is_made_through_the_auxiliary_norms_and_leaves_no_trace():
    network, batch = small_network(), batch_of()
    objective = prepared(network)
    for norm in objective.norms:
        nn.init.uniform_(norm.weight, 0.5, 2)
        nn.init.normal_(norm.running_mean, std=0.3)
    other = deepcopy(network)
    for norm, auxiliary in zip(batch_norms(other).values(), objective.norms, strict=True):
        norm.load_state_dict(auxiliary.state_dict())
    expected = []
    with evaluating(other):
        expected.append(other(batch.images))

    def spy(attacked_network, images, labels, generator):
        assert not any(module.training for module in attacked_network.modules())
        torch.testing.assert_close(attacked_network(images), expected[0])
        return pgd(attacked_network, images, labels, generator, eps=0.1, steps=2)

    objective.attack = spy
    before = {id(norm) for norm in batch_norms(network).values()}
    objective.loss(network, batch)
    assert {id(norm) for norm in batch_norms(network).values()} == before
    assert all(module.training for module in network.modules())
    assert all(norm.num_batches_tracked == 1 for norm in batch_norms(network).values())
    assert all(norm.num_batches_tracked == 1 for norm in objective.norms)


@pytest.mark.vouches("objectives/advprop", paper="P084")
def test_with_equal_weights_the_first_loss_is_that_of_shared_norms_and_later_statistics_are_not():
    """In training, batches are normalised by themselves, so twins that start alike give the same loss."""
    batch, losses, means = batch_of(), [], []
    for auxiliary in (True, False):
        network = small_network()
        objective = prepared(network, attack=partial(random_sign, eps=0.2), auxiliary=auxiliary)
        torch.manual_seed(1)
        losses.append(objective.loss(network, batch))
        means.append(next(iter(batch_norms(network).values())))
    torch.testing.assert_close(*losses)
    assert [norm.num_batches_tracked.item() for norm in means] == [1, 2]


def test_norms_come_back_when_the_attack_fails():
    network, batch = small_network(), batch_of()

    def broken(*given):
        raise RuntimeError("broken")

    objective = prepared(network, attack=broken)
    before = {id(norm) for norm in batch_norms(network).values()}
    with pytest.raises(RuntimeError, match="broken"):
        objective.loss(network, batch)
    assert {id(norm) for norm in batch_norms(network).values()} == before


def test_a_network_without_batch_norm_is_refused():
    with pytest.raises(StudyError, match="no batch norm"):
        AdvProp().prepare(Network(MLP(3, 4, 8), torch.zeros(3), torch.ones(3)), None)


@pytest.mark.vouches("protocols/generalisation", paper="P084")
def test_accuracies_of_a_classifier_by_brightness():
    """Class 1 if the mean is above one half: black and white are told apart, and an attack that inverts makes all wrong."""

    class Bright(nn.Module):
        def forward(self, images):
            mean = images.mean((1, 2, 3))
            return torch.stack([0.5 - mean, mean - 0.5], 1)

    def invert(network, images, labels, generator, *, eps=0.1, clip=True):
        return 1 - images

    def grey(images, severity, generator):
        return torch.where(images > 0.5, 1 - 0.2 * severity, images)

    grey.__name__ = "grey"
    labels = torch.tensor([0, 1, 1, 0, 1])
    split = TensorSplit(labels.float()[:, None, None, None].expand(-1, 3, 4, 4), labels, {})
    shifted = TensorSplit(1 - split.images, torch.tensor([0, 1, 0, 1, 1]), {})
    arm = SimpleNamespace(
        world=TensorWorld(split, split, ("dark", "bright"), {"odd": shifted}),
        network=Bright(),
        generator=lambda *names: torch.Generator(),
    )
    rows = {row[:-1]: row[-1] for row in generalisation(arm, corruptions=[partial(grey)], severities=[1, 4], attack=invert)}
    assert rows["top1",] == 1
    assert rows["corrupted_top1",] == pytest.approx((1 + 2 / 5) / 2)  # at severity 4, bright is 0.2: all are called dark
    assert rows["attacked_top1",] == 0
    assert rows["masking",] == 0  # noise of 0.1 makes no dark image bright
    assert rows["shifted_top1", "odd"] == pytest.approx(2 / 5)


def bright_world(draw):
    """Five images of one grey each; the bright ones are of class 1 but for the last, a dark one of class 1."""
    images = np.broadcast_to(np.array([0.1, 0.9, 0.2, 0.8, 0.3], np.float32)[:, None, None, None], (5, 1, 2, 2)).copy()
    split = Split(images, np.array([0, 1, 0, 1, 1]), {"place": np.arange(5)})
    return World(split, split, ("dark", "bright"), {"odd": split.take(np.array([0]))})


class ByMean(nn.Module):
    """Class 1 above a mean."""

    def __init__(self, above):
        super().__init__()
        self.above = above

    def forward(self, images):
        mean = images.mean((1, 2, 3))
        return torch.stack([self.above - mean, mean - self.above], 1)


def reader(above):
    return Trained(Network(ByMean(above), torch.zeros(1), torch.ones(1)).eval())


@pytest.mark.vouches("worlds/misread", paper="P084")
def test_the_further_split_holds_the_images_that_the_reader_gets_wrong():
    """Read as bright above 0.85, the bright one of 0.8 and the dark one of class 1 are wrong."""
    world, plain = misread(Draw("x"), reader=reader(0.85), of=bright_world), bright_world(None)
    assert world.extra["misread"].factors["place"].tolist() == [3, 4]
    assert world.extra["misread"].labels.tolist() == [1, 1]
    np.testing.assert_array_equal(world.extra["misread"].images, plain.test.images[3:])
    assert sorted(world.extra) == ["misread", "odd"]
    for part in ("train", "test"):
        np.testing.assert_array_equal(getattr(world, part).images, getattr(plain, part).images)
        np.testing.assert_array_equal(getattr(world, part).labels, getattr(plain, part).labels)


def test_a_reader_that_is_always_right_leaves_nothing_to_misread():
    with pytest.raises(StudyError, match="a network that reads all test images"):
        misread(Draw("x"), reader=reader(0.25), of=bright_world)
