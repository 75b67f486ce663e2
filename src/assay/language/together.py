"""Which networks are trained together: a recipe's repetitions of a block in one network, where that computes the same.

Only what is known to keep repetitions apart is on the lists: one loss that is a mean over samples, update rules that look at one
weight at a time, models that `assay.training.packing` rewrites. Everything else is trained one repetition at a time.
"""

from collections.abc import Iterable

from assay.language.recipes import HOOKS, Recipe

OBJECTIVES = ("objectives/cross_entropy",)
OPTIMIZERS = ("optimizers/adam", "optimizers/sgd")
MODELS = (
    "models/allconv",
    "models/blurpool_resnet",
    "models/convnet",
    "models/linear",
    "models/mlp",
    "models/resnet",
    "models/squeezed",
    "models/vit",
)


def packs(recipe: Recipe) -> bool:
    """Whether the recipe's repetitions may be trained in one network. Its surgery does not matter, since it comes after they are
    apart again; augmentation neither, since each repetition's batch is its own, nor what is recorded."""
    data = recipe.data
    lists = ((OBJECTIVES, "objective"), (OPTIMIZERS, "optimizer"))
    known = all(data[field]["plug"] in plugs for plugs, field in lists) and _is_known(data["model"])
    hooked = any(data.get(field) for field in HOOKS)
    return known and not hooked and not recipe.parents and data["budget"]["epochs"] > 0


def _is_known(model: dict) -> bool:
    """Whether it is a model of the list, without dropout, which draws from a generator that all would share."""
    parameters = model["parameters"]
    inner = all(_is_known(value) for value in parameters.values() if isinstance(value, dict))
    return model["plug"] in MODELS and not parameters.get("drop_rate") and inner


def together(recipes: Iterable[Recipe], repetitions: int) -> int:
    """How many repetitions are trained together where so many are asked for at once: all, if it can be done for one of these
    networks or of those they are made from, else one."""
    ancestry = (ancestor for recipe in recipes for ancestor in recipe.ancestry())
    return repetitions if any(map(packs, ancestry)) else 1
