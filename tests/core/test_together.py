"""Repetitions trained together against the same trained alone: in double precision the same numbers, whatever is asked for."""

import pytest
import torch
from together_cases import MODEL_CASES, MUTANTS, OPTIMIZERS, SEEDS, plug, recipe, recipe_of_mutants, settings, state, worlds_of
from torch import nn

from assay.language import together as listing
from assay.language.together import MODELS, packs
from assay.training.beginnings import initial_network
from assay.training.packing import Packed, UnpackableError
from assay.training.setting import Setting
from assay.training.together import train_together
from assay.training.trainer import train

STEPS = 20
URBAN = plug("worlds/urban_shapes", size=16, train=40, test=16)
AUGMENT_CASES = {
    "augmix": plug("augment/augmix", views=0),
    "color_jitter": plug("augment/color_jitter"),
    "crop": plug("augment/crop"),
    "cutmix": plug("augment/cutmix"),
    "cutout": plug("augment/cutout"),
    "flip": plug("augment/flip"),
    "grayscale": plug("augment/grayscale"),
    "mixup": plug("augment/mixup"),
    "noise": plug("augment/noise"),
    "one_operation": plug("augment/one_operation"),
    "resized_crop": plug("augment/resized_crop"),
    "swap_shortcuts": plug("augment/swap_shortcuts"),
    "views": plug("augment/views", of=[plug("augment/flip")]),
}
ALL = [each for name, each in AUGMENT_CASES.items() if name != "swap_shortcuts"]
SCHEDULES = {"constant": plug("schedules/constant"), "stopped": plug("schedules/stopped_cosine", share=0.5)}


@pytest.fixture
def double(monkeypatch):
    """Compute in double precision throughout, also where something asks for single."""
    torch.set_default_dtype(torch.float64)
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    yield
    torch.set_default_dtype(torch.float32)


def distance(one, other):
    """The largest relative distance between two trained networks' tensors and records."""
    assert state(one).keys() == state(other).keys()
    pairs = zip(state(one).values(), state(other).values(), strict=True)
    return max(((a.double() - b.double()).norm() / a.double().norm().clamp_min(1e-12)).item() for a, b in pairs)


def furthest(asked):
    worlds = worlds_of(asked, torch.float64)
    alone = [train(asked, seed, Setting(), world) for seed, world in zip(SEEDS, worlds, strict=True)]
    assert asked.data["budget"]["epochs"] * max(1, len(worlds[0].train) // asked.data["budget"]["batch"]) == STEPS
    return max(map(distance, alone, train_together(asked, SEEDS, settings(), worlds)))


@pytest.mark.parametrize("augment", [[], ALL], ids=["plain", "augmented"])
@pytest.mark.parametrize("model", MODEL_CASES.values(), ids=MODEL_CASES)
def test_each_model_computes_what_it_does_alone(double, model, augment):
    assert furthest(recipe(model=model, augment=augment)) < 1e-9


@pytest.mark.parametrize("name", AUGMENT_CASES)
def test_each_augmentation_is_drawn_as_alone(double, name):
    world = URBAN if name == "swap_shortcuts" else recipe().data["world"]
    assert furthest(recipe(world=world, augment=[AUGMENT_CASES[name]])) < 1e-9


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("model", ["vit", "resnet", "convnet"])
def test_each_optimizer_acts_on_each_repetition_alone(double, model, optimizer):
    assert furthest(recipe(model=MODEL_CASES[model], optimizer=optimizer)) < 1e-9


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_schedules_and_soft_targets(double, schedule):
    smooth = plug("objectives/cross_entropy", label_smoothing=0.2)
    assert furthest(recipe(schedule=schedule, objective=smooth, augment=[plug("augment/mixup")])) < 1e-9


@pytest.mark.parametrize(("pool", "tokens"), [("token", 1), ("avg", 17)])
def test_the_last_block_of_a_transformer_computes_the_tokens_that_are_pooled(double, pool, tokens):
    asked = recipe(model=MODEL_CASES["vit"])
    worlds = worlds_of(asked, torch.float64)
    networks = [initial_network(asked, s, w, Setting()) for s, w in zip(SEEDS, worlds, strict=True)]
    for network in networks:
        network.model.global_pool = pool
    packed, seen = Packed(networks), []
    packed.model.blocks[-1].mlp.register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
    images = [world.train.images[:5] for world in worlds]
    logits = packed(images)
    assert seen == [(5 * len(SEEDS), tokens, 12)]
    alone = torch.stack([network(own) for network, own in zip(networks, images, strict=True)])
    assert torch.allclose(logits, alone, rtol=0, atol=1e-12)
    for each in (logits, alone):
        each.square().sum().backward()
    packed_gradients = [own for value, _ in packed.pairs if value.requires_grad for own in value.grad]
    own_gradients = [own.grad for value, owns in packed.pairs if value.requires_grad for own in owns]
    assert len(own_gradients) == sum(len(list(network.parameters())) for network in networks)
    for packed_one, own in zip(packed_gradients, own_gradients, strict=True):
        assert torch.allclose(packed_one, own, rtol=0, atol=1e-11)


def test_the_lists_cover_all_that_is_taken():
    assert {case["plug"] for case in MODEL_CASES.values()} == set(MODELS)
    assert {case["plug"] for case in OPTIMIZERS.values()} == set(listing.OPTIMIZERS)


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_wrong_version_is_seen(double, monkeypatch, mutant):
    asked = recipe_of_mutants()
    worlds = worlds_of(asked, torch.float64)
    alone = [train(asked, seed, Setting(), world) for seed, world in zip(SEEDS, worlds, strict=True)]
    assert max(map(distance, alone, train_together(asked, SEEDS, settings(), worlds))) < 1e-9
    MUTANTS[mutant](monkeypatch)
    assert max(map(distance, alone, train_together(asked, SEEDS, settings(), worlds))) > 1e-4


@pytest.mark.parametrize("model", MODEL_CASES.values(), ids=MODEL_CASES)
def test_initial_weights_are_those_of_the_networks_alone_to_the_bit(model):
    asked = recipe(model=model)
    networks = [initial_network(asked, s, w, Setting()) for s, w in zip(SEEDS, worlds_of(asked), strict=True)]
    before = [{name: value.clone() for name, value in network.state_dict().items()} for network in networks]
    packed = Packed(networks)
    count = sum(p.numel() for network in networks for p in network.parameters())
    assert sum(p.numel() for p in packed.parameters()) == count
    for network in networks:
        for parameter in network.parameters():
            parameter.data.zero_()
    packed.unpack()
    for network, values in zip(networks, before, strict=True):
        assert all(torch.equal(value, values[name]) for name, value in network.state_dict().items())
        assert {n: v.stride() for n, v in network.state_dict().items()} == {n: v.stride() for n, v in values.items()}


def test_a_network_is_trained_alike_whoever_is_beside_it(double):
    asked = recipe(model=MODEL_CASES["convnet"])
    worlds = worlds_of(asked, torch.float64)
    three = train_together(asked, SEEDS, settings(), worlds)
    two = train_together(asked, [2, 0], settings()[:2], [worlds[2], worlds[0]])
    assert distance(three[2], two[0]) < 1e-9
    assert distance(three[0], two[1]) < 1e-9


def test_surgery_comes_after_they_are_apart(double):
    asked = recipe(surgery=[plug("surgery/nearest_centroid")])
    assert furthest(asked) < 1e-9


@pytest.mark.parametrize(
    "changes",
    [
        {"objective": plug("objectives/l2_svm")},
        {"optimizer": plug("optimizers/sam")},
        {"model": plug("models/mlp", width=12, hidden=2, drop_rate=0.5)},
        {"model": plug("models/stochastic_depth")},
        {"model": plug("models/squeezed", of=plug("models/aps"), bits=1)},
        {"model": plug("models/timm", name="resnet18")},
        {"budget": {"epochs": 0, "batch": 8}},
        {"start": {"recipe": recipe().data}},
        {"world": plug("worlds/without_flagged", of=plug("worlds/shapes"), runs=[{"recipe": recipe().data}])},
    ],
    ids=str,
)
def test_everything_else_is_trained_alone(changes):
    assert packs(recipe())
    assert not packs(recipe(**changes))


@pytest.mark.parametrize(
    "layer", [nn.GroupNorm(2, 12), nn.Dropout(0.5), nn.BatchNorm1d(12)], ids=lambda layer: type(layer).__name__
)
def test_a_module_that_is_not_listed_is_refused(layer):
    networks = [initial_network(recipe(), s, w, Setting()) for s, w in zip(SEEDS, worlds_of(recipe()), strict=True)]
    for network in networks:
        network.model.layers[0][2] = layer
    with pytest.raises(UnpackableError):
        Packed(networks)


def test_weights_of_a_module_s_own_are_refused():
    networks = [initial_network(recipe(), s, w, Setting()) for s, w in zip(SEEDS, worlds_of(recipe()), strict=True)]
    for network in networks:
        network.model.scale = nn.Parameter(torch.ones(()))
    with pytest.raises(UnpackableError, match="MLP has weights or dropout of its own"):
        Packed(networks)
