"""Methods and metrics for several shortcuts, against hand-worked cases, closed forms and scikit-learn."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import recall_score
from torch import nn

from assay.augment.swap_shortcuts import pick, swap_shortcuts
from assay.data.batch import Batch, TensorSplit, TensorWorld, to_tensors
from assay.data.seeds import Draw
from assay.errors import StudyError
from assay.models.last_layer_ensemble import last_layer_ensemble as build_ensemble
from assay.models.mlp import MLP
from assay.objectives.group_dro import GroupDRO
from assay.objectives.last_layer_ensemble import last_layer_ensemble
from assay.objectives.lff import LfF, generalised_cross_entropy
from assay.protocols.shortcuts import shortcuts
from assay.training.network import Network
from assay.worlds.urban_shapes import urban_shapes


def batch_of(images, labels, **factors):
    return Batch(images, labels, F.one_hot(labels, 2).float(), torch.arange(len(labels)), images, factors=factors)


@pytest.fixture(scope="module")
def urban():
    return to_tensors(urban_shapes(Draw("test"), train=256, test=64), torch.device("cpu"))


def urban_batch(world, count=64):
    split = world.train
    return batch_of(split.images[:count], split.labels[:count], **{k: v[:count] for k, v in split.factors.items()})


# Augmentation


def coded_batch():
    """Sixteen 3 x 3 images: every pixel of image i is i, its backdrop 100 + i; core the top row, co-object the bottom left."""
    labels = torch.arange(16) % 2
    numbers = torch.arange(16.0)[:, None, None, None].expand(16, 1, 3, 3)
    masks = torch.zeros(16, 2, 3, 3, dtype=torch.uint8)
    masks[:, 0, 0], masks[:, 1, 2, 0] = 1, 1
    return batch_of(numbers, labels, masks=masks, backdrop=numbers + 100)


@pytest.mark.vouches("augment/swap_shortcuts", paper="P093")
def test_parts_come_from_the_images_the_paper_takes_them_from():
    batch = coded_batch()
    seen = set()
    for seed in range(20):
        made = swap_shortcuts(batch, torch.Generator().manual_seed(seed))
        shift = made.factors["shift"]
        for row in range(16):
            core, background, co_object = (made.images[row, 0, i, j].item() for i, j in ((0, 0), (1, 1), (2, 0)))
            assert core == row
            assert (background - 100) % 2 == (row + (shift[row] == 1)) % 2
            assert co_object % 2 == (row + (shift[row] == 2)) % 2
            seen |= {int(background - 100), int(co_object)}
    assert seen == set(range(16))
    assert torch.equal(batch.images, coded_batch().images)


@pytest.mark.vouches("augment/swap_shortcuts", paper="P093")
def test_shifts_are_equally_likely_and_limited_to_those_asked_for():
    counts = torch.zeros(3)
    for seed in range(100):
        counts += torch.bincount(swap_shortcuts(coded_batch(), torch.Generator().manual_seed(seed)).factors["shift"], minlength=3)
    assert ((counts / 1600 - 1 / 3).abs() < 4 * (2 / 9 / 1600) ** 0.5).all()
    made = swap_shortcuts(coded_batch(), torch.Generator().manual_seed(0), shortcuts=["co_object"])
    assert made.factors["shift"].max() == 1
    swapped = made.factors["shift"] == 1
    assert (made.images[swapped, 0, 2, 0] % 2 != made.labels[swapped]).all()


def test_without_another_class_any_donor_is_taken():
    chosen = pick(torch.zeros(5, dtype=torch.long), torch.ones(5, dtype=torch.bool), torch.Generator().manual_seed(0))
    assert ((chosen >= 0) & (chosen < 5)).all()


def test_a_world_without_masks_is_refused():
    with pytest.raises(StudyError, match="no factor 'masks'"):
        swap_shortcuts(batch_of(torch.rand(4, 3, 4, 4), torch.tensor([0, 1, 0, 1])), torch.Generator())


def test_backdrops_are_the_pictures_without_their_objects(urban):
    factors = urban.train.factors
    empty = (factors["masks"].sum(1, keepdim=True) == 0).float()
    # A pixel that an object covers by less than half is not in its mask, so a few differ.
    differs = ((urban.train.images - factors["backdrop"]).abs() > 1e-6).any(1, keepdim=True).float()
    assert float((differs * empty).sum() / empty.sum()) < 0.25
    assert float((differs * (1 - empty)).sum() / (1 - empty).sum()) > 0.99


# Last Layer Ensemble


def ensemble():
    torch.manual_seed(0)
    model = build_ensemble(3, 2, 4, backbone=partial(MLP, width=8, hidden=1), shifts=3)
    return Network(model, torch.zeros(3), torch.ones(3))


@pytest.mark.vouches("models/last_layer_ensemble", paper="P093")
def test_the_logits_are_the_heads_weighed_by_the_predicted_shift():
    network, images = ensemble(), torch.rand(6, 3, 4, 4)
    features, model = network.features(images), network.model.fc
    probabilities = F.softmax(features @ model.shift.weight.T + model.shift.bias, 1)
    expected = sum(probabilities[:, k, None] * (features @ head.weight.T + head.bias) for k, head in enumerate(model.heads))
    torch.testing.assert_close(network(images), expected)


@pytest.mark.vouches("models/last_layer_ensemble", paper="P093")
def test_a_sure_shift_classifier_picks_one_head():
    network, images = ensemble(), torch.rand(6, 3, 4, 4)
    network.model.fc.shift.weight.data.zero_()
    network.model.fc.shift.bias.data = torch.tensor([-50.0, 50.0, -50.0])
    torch.testing.assert_close(network(images), network.model.fc.heads[1](network.features(images)))


@pytest.mark.vouches("objectives/last_layer_ensemble", paper="P093")
def test_each_image_trains_the_head_of_its_shift_and_all_train_the_shift_classifier():
    network, images, labels = ensemble(), torch.rand(6, 3, 4, 4), torch.tensor([0, 1, 0, 1, 1, 0])
    shift = torch.tensor([0, 2, 2, 0, 0, 2])
    loss = last_layer_ensemble(network, batch_of(images, labels, shift=shift))
    features = network.features(images)
    each = [F.cross_entropy(network.model.fc.heads[k](features[i]), labels[i]) for i, k in enumerate(shift)]
    torch.testing.assert_close(loss, torch.stack(each).mean() + F.cross_entropy(network.model.fc.shift(features), shift))
    loss.backward()
    backbone = list(network.model.layers.parameters())
    heads, shifts = torch.stack(each).mean(), F.cross_entropy(network.model.fc.shift(network.features(images)), shift)
    by_heads, by_shifts = (torch.autograd.grad(part, backbone, retain_graph=True) for part in (heads, shifts))
    for parameter, one, other in zip(backbone, by_heads, by_shifts, strict=True):
        torch.testing.assert_close(parameter.grad, one + other)  # both losses reach the backbone
    assert all(part[0].abs().sum() > 0 for part in (by_heads, by_shifts))
    moved = [head.weight.grad is not None and bool(head.weight.grad.abs().sum() > 0) for head in network.model.fc.heads]
    assert moved == [True, False, True]
    assert network.model.fc.shift.weight.grad.abs().sum() > 0
    assert network.model.layers[0][0].weight.grad.abs().sum() > 0


def test_a_shift_without_a_head_and_a_batch_without_shifts_are_refused():
    images, labels = torch.rand(2, 3, 4, 4), torch.tensor([0, 1])
    with pytest.raises(StudyError, match="has no classifier"):
        last_layer_ensemble(ensemble(), batch_of(images, labels, shift=torch.tensor([0, 3])))
    with pytest.raises(StudyError, match="swap_shortcuts"):
        last_layer_ensemble(ensemble(), batch_of(images, labels))


# Group DRO


def grouped(labels, **factors):
    split = TensorSplit(torch.rand(len(labels), 3, 4, 4), labels, factors)
    return TensorWorld(split, split, ("a", "b"), {})


@pytest.mark.vouches("objectives/group_dro")
def test_group_weights_are_a_softmax_of_the_summed_losses():
    """Exponentiated gradient in closed form: after any number of steps q is softmax(step_size * sum of group losses)."""
    objective = GroupDRO(factors=["background"], step_size=0.3)
    objective.prepare(nn.Identity(), grouped(torch.tensor([0, 0, 1, 1]), background=torch.tensor([0, 1, 0, 1])))
    total = torch.zeros(4)
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        losses, members = torch.rand(12, generator=generator), torch.arange(12) % 4
        means = torch.stack([losses[members == g].mean() for g in range(4)])
        total += means
        value = objective.worst_case(losses, members)
        torch.testing.assert_close(objective.weights, F.softmax(0.3 * total, 0))
        torch.testing.assert_close(value, (F.softmax(0.3 * total, 0) * means).sum())


@pytest.mark.vouches("objectives/group_dro")
def test_every_group_is_drawn_equally_often_and_only_named_factors_make_groups(urban):
    torch.manual_seed(0)
    objective = GroupDRO(factors=["background"])
    objective.prepare(nn.Identity(), urban)
    assert len(objective.weights) == 4
    rows = torch.multinomial(objective.chance, 8000, replacement=True)
    share = torch.bincount(objective.groups[rows]) / 8000
    assert ((share - 0.25).abs() < 0.02).all()
    assert (urban.train.factors["background"][objective.groups == 1].unique()).numel() == 1


def test_group_dro_refuses_augmentations_and_unknown_factors(urban):
    objective = GroupDRO(factors=["background"])
    objective.prepare(nn.Identity(), urban)
    batch = urban_batch(urban)
    with pytest.raises(StudyError, match="remove augment"):
        objective.loss(nn.Identity(), replace(batch, images=batch.images.flip(3)))
    with pytest.raises(StudyError, match="unknown factor 'backgrund'"):
        GroupDRO(factors=["backgrund"]).prepare(nn.Identity(), urban)


# Learning from Failure


@pytest.mark.vouches("objectives/lff")
def test_generalised_cross_entropy_has_the_gradient_of_cross_entropy_times_q_p_to_the_q():
    logits = torch.randn(7, 3, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 1, 2, 0, 1, 2, 0])
    ours = torch.autograd.grad(generalised_cross_entropy(logits, labels, 0.7).sum(), logits)[0]
    weights = 0.7 * logits.softmax(1).gather(1, labels[:, None]).squeeze(1).detach() ** 0.7
    theirs = torch.autograd.grad((weights * F.cross_entropy(logits, labels, reduction="none")).sum(), logits)[0]
    torch.testing.assert_close(ours, theirs)


@pytest.mark.vouches("objectives/lff")
def test_difficulty_of_hand_worked_losses():
    """Biased losses 1, 4 and 2, 3 over their class's largest 4 and 3, the other's 2, 2 and 1, 4 over 2 and 4."""
    objective = LfF(decay=0.5)
    labels = torch.tensor([0, 0, 1, 1])
    network = Network(MLP(3, 2, 4, width=4), torch.zeros(3), torch.ones(3))
    objective.prepare(network, grouped(labels))
    batch = batch_of(torch.rand(4, 3, 4, 4), labels)
    objective.remember(objective.biased_loss, torch.tensor([1.0, 4.0, 2.0, 3.0]), batch)
    objective.remember(objective.target_loss, torch.tensor([2.0, 2.0, 1.0, 4.0]), batch)
    torch.testing.assert_close(objective.biased_loss, torch.tensor([1.0, 4.0, 2.0, 3.0]))
    expected = torch.tensor([0.25 / 1.25, 1 / 2, (2 / 3) / (2 / 3 + 1 / 4), 1 / 2])
    torch.testing.assert_close(objective.difficulty(batch), expected, atol=1e-6, rtol=1e-6)


@pytest.mark.vouches("objectives/lff")
def test_running_losses_begin_at_the_first_loss_and_then_keep_seven_tenths():
    """After losses a, b and c of a sample: 0.7 (0.7 a + 0.3 b) + 0.3 c, as the authors' mean; a sample not yet seen has 0."""
    torch.manual_seed(0)
    labels = torch.tensor([0, 1, 0, 1])
    network = Network(MLP(3, 2, 4, width=4), torch.zeros(3), torch.ones(3))
    objective = LfF()
    objective.prepare(network, grouped(labels))
    batch = replace(batch_of(torch.rand(3, 3, 4, 4), labels[1:]), index=torch.tensor([1, 2, 3]))
    kept = {"biased_loss": [], "target_loss": []}
    for _ in range(3):
        network.model.fc.weight.data.mul_(3)
        objective.biased.model.fc.weight.data.mul_(-2)
        for name, player in (("biased_loss", objective.biased), ("target_loss", network)):
            kept[name].append(F.cross_entropy(player(batch.images), batch.labels, reduction="none").detach())
        objective.loss(network, batch)
    for name, (a, b, c) in kept.items():
        torch.testing.assert_close(getattr(objective, name)[1:], 0.7 * (0.7 * a + 0.3 * b) + 0.3 * c)
        assert getattr(objective, name)[0] == 0


@pytest.mark.vouches("objectives/lff")
def test_the_two_networks_start_apart_and_neither_is_moved_by_the_others_loss():
    torch.manual_seed(0)
    labels = torch.tensor([0, 1, 0, 1])
    network = Network(MLP(3, 2, 4, width=4), torch.zeros(3), torch.ones(3))
    objective = LfF()
    objective.prepare(network, grouped(labels))
    assert not torch.equal(objective.biased.model.fc.weight, network.model.fc.weight)
    batch = batch_of(torch.rand(4, 3, 4, 4), labels)
    objective.loss(network, batch).backward()
    expected = generalised_cross_entropy(objective.biased(batch.images), labels, 0.7).mean()
    gradient = torch.autograd.grad(expected, objective.biased.model.fc.weight)[0]
    torch.testing.assert_close(objective.biased.model.fc.weight.grad, gradient)


# Metrics


@pytest.mark.vouches("protocols/shortcuts", paper="P093")
def test_a_classifier_that_reads_the_background_alone_has_the_gaps_one_works_out_by_hand():
    """It is right where the background is common and wrong elsewhere: in-distribution 0.95, gaps -0.95, 0.05 and -0.95."""
    world = to_tensors(urban_shapes(Draw("gaps"), train=8000, test=80), torch.device("cpu"))
    found = dict(shortcuts(SimpleNamespace(world=world, network=oracle(world.test, world.test.factors["background"]))))
    expected = {"id_accuracy": 0.95, "background_gap": -0.95, "co_object_gap": 0.05, "both_gap": -0.95, "worst_group": 0.0}
    assert found == pytest.approx(expected, abs=1e-3)


@pytest.mark.vouches("protocols/shortcuts", paper="P093")
def test_gaps_of_random_answers_agree_with_scikit_learn(urban):
    answers = torch.randint(2, (64,), generator=torch.Generator().manual_seed(4))
    found = dict(shortcuts(SimpleNamespace(world=urban, network=oracle(urban.test, answers))))
    test, train = urban.test, urban.train

    def differs(split, name):
        return (split.factors[name] != split.labels).numpy()

    accuracy, share = np.zeros((2, 2)), np.zeros((2, 2))
    for b in range(2):
        for c in range(2):
            here = (differs(test, "background") == b) & (differs(test, "co_object") == c)
            accuracy[b, c] = recall_score(test.labels[here], answers[here], average="macro")
            share[b, c] = np.mean((differs(train, "background") == b) & (differs(train, "co_object") == c))
    usual = (accuracy * share).sum()
    assert found["id_accuracy"] == pytest.approx(usual)
    assert found["background_gap"] == pytest.approx(accuracy[1, 0] - usual)
    assert found["co_object_gap"] == pytest.approx(accuracy[0, 1] - usual)
    assert found["both_gap"] == pytest.approx(accuracy[1, 1] - usual)


def oracle(split, answers):
    """A network that gives each test image the wanted answer."""
    by_image = {image.numpy().tobytes(): answer for image, answer in zip(split.images, answers, strict=True)}
    return lambda images: F.one_hot(torch.stack([by_image[image.numpy().tobytes()] for image in images]), 2).float()
