"""The trainer: one loop for all objectives, on tensors that live on the device.

Randomness comes from generators seeded by hashing the names of the axes that may move (world, init, order, augment), the
repetition and the epoch. So compared arms share data, initialisation and order. A checkpoint holds the state of every
generator: a training resumed at any step is bit-identical to one never interrupted.
"""

from functools import partial

import torch
from torch import Tensor

from assay.data.batch import TensorWorld, to_tensors
from assay.data.seeds import seed_of
from assay.errors import StudyError
from assay.language.recipes import Recipe
from assay.training.beginnings import bound_objective, initial_network, make_world
from assay.training.binding import bind
from assay.training.distributed import Group
from assay.training.network import Bench, Network, Trained
from assay.training.randomness import seed_global
from assay.training.run import Run, resumed
from assay.training.setting import Setting


def train(recipe: Recipe, seed: int, setting: Setting | None = None, world: TensorWorld | None = None) -> Trained:
    """Train the recipe's network at one repetition.

    Raises TrainingError when a loss is not finite, naming the step and the last finite loss; StudyError when the world cannot
    train it, or several processes cannot; PreemptedError when it was asked to stop.
    """
    setting = setting or Setting()
    _check_group(recipe, setting.group)
    if world is None:
        world = to_tensors(make_world(recipe, seed, setting.load_parent), setting.device)
    run = resumed(partial(_begun, recipe, seed, world, setting), setting)
    images_per_second = run.finish()
    network = operated(recipe, seed, run.trained_network(), world, setting)
    # What an objective keeps besides tensors is for resuming alone.
    objective = {k: v.detach() for k, v in run.objective.state_dict().items() if isinstance(v, Tensor)}
    return Trained(network, run.records, recipe.data, objective, images_per_second, run.snapshots)


def _check_group(recipe: Recipe, group: Group) -> None:
    """StudyError unless this many processes can share the recipe's batches."""
    if group.size > 1 and not recipe.splits and recipe.data["budget"]["epochs"]:
        raise StudyError(
            f"{recipe.name}: {recipe.data['objective']['plug']}: the loss of a batch is not the mean of its samples' losses, so"
            f" {group.size} processes cannot share it; give this job one GPU"
        )
    if recipe.data["budget"]["batch"] < group.size:
        raise StudyError(f"{recipe.name}: budget: batch: {recipe.data['budget']['batch']} is less than {group.size} processes")


def _begun(recipe: Recipe, seed: int, world: TensorWorld, setting: Setting) -> Run:
    network = initial_network(recipe, seed, world, setting)
    seed_global(seed_of("objective", recipe.data["draws"]["init"], seed), setting.device)
    objective = bound_objective(recipe, setting)
    objective.prepare(network, world)
    objective.to(setting.device)
    return Run(recipe, seed, network, objective, world, setting)


def operated(recipe: Recipe, seed: int, network: Network, world: TensorWorld, setting: Setting) -> Network:
    """The network after the recipe's surgery, in evaluation mode and frozen."""
    for position, spec in enumerate(recipe.data["surgery"]):
        generator = torch.Generator(setting.device).manual_seed(seed_of("surgery", position, seed))
        network.eval()
        network = bind(spec, setting.load_parent)(network, Bench(world, generator, setting.device))
    return network.eval().requires_grad_(False)
