"""What a training begins with: its world, its objective and its network, fresh or with a parent's or published weights."""

from collections.abc import Callable

import torch
from torch import Tensor

from assay.data.batch import TensorWorld
from assay.data.seeds import Draw, seed_of
from assay.errors import StudyError
from assay.language.recipes import Recipe
from assay.training.binding import bind
from assay.training.network import Network, Trained
from assay.training.objective import FunctionObjective, Objective
from assay.training.randomness import seed_global
from assay.training.setting import Setting, no_parents
from assay.training.workarounds import spare_narrow_pointwise

CLASSIFIERS = ("model.fc.", "model.head.")  # where architectures keep what a network may have unlike its parent


def make_world(recipe: Recipe, seed: int, load_parent: Callable[[Recipe], Trained] = no_parents):
    """The numpy world of a recipe at one repetition."""
    world_plug = bind(recipe.data["world"], load_parent)
    return world_plug(Draw("world", recipe.data["draws"]["world"], seed))


def build(recipe: Recipe, channels: int, classes: int, size: int) -> Network:
    """The recipe's architecture, freshly initialised from torch's global generator, with identity normalisation."""
    model = bind(recipe.data["model"], no_parents)(channels, classes, size)
    network = Network(model, torch.zeros(channels), torch.ones(channels))
    spare_narrow_pointwise(network)
    return network.to(memory_format=torch.channels_last)


def built_for(recipe: Recipe, world: TensorWorld) -> Network:
    """The recipe's architecture for the images and classes of its world, freshly initialised."""
    channels, size = world.train.images.shape[1], world.train.images.shape[-1]
    return build(recipe, channels, len(world.classes), size)


def initial_network(recipe: Recipe, seed: int, world: TensorWorld, setting: Setting) -> Network:
    """The network before the first step, on the device: a seed's own draw, over which a parent's weights are copied, or published
    ones. StudyError where a parent has another architecture."""
    seed_global(seed_of("init", recipe.data["draws"]["init"], seed), setting.device)
    network = built_for(recipe, world)
    for own, statistic in zip((network.mean, network.std), _input_statistics(recipe, network, world), strict=True):
        own.copy_(statistic.reshape(own.shape))
    if recipe.data["start"]:
        parent = setting.load_parent(Recipe(recipe.data["start"]["recipe"]))
        _copy_matching(parent.network.state_dict(), network, recipe)
    return network.to(setting.device)


def _input_statistics(recipe: Recipe, network: Network, world: TensorWorld) -> tuple[Tensor, Tensor]:
    """Mean and spread of each channel: the world's, or what published weights, loaded here, were trained with."""
    if hasattr(network.model, "start_pretrained") and not recipe.data["start"]:
        return network.model.start_pretrained()
    return world.train.statistics()


def _copy_matching(weights: dict[str, Tensor], network: Network, recipe: Recipe) -> None:
    """Start from a parent's weights and its input statistics; only a classifier of another kind or shape stays fresh."""
    own = network.state_dict()
    missing = sorted(name for name in set(own) ^ set(weights) if not name.startswith(CLASSIFIERS))
    if missing:
        raise StudyError(
            f"{recipe.name}: start: the parent's architecture differs (only one of the two has {missing[0]}); use the same model"
        )
    # A parent may have lived on a GPU with another memory layout; copy_ takes both.
    for name, value in weights.items():
        if name in own and own[name].shape == value.shape:
            own[name].copy_(value)


def bound_objective(recipe: Recipe, setting: Setting) -> Objective:
    """The recipe's objective; a plain loss function is wrapped as one."""
    bound = bind(recipe.data["objective"], setting.load_parent)
    is_class = isinstance(bound.func, type) and issubclass(bound.func, Objective)
    return bound() if is_class else FunctionObjective(bound)
