"""The attacks, against closed forms of linear networks, foolbox, and what any attack must keep."""

import re
from copy import deepcopy
from functools import partial

import foolbox
import pytest
import torch
import torch.nn.functional as F
from scipy import stats
from torch import nn

from assay.attacks._ball import drawn
from assay.attacks._gradient import logits_and_gradient, sample_shortfalls
from assay.attacks._search import smallest
from assay.attacks.bim import bim
from assay.attacks.deepfool import deepfool
from assay.attacks.few_pixels import few_pixels
from assay.attacks.fgsm import fgsm
from assay.attacks.pgd import pgd
from assay.attacks.random_direction import random_direction
from assay.attacks.random_sign import random_sign
from assay.data.batch import Batch
from assay.language.plugs import describe, find, load
from assay.objectives.adversarial_training import adversarial_training

SIZED = [name for name, info in find("attacks").items() if "eps" in info.parameters]
EUCLIDEAN = {"random_direction"}  # of the attacks whose norm is not a parameter
ASCENTS = [fgsm, bim, pgd, partial(pgd, norm="l2", steps=20, step=0.1)]


def named(attack) -> str:
    return re.sub(r"<function (\w+).*?>", r"\1", str(getattr(attack, "func", attack))) + str(getattr(attack, "keywords", ""))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def linear(classes: int = 2) -> nn.Module:
    """An affine network on images of 3 x 4 x 4, in double precision."""
    torch.manual_seed(1)
    return nn.Sequential(nn.Flatten(), nn.Linear(48, classes)).double().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def curved():
    """A smooth network of convolutions with batch normalisation, in double precision, that answers all classes."""
    torch.manual_seed(2)
    layers = [nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.GELU(), nn.Conv2d(8, 16, 3), nn.GELU(), nn.Flatten(), nn.Linear(256, 5)]
    network = nn.Sequential(*layers).double()
    images = torch.rand(200, 3, 8, 8, generator=generator(), dtype=torch.float64)
    network(images)
    with torch.no_grad():
        network[-1].bias -= network.eval()(images).mean(0)
    return network.requires_grad_(False)


@pytest.fixture(scope="module")
def images():
    return torch.rand(40, 3, 8, 8, generator=generator(1), dtype=torch.float64)


def small(count: int = 30) -> torch.Tensor:
    return 0.2 + 0.6 * torch.rand(count, 3, 4, 4, generator=generator(3), dtype=torch.float64)


def variants(name: str) -> list[tuple[str, dict]]:
    """The norms an attack can be asked for, with the parameters that ask."""
    if "norm" in describe("attacks", name).parameters:
        return [("linf", {"norm": "linf"}), ("l2", {"norm": "l2"})]
    return [("l2" if name in EUCLIDEAN else "linf", {})]


def size_of(perturbation: torch.Tensor, norm: str) -> torch.Tensor:
    return perturbation.flatten(1).norm(dim=1) if norm == "l2" else perturbation.flatten(1).abs().amax(1)


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("name", SIZED)
def test_budgets_are_kept_to_float_precision_and_what_is_given_is_left_alone(name, clip, curved, images):
    """In single precision, from images that touch both ends of the range."""
    network = deepcopy(curved).float()
    given = (1.4 * images.float() - 0.2).clamp(0, 1)
    labels = network(given).argmax(1)
    state = {key: value.clone() for key, value in network.state_dict().items()}
    kept = given.clone(), labels.clone()
    for norm, parameters in variants(name):
        for eps in (0.0, 0.03, 0.7):
            moved = load("attacks", name)(network, given, labels, generator(), eps=eps, clip=clip, **parameters)
            assert size_of(moved - given, norm).max() <= eps * (1 + 1e-5) + 1e-6
            assert not clip or (moved.min() >= 0 and moved.max() <= 1)
    assert torch.equal(given, kept[0])
    assert torch.equal(labels, kept[1])
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    assert not network.training
    assert not given.requires_grad


@pytest.mark.vouches("attacks/bim", paper="P680")
@pytest.mark.parametrize("attack", ASCENTS, ids=named)
def test_a_linear_networks_worst_case_is_reached(attack):
    """The margin falls by eps times the dual norm of the weights, from whatever start."""
    network, given = linear(), small()
    labels = torch.arange(30) % 2
    w = network[1].weight[1] - network[1].weight[0]
    dual = w.norm() if getattr(attack, "keywords", {}).get("norm") == "l2" else w.abs().sum()
    before, after = (
        (logits[:, 1] - logits[:, 0]) * (2 * labels - 1)
        for logits in (network(given), network(attack(network, given, labels, generator(), eps=0.1, clip=False)))
    )
    torch.testing.assert_close(before - after, (0.1 * dual).expand(30), rtol=1e-3, atol=0)


class Margins(nn.Module):
    """Three classes in single precision: class 0 is ahead of the others by `margin` more or less, whatever the image."""

    def __init__(self, margin: float):
        super().__init__()
        torch.manual_seed(1)
        self.layer = nn.Linear(48, 3)
        self.layer.bias.data = torch.tensor([margin, 0.0, -margin])
        self.eval().requires_grad_(False)

    def forward(self, images):
        return self.layer(images.flatten(1))


@pytest.mark.vouches("attacks/fgsm", paper="P127")
@pytest.mark.vouches("attacks/pgd", paper="P098")
@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("margin", [30.0, 150.0, 2000.0])
def test_a_certain_network_is_attacked_towards_the_nearest_other_class(margin, targeted):
    """The cross-entropy's slope is e^-margin there, which single precision does not hold; the direction is that of the margin."""
    network, given = Margins(margin), small().float()
    w = network.layer.weight
    # Targeted at class 2 the loss is far from flat, and its slope is that of the margin over class 0, the likeliest.
    labels, toward = torch.full((30,), 2 if targeted else 0), w[2] - w[0] if targeted else w[1] - w[0]
    towards = toward.reshape(1, 3, 4, 4)
    for attack in (bim, partial(pgd, random_start=False), *(() if targeted else (fgsm,))):
        options = {"targeted": True} if targeted else {}
        moved = attack(network, given, labels, generator(), eps=0.1, clip=False, **options)
        torch.testing.assert_close(moved - given, 0.1 * towards.sign().expand(30, -1, -1, -1))
    moved = pgd(network, given, labels, generator(), eps=0.1, norm="l2", random_start=False, targeted=targeted, clip=False)
    torch.testing.assert_close(moved - given, (0.1 * towards / towards.norm()).expand(30, -1, -1, -1), atol=1e-5, rtol=1e-4)
    changed = (few_pixels(network, given, labels, generator(), pixels=3, targeted=targeted, clip=False) - given).flatten(1) != 0
    largest = toward.abs().topk(3).indices
    assert (changed.nonzero()[:, 1].reshape(30, 3).sort(1).values == largest.sort().values).all()


def test_the_gradients_direction_has_the_bits_it_would_have_unscaled(curved, images):
    """Where nothing is lost: times its power of two it is the gradient of the cross-entropy, bit by bit."""
    network, given = deepcopy(curved).float(), images.float()
    labels = torch.arange(40) % 5
    leaf = given.clone().requires_grad_(True)
    logits = network(leaf).double()
    own = logits.gather(1, labels[:, None]).squeeze(1)
    others = logits.scatter(1, labels[:, None], float("-inf")).logsumexp(1)
    expected = torch.autograd.grad(F.softplus(others - own).sum(), leaf)[0]
    seen, direction, power = logits_and_gradient(network, given, labels)
    assert (direction * power).equal(expected)
    assert seen.double().equal(logits.detach())
    assert set(torch.frexp(power).mantissa.flatten().tolist()) == {0.5}
    torch.testing.assert_close(expected, torch.autograd.grad(F.cross_entropy(network(leaf), labels, reduction="sum"), leaf)[0])


def test_rows_that_depend_on_one_another_share_their_power_of_two(curved, images):
    network = deepcopy(curved).train()
    labels = torch.arange(40) % 5
    leaf = images.clone().requires_grad_(True)
    expected = torch.autograd.grad(F.cross_entropy(network(leaf), labels, reduction="sum"), leaf)[0]
    _, direction, power = logits_and_gradient(network, images, labels)
    assert len(power.unique()) == 1
    torch.testing.assert_close(direction * power, expected)


@pytest.mark.parametrize("attack", ASCENTS, ids=named)
def test_attacks_raise_every_images_loss_further_than_noise_of_their_size(attack, curved, images):
    labels = curved(images).argmax(1)
    euclidean = getattr(attack, "keywords", {}).get("norm") == "l2"
    noise, eps = (random_direction, 0.5) if euclidean else (random_sign, 0.05)
    worst = sample_shortfalls(curved, attack(curved, images, labels, generator(), eps=eps), labels)
    for seed in range(10):
        noisy = noise(curved, images, labels, generator(seed), eps=eps)
        assert (worst > sample_shortfalls(curved, noisy, labels)).all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_more_restarts_never_make_an_attack_weaker_on_any_image(norm, curved, images):
    labels = curved(images).argmax(1)
    attack = partial(pgd, norm=norm, eps={"linf": 0.3, "l2": 4.0}[norm], steps=3)
    losses = [
        sample_shortfalls(curved, attack(curved, images, labels, generator(), restarts=tries), labels) for tries in (1, 2, 5)
    ]
    assert (losses[1] >= losses[0]).all()
    assert (losses[2] >= losses[1]).all()
    assert (losses[2] > losses[0]).any()


@pytest.mark.parametrize("attack", [bim, pgd, partial(pgd, norm="l2", restarts=3)], ids=named)
def test_a_targeted_attack_brings_the_network_to_the_class_asked_for(attack, curved, images):
    targets = (curved(images).argmax(1) + 1) % 5
    moved = attack(curved, images, targets, generator(), eps=2.0, steps=40, targeted=True)
    assert (curved(moved).argmax(1) == targets).double().mean() > 0.95


def in_foolbox(attack, network, given, labels, **options):
    model = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
    return attack(model, given, labels, **options)[0]


FOOLBOX = {
    "fgsm": (fgsm, foolbox.attacks.LinfFastGradientAttack(), 0.05),
    "bim": (bim, foolbox.attacks.LinfBasicIterativeAttack(rel_stepsize=0.1, steps=10), 0.05),
    "pgd linf": (
        partial(pgd, random_start=False, steps=20),
        foolbox.attacks.LinfPGD(rel_stepsize=0.125, steps=20, random_start=False),
        0.05,
    ),
    "pgd l2": (
        partial(pgd, norm="l2", random_start=False, steps=20),
        foolbox.attacks.L2PGD(rel_stepsize=0.125, steps=20, random_start=False),
        1.0,
    ),
}


@pytest.mark.vouches("attacks/fgsm", paper="P127")
@pytest.mark.vouches("attacks/bim", paper="P680")
@pytest.mark.vouches("attacks/pgd", paper="P098")
@pytest.mark.parametrize("which", FOOLBOX)
def test_the_steps_are_foolboxs(which, curved, images):
    attack, reference, eps = FOOLBOX[which]
    labels = curved(images).argmax(1)
    ours = attack(curved, images, labels, generator(), eps=eps)
    theirs = in_foolbox(reference, curved, images, labels, epsilons=eps)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-9)


@pytest.mark.vouches("attacks/deepfool", paper="P164")
@pytest.mark.parametrize("clip", [True, False])
def test_deepfool_is_foolboxs_when_all_classes_are_candidates(clip, curved, images):
    labels = curved(images).argmax(1)
    reference = foolbox.attacks.L2DeepFoolAttack(steps=50, candidates=5, overshoot=0.02)
    bounds = (0, 1) if clip else (-100, 100)
    model = foolbox.PyTorchModel(curved, bounds=bounds, device="cpu")
    theirs = reference(model, images, labels, epsilons=None)[0]
    ours = deepfool(curved, images, labels, generator(), clip=clip)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)  # foolbox adds 1e-8 to lengths
    assert (curved(ours).argmax(1) != labels).all()


@pytest.mark.vouches("attacks/deepfool", paper="P164")
def test_deepfools_step_on_an_affine_network_is_the_exact_distance_to_its_nearest_boundary():
    """To a polyhedron's nearest face: (paper, section 3.1) min |f_k| / ||w_k||, here with the overshoot taken off."""
    network, given = linear(6), small()
    logits, weights = network(given), network[1].weight
    labels = logits.argmax(1)
    distances = torch.stack([(logits[:, [k]] - logits) / (weights[k] - weights).norm(dim=1) for k in range(6)], 1)
    distances[:, range(6), range(6)] = torch.inf
    exact = distances[torch.arange(30), labels].amin(1)
    moved = deepfool(network, given, labels, generator(), overshoot=0.02, clip=False)
    torch.testing.assert_close((moved - given).flatten(1).norm(dim=1) / 1.02, exact + 1e-4)
    assert (network(moved).argmax(1) != labels).all()
    shorter = given + (moved - given) * 0.97 / 1.02
    assert (network(shorter).argmax(1) == labels)[exact > 0.02].all()


@pytest.mark.vouches("attacks/deepfool", paper="P164")
def test_deepfool_leaves_alone_what_is_answered_otherwise_and_stops_after_its_steps(curved, images):
    labels = curved(images).argmax(1)
    assert torch.equal(deepfool(curved, images, (labels + 1) % 5, generator()), images)
    one = deepfool(curved, images, labels, generator(), steps=1, overshoot=0.0)
    fooled = curved(one).argmax(1) != labels
    assert 0 < fooled.double().mean() < 1


def test_random_directions_have_the_length_asked_for_and_no_preferred_direction():
    given = torch.full((2000, 3, 2, 2), 0.5, dtype=torch.float64)
    noise = random_direction(linear(), given, torch.zeros(2000, dtype=torch.long), generator(), eps=0.3) - given
    torch.testing.assert_close(noise.flatten(1).norm(dim=1), torch.full((2000,), 0.3, dtype=torch.float64))
    covariance = noise.flatten(1).T @ noise.flatten(1) / 2000
    torch.testing.assert_close(covariance, 0.09 / 12 * torch.eye(12).double(), atol=1e-3, rtol=0)


def test_the_smallest_size_is_the_distance_of_a_linear_network_and_none_where_it_is_out_of_reach():
    network, given = linear(), small()
    logits = network(given)
    labels = logits.argmax(1)
    w = network[1].weight[1] - network[1].weight[0]
    margin = (logits[:, 0] - logits[:, 1]).abs()
    for attack, dual in (
        (partial(fgsm, clip=False), w.abs().sum()),
        (partial(pgd, norm="l2", random_start=False, clip=False), w.norm()),
    ):
        exact = margin / dual
        largest = 1.02 * float(exact.median())
        moved, size = smallest(attack, network, given, labels, generator(), largest=largest, rungs=8, halvings=10)
        reached = exact < largest
        assert torch.equal(size.isfinite(), reached)
        assert ((size >= exact) & (size <= exact * 1.01 + largest / 2**16))[reached].all()
        assert torch.equal(network(moved).argmax(1) != labels, reached)
    wrong = smallest(fgsm, network, given, 1 - labels, generator(), largest=1.0)
    assert torch.equal(wrong[0], given)
    assert (wrong[1] == 0).all()


def test_a_first_success_counts_where_larger_sizes_fail_again():
    """A band of another answer around brightness 0.6: an upward move crosses it, and leaves it again."""

    class Band(nn.Module):
        def forward(self, x):
            inside = 0.05 - (x.mean((1, 2, 3)) - 0.6).abs()
            return torch.stack([torch.zeros_like(inside), inside], 1)

    given = torch.full((1, 3, 2, 2), 0.5)
    moved, size = smallest(
        lambda network, images, labels, generator, *, eps: images + eps,
        Band(),
        given,
        torch.tensor([0]),
        generator(),
        largest=0.4,
    )
    assert 0.05 <= float(size) < 0.052
    assert float(moved.mean()) == pytest.approx(0.5 + float(size))


def binary_batch(network: nn.Module) -> tuple[Batch, torch.Tensor, torch.Tensor]:
    """A batch with the margins of its labels and the weights of the logit difference."""
    given = small()
    labels = torch.arange(30) % 2
    logits = network(given)
    batch = Batch(given, labels, F.one_hot(labels, 2).double(), torch.arange(30), given)
    return batch, (logits[:, 1] - logits[:, 0]) * (2 * labels - 1), network[1].weight[1] - network[1].weight[0]


@pytest.mark.vouches("objectives/adversarial_training", paper="P098")
@pytest.mark.vouches("objectives/adversarial_training", paper="P288")
@pytest.mark.parametrize(("norm", "order"), [("linf", 1), ("l2", 2)])
def test_adversarial_training_of_logistic_regression_is_its_closed_form(norm, order):
    """The inner maximum of a linear loss: softplus(eps ||w||_q - margin), q the dual norm."""
    network = linear().requires_grad_(True)
    batch, margin, w = binary_batch(network)
    loss = adversarial_training(network, batch, attack=partial(pgd, norm=norm, eps=0.05, steps=8, clip=False))
    torch.testing.assert_close(loss, F.softplus(0.05 * w.norm(p=order) - margin).mean(), rtol=2e-3, atol=0)
    loss.backward()
    assert network[1].weight.grad.abs().sum() > 0


@pytest.mark.vouches("objectives/adversarial_training", paper="P098")
@pytest.mark.vouches("objectives/adversarial_training", paper="P288")
def test_adversarial_training_attacks_the_network_as_it_answers_and_trains_it_as_it_trains(curved, images):
    """The attack sees running statistics and leaves them alone; the one step in training mode moves them once."""
    network, labels = curved.train(), torch.arange(40) % 5
    kept = {key: value.clone() for key, value in network.state_dict().items()}
    batch = Batch(images, labels, F.one_hot(labels, 5).double(), torch.arange(40), images)
    attack = partial(pgd, random_start=False, eps=0.03, steps=2)
    try:
        loss = adversarial_training(network, batch, attack=attack)
        assert network.training
        moved_once = {key: value.clone() for key, value in network.state_dict().items()}
        network.load_state_dict(kept)
        attacked = attack(network.eval(), images, labels, generator())
        assert not torch.equal(attacked, images)
        torch.testing.assert_close(loss, F.cross_entropy(network.train()(attacked), labels))
        assert all(torch.equal(value, moved_once[key]) for key, value in network.state_dict().items())
    finally:
        network.load_state_dict(kept)
        network.eval()


@pytest.mark.vouches("objectives/adversarial_training", paper="P098")
def test_attacks_within_a_training_see_frozen_weights_and_leave_each_as_it_was():
    network = nn.Sequential(nn.Flatten(), nn.Linear(48, 8), nn.Linear(8, 2)).double().train()
    network[1].requires_grad_(False)
    batch, *_ = binary_batch(nn.Sequential(nn.Flatten(), nn.Linear(48, 2)).double())
    seen = []

    def attack(network, images, labels, generator):
        seen.extend(weight.requires_grad for weight in network.parameters())
        return pgd(network, images, labels, generator, steps=1)

    adversarial_training(network, batch, attack=attack).backward()
    assert seen == [False] * 4
    assert [weight.requires_grad for weight in network.parameters()] == [False, False, True, True]
    assert network[1].weight.grad is None
    assert network[2].weight.grad.abs().sum() > 0


@pytest.mark.vouches("attacks/pgd", paper="P098")
def test_starts_are_uniform_in_the_ball():
    """In the max norm every value from -eps to eps, in the Euclidean norm radii whose power of the dimension is uniform."""
    given = torch.zeros(1000, 1, 2, 2, dtype=torch.float64)
    values = drawn(given, "linf", 0.1, generator()).flatten().numpy()
    assert stats.kstest(values, stats.uniform(-0.1, 0.2).cdf).pvalue > 1e-3
    round_ones = drawn(given, "l2", 0.1, generator())
    shares = (round_ones.flatten(1).norm(dim=1) / 0.1) ** 4
    assert stats.kstest(shares.numpy(), stats.uniform().cdf).pvalue > 1e-3
    assert abs((round_ones > 0).double().mean() - 0.5) < 4 * 0.5 / 4000**0.5


@pytest.mark.vouches("attacks/pgd", paper="P098")
def test_a_targeted_step_is_as_long_as_another_and_goes_the_other_way():
    """Of a two-class linear network: along the difference of the weights, towards the label or away from it."""
    network, given, labels = linear(), small(), torch.arange(30) % 2
    towards = (network[1].weight[1] - network[1].weight[0]).sign().reshape(1, 3, 4, 4) * (2 * labels - 1).reshape(-1, 1, 1, 1)
    for targeted, way in ((True, towards), (False, -towards)):
        moved = pgd(network, given, labels, generator(), eps=0.1, steps=1, step=0.01, random_start=False, targeted=targeted)
        torch.testing.assert_close(moved, given + 0.01 * way)
