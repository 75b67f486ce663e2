"""Small data and networks that every kind of plug can be tried on, and parameters for plugs that require some."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import torch

from assay.data.batch import Batch, TensorWorld, to_tensors
from assay.data.seeds import Draw
from assay.language.plugs import PlugInfo, describe, load
from assay.training.network import Network, Trained


@dataclass(frozen=True)
class Needs:
    """What a plug needs to be tried: parameters it requires, a world with certain factors, a model it works on, an augmentation
    that makes what it reads."""

    world: str = "shapes"
    model: str = "resnet"
    model_parameters: dict[str, Any] = field(default_factory=dict)
    augment: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)


NEEDS = {
    # Random starts would differ between a batch and its halves.
    "objectives/adversarial_training": Needs(parameters={"attack": partial(load("attacks", "pgd"), random_start=False)}),
    "attributions/lrp": Needs(model="allconv", model_parameters={"norm": False}),
    "augment/swap_shortcuts": Needs(world="urban_shapes"),
    "models/timm": Needs(parameters={"name": "test_vit"}),
    "objectives/gan": Needs(model="generator"),
    "objectives/group_dro": Needs(world="urban_shapes", parameters={"factors": ["background"]}),
    "objectives/jsd": Needs(augment="augmix"),
    "objectives/last_layer_ensemble": Needs(world="urban_shapes", model="last_layer_ensemble", augment="swap_shortcuts"),
    "objectives/reconstruction": Needs(model="autoencoder"),
    "objectives/rex": Needs(world="urban_shapes", parameters={"factor": "background"}),
    "objectives/simclr": Needs(augment="views"),
    "objectives/simsiam": Needs(augment="views"),
    "objectives/spectral_gan": Needs(model="generator"),
    "surgery/best_member": Needs(world="fold"),
    "surgery/greedy_soup": Needs(world="fold"),
}
# Plugs for required parameters that name one.
PLUGS = {
    "augment": "flip",
    "attacks": "fgsm",
    "worlds": "shapes",
    "models": "resnet",
    "scores": "msp",
    "attributions": "gradient",
}
SIZES = {"size": 16, "train": 64, "test": 32}


def needs(plug: str) -> Needs:
    return NEEDS.get(plug, Needs())


@cache
def world_for(plug: str) -> TensorWorld:
    """A tiny world that the plug can work on."""
    name, draw = needs(plug).world, Draw("contracts")
    make = load("worlds", name)
    world = make(draw, of=partial(load("worlds", "shapes"), **SIZES)) if name == "fold" else make(draw, **SIZES)
    return to_tensors(world, torch.device("cpu"))


def batch_for(plug: str, count: int = 16) -> Batch:
    """The first training images of a world that the plug can work on."""
    world = world_for(plug)
    split = world.train
    images, labels = split.images[:count], split.labels[:count]
    targets = torch.nn.functional.one_hot(labels, len(world.classes)).float()
    factors = {name: value[:count] for name, value in split.factors.items()}
    return Batch(images, labels, targets, torch.arange(count), images, 0.5, (), factors)


def network_for(plug: str) -> Network:
    """A fresh network in evaluation mode that the plug can work on."""
    torch.manual_seed(0)
    world, wanted = world_for(plug), needs(plug)
    images = world.train.images
    make = bound(describe("models", wanted.model), **wanted.model_parameters)
    return Network(
        make(images.shape[1], len(world.classes), images.shape[-1]), images.mean((0, 2, 3)), images.std((0, 2, 3))
    ).eval()


def bound(info: PlugInfo, **parameters: Any) -> Callable:
    """The plug with everything it requires filled in."""
    name = f"{info.kind}/{info.name}"
    given = {**needs(name).parameters, **parameters}
    for parameter in info.parameters.values():
        if parameter.name in given:
            continue
        if parameter.parent and parameter.required:
            trained = Trained(network_for(name).requires_grad_(False))
            given[parameter.name] = [trained, trained] if parameter.many else trained
        elif parameter.plug and (parameter.required or isinstance(parameter.default, str | list)):
            names = PLUGS[parameter.plug] if parameter.required else parameter.default
            made = [load(parameter.plug, each) for each in ([names] if isinstance(names, str) else names)]
            given[parameter.name] = made if parameter.many else made[0]
    return partial(load(info.kind, info.name), **given)
