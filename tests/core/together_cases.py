"""Small recipes to train together."""

import json
from dataclasses import replace
from functools import cache

import torch

from assay.data.batch import to_tensors
from assay.language.recipes import Recipe
from assay.training import packing, run
from assay.training.beginnings import make_world
from assay.training.packing import Packed
from assay.training.setting import Setting
from assay.training.together import Lane

CPU = torch.device("cpu")
SEEDS = range(3)


def plug(kind, **parameters):
    return {"plug": kind, "parameters": parameters}


def recipe(**changes):
    data = {
        "world": plug("worlds/shapes", size=16, train=40, test=16),
        "model": plug("models/mlp", width=12, hidden=2, drop_rate=0.0),
        "augment": [],
        "objective": plug("objectives/cross_entropy", label_smoothing=0.0),
        "optimizer": plug("optimizers/sgd", lr=0.1, momentum=0.9, weight_decay=0.01),
        "schedule": plug("schedules/cosine"),
        "budget": {"epochs": 4, "batch": 8},
        "start": None,
        "surgery": [],
        "record": ["margins"],
        "draws": {"world": 0, "init": 0, "order": 0, "augment": 0},
    }
    return Recipe({**data, **changes})


CONVNET = plug("models/convnet", width=3, dense=8, kernel=3, drop_rate=0.0)
MODEL_CASES = {
    "allconv": plug("models/allconv", width=2),
    "allconv without norm": plug("models/allconv", width=2, norm=False),
    "blurpool before": plug("models/blurpool_resnet", width=2, taps=3, place="before"),
    "blurpool after": plug("models/blurpool_resnet", width=2, taps=5, place="after"),
    "blurpool none": plug("models/blurpool_resnet", width=2, taps=1),
    "convnet": CONVNET,
    "linear": plug("models/linear"),
    "mlp": recipe().data["model"],
    "resnet": plug("models/resnet", width=4, blocks=2),
    "squeezed": plug("models/squeezed", of=CONVNET, bits=2),
    "vit": plug("models/vit", patch=4, width=12, depth=2, heads=3),
}
OPTIMIZERS = {
    "nesterov": recipe().data["optimizer"],
    "no momentum": plug("optimizers/sgd", lr=0.1, momentum=0.0, weight_decay=0.01),
    "adam": plug("optimizers/adam", lr=0.01, weight_decay=0.1),
}


@cache
def world_of(text, seed):
    return to_tensors(make_world(recipe(world=json.loads(text)), seed), CPU)


def worlds_of(asked, dtype=None):
    worlds = [world_of(json.dumps(asked.data["world"]), seed) for seed in SEEDS]
    if dtype is None:
        return worlds

    def cast(split):
        factors = {k: v.to(dtype) if v.is_floating_point() else v for k, v in split.factors.items()}
        return replace(split, images=split.images.to(dtype), factors=factors)

    return [replace(world, train=cast(world.train), test=cast(world.test)) for world in worlds]


def settings(**given):
    return [Setting(**given)] * len(SEEDS)


def state(trained):
    return {**trained.network.state_dict(), **trained.records}


def _first_seed(self, name):
    """A lane's method, as the first repetition would do it."""
    seed, self.seed = self.seed, 0
    try:
        return getattr(run.Run, name)(self)
    finally:
        self.seed = seed


MUTANTS = {
    "order of the first": lambda m: m.setattr(Lane, "_order", lambda self: _first_seed(self, "_order")),
    "streams of the first": lambda m: m.setattr(Lane, "_start_epoch", lambda self: _first_seed(self, "_start_epoch")),
    "statistics of the first": lambda m: m.setattr(
        Packed, "forward", lambda self, images, plain=Packed.forward: plain(_with_first(self), images)
    ),
    "statistics of all": lambda m: m.setattr(packing._BatchNorm, "forward", _over_all),
    "losses summed over samples": lambda m: m.setattr(
        Lane, "loss", lambda self, logits, batch, plain=Lane.loss: plain(self, logits, batch) * len(batch)
    ),
    "losses averaged over repetitions": lambda m: m.setattr(
        torch.Tensor, "sum", lambda self, *axes, plain=torch.Tensor.sum: plain(self, *axes) / (len(SEEDS) if not axes else 1)
    ),
    "no weight decay": lambda m: m.setitem(recipe_of_mutants().data["optimizer"]["parameters"], "weight_decay", 0.0),
    "no smoothing": lambda m: m.setitem(recipe_of_mutants().data["objective"]["parameters"], "label_smoothing", 0.0),
}


@cache
def recipe_of_mutants():
    smooth = plug("objectives/cross_entropy", label_smoothing=0.1)
    return recipe(model=MODEL_CASES["resnet"], augment=[plug("augment/crop"), plug("augment/mixup")], objective=smooth)


def _with_first(packed):
    packed.mean = packed.mean[:, :3].repeat(1, packed.count, 1, 1)
    return packed


def _over_all(self, maps):
    """Batch normalisation by the moments of all repetitions together."""
    S = len(self.running_mean)
    parts = maps.unflatten(1, (S, -1))
    centred = parts - parts.mean((0, 1, 3, 4), keepdim=True)
    spread = centred.square().mean((0, 1, 3, 4), keepdim=True).add(self.eps).sqrt()
    weight, bias = (value[None, :, :, None, None] for value in (self.weight, self.bias))
    return (centred / spread * weight + bias).flatten(1, 2)
