"""A model from elsewhere is measured as a network of this project is, whatever it is, and says in one line what it cannot do."""

from functools import partial

import pytest
import torch
from fake_arm import FakeArm
from torch import nn

from assay.attributions.grad_cam import grad_cam
from assay.attributions.gradient import gradient
from assay.data.batch import to_tensors
from assay.data.seeds import Draw, seed_of
from assay.errors import StudyError
from assay.language.plugs import describe, load
from assay.measuring.arm import Shared
from assay.measuring.evaluate import outputs, predict
from assay.measuring.measurable import Measurable, ModelArm
from assay.models.resnet import resnet
from assay.training.network import Network, Trained

from torchvision.models import resnet18  # isort: skip  (after the shim that resnet imports)

CPU = torch.device("cpu")
NAMES = tuple("abc")


def world_of(name: str, **parameters):
    return to_tensors(load("worlds", name)(Draw("world"), **{"train": 48, "test": 32, "size": 16, **parameters}), CPU)


@pytest.fixture(scope="module")
def shapes():
    return world_of("shapes", classes=3)


def cnn(classes: int = 3) -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5)]
    return nn.Sequential(*layers, nn.Linear(8, classes))


def measurable(model: nn.Module, classes=NAMES, **given) -> Measurable:
    return Measurable(model, shape=(3, 16, 16), classes=classes, **given)


def plug(kind: str, name: str, **given):
    """A plug with its defaults bound, as protocols get it."""
    defaults = {each.name: each.default for each in describe(kind, name).parameters.values() if not each.required}
    return partial(load(kind, name), **{**defaults, **given})


FOREIGN = plug("worlds", "dead_leaves", train=8, test=24, size=16, leaves=20)
FOG = [plug("corruptions", "fog")]
PGD = plug("attacks", "pgd", eps=0.05, steps=2)
PROTOCOLS = {
    "classify": {"attack": PGD},
    "adversarial": {"attack": plug("attacks", "fgsm"), "eps": [0.1]},
    "corrupted": {"corruptions": FOG, "severities": [2]},
    "generalisation": {"attack": PGD, "corruptions": FOG, "images": 16},
    "robustness_uncertainty": {
        **{"foreign": [FOREIGN], "score": plug("scores", "msp"), "attack": PGD, "corruptions": FOG, "severities": [2]}
    },
    "ood": {"near": FOREIGN, "far": [FOREIGN], "tune_on": FOREIGN, "score": plug("scores", "msp"), "tune_count": 8},
    "shift_consistency": {"reach": 1, "images": 8},
    "minimal_perturbation": {"attack": plug("attacks", "deepfool"), "images": 4},
    "self_supervised": {"neighbours": 3},
}
# What asks for wrong labels, a second network, further splits, corruptions that are not given, or a training.
ABSENT = {
    "classify": {"memorised", "recovered"},
    "adversarial": {"agreement"},
    "generalisation": {"shifted_top1"},
    "robustness_uncertainty": {"passes"},
    "shift_consistency": {"corrupted_top1"},
    "self_supervised": {"train_loss"},
}


def as_here(network: Network, world):
    """An arm around a network of this project that draws as those of models do."""
    return FakeArm(
        name="model",
        seed=0,
        device=CPU,
        network=network,
        trained=Trained(network),
        world=world,
        make=lambda world: to_tensors(world(Draw("world", 0, 0)), CPU),
        generator=lambda *names: torch.Generator().manual_seed(seed_of("measure", "models", 0, *names)),
        keep=lambda name, array: None,
    )


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_model_gets_the_numbers_that_a_network_of_this_project_gets(name, shapes):
    """The model has parts named as timm's, so that both are asked for everything."""
    torch.manual_seed(0)
    model = resnet(3, 3, 16).eval()
    mean, std = shapes.train.statistics()
    own = Network(model, mean, std).eval().requires_grad_(False)
    protocol = load("protocols", name)
    expected = list(protocol(as_here(own, shapes), **PROTOCOLS[name]))
    foreign = Measurable(model, shape=(3, 16, 16), classes=shapes.classes, mean=mean.tolist(), std=std.tolist())
    assert list(protocol(ModelArm(foreign, shapes), **PROTOCOLS[name])) == expected
    assert len(expected) > 2


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_plain_torch_model_is_measured_by_protocols_that_ask_for_no_training(name, shapes):
    rows = list(load("protocols", name)(ModelArm(measurable(cnn(), shapes.classes), shapes), **PROTOCOLS[name]))
    declared = set(describe("protocols", name).constants["METRICS"])
    assert declared - {row[0] for row in rows} == ABSENT.get(name, set())
    assert all(torch.isfinite(torch.as_tensor(row[-1])) for row in rows)


def test_logits_features_and_gradients_are_those_of_the_normalised_model():
    model = resnet18(weights=None, num_classes=3)
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)
    images = torch.rand(4, 3, 16, 16)
    shifted = (images - torch.tensor(mean).reshape(3, 1, 1)) / torch.tensor(std).reshape(3, 1, 1)
    asked = Measurable(model, shape=(3, 16, 16), classes=NAMES, mean=mean, std=std)
    model.eval()
    torch.testing.assert_close(asked(images), model(shifted))
    pooled = nn.Sequential(*list(model.children())[:-1], nn.Flatten())(shifted)
    torch.testing.assert_close(asked.features(images), pooled)
    torch.testing.assert_close(outputs(asked, images, ["avgpool"], size=3)["avgpool"].flatten(1), pooled)
    moved = images.clone().requires_grad_(True)
    shifted = (moved - torch.tensor(mean).reshape(3, 1, 1)) / torch.tensor(std).reshape(3, 1, 1)
    (slopes,) = torch.autograd.grad(model(shifted)[:, 1].sum(), moved)
    torch.testing.assert_close(gradient(asked, images, torch.ones(4, dtype=torch.long)), slopes)


def test_the_model_given_stays_as_it_was(shapes):
    model = cnn().train()
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    asked = measurable(model, shapes.classes)
    predict(asked, shapes.test.images)
    assert model.training
    assert all(weight.requires_grad for weight in model.parameters())
    assert all(torch.equal(weights[name], value) for name, value in model.state_dict().items())
    assert not asked.training
    assert not any(weight.requires_grad for weight in asked.parameters())


def test_models_that_share_have_foreign_draws_made_once(shapes):
    shared = Shared()
    arms = [ModelArm(measurable(cnn(), shapes.classes), shapes, name=name, shared=shared) for name in "ab"]
    assert arms[0].make(FOREIGN) is arms[1].make(FOREIGN)
    assert torch.equal(*(torch.rand(3, generator=arm.generator("x")) for arm in arms))
    arms[1].keep("pictures", torch.ones(2))
    assert shared.arrays["b/pictures"].tolist() == [1, 1]


class Broken(nn.Module):
    def __init__(self, give):
        super().__init__()
        self.give = give

    def forward(self, images):
        return self.give(images)


@pytest.mark.parametrize(
    ("give", "said"),
    [
        (lambda images: (images, images), "model Broken: gives a tuple instead of logits"),
        (lambda images: {"logits": images}, "model Broken: gives a dict instead of logits"),
        (lambda images: images, "model Broken: gives (2, 3, 16, 16) for 2 images and 3 classes"),
        (lambda images: torch.zeros(2, 4), "model Broken: gives (2, 4) for 2 images and 3 classes"),
        (lambda images: torch.tensor([[0.0, 1.0, float("nan")]] * 2), "model Broken: gives logits that are NaN"),
    ],
)
def test_what_is_no_classifier_is_said_in_one_line(give, said):
    with pytest.raises(StudyError) as error:
        predict(measurable(Broken(give)), torch.rand(2, 3, 16, 16))
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)


def test_a_model_that_changes_its_input_changes_no_image():
    images = torch.rand(2, 3, 16, 16)
    before = images.clone()
    measurable(Broken(lambda given: given.mul_(0).mean((2, 3))))(images)
    assert torch.equal(images, before)


def test_what_a_model_lacks_is_said_by_whoever_asks(shapes):
    arm = ModelArm(measurable(cnn(), shapes.classes), shapes)
    images, targets = shapes.test.images[:2], shapes.test.labels[:2]
    with pytest.raises(StudyError, match="attribution grad_cam: Sequential has no forward_features and forward_head"):
        grad_cam(arm.network, images, targets)
    with pytest.raises(StudyError, match="model Broken: has no linear layer that sees a row an image"):
        measurable(Broken(lambda given: given.mean((2, 3)))).features(images)
    with pytest.raises(StudyError, match="layers: no module 'layer9' in the model"):
        outputs(arm.network, images, ["layer9"])
    for asked in ("recipe", "precision"):
        with pytest.raises(StudyError, match=f"arm 'model': its network was not trained here, so it has not a {asked}"):
            getattr(arm, asked)
    with pytest.raises(StudyError, match="has not parents"):
        arm.load({})


def test_a_model_is_measured_on_its_own_classes_and_images_alone(shapes):
    turned = shapes.classes[::-1]
    with pytest.raises(StudyError, match="arm 'model': 3 classes of the world and 3 of the model, of which 1 stand"):
        ModelArm(measurable(cnn(), turned), shapes)
    with pytest.raises(StudyError, match=r"arm 'm': images of \(3, 16, 16\) for a model of \(3, 32, 32\)"):
        ModelArm(Measurable(cnn(), shape=(3, 32, 32), classes=shapes.classes), shapes, name="m")
    with pytest.raises(StudyError, match=r"model Sequential: std of shape \(1,\) \(wanted: 3 numbers\)"):
        measurable(cnn(), std=[1.0])
