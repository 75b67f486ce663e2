"""Repetitions of one recipe trained together, in one network (see packing.py).

Each repetition draws what it would draw alone: its world, its initial weights, the order of its rows, its augmentation. It has
its own loss, statistics, weight decay and records, since no weight is shared; the sums behind each number are those of a training
alone, up to their order. `assay.language.together` says which recipes are trained so.
"""

import time
from collections.abc import Sequence

import torch
from torch import Tensor

from assay.data.batch import Batch, TensorWorld
from assay.language.recipes import Recipe
from assay.training.beginnings import bound_objective, initial_network
from assay.training.binding import bind
from assay.training.network import Trained
from assay.training.packing import Packed, UnpackableError
from assay.training.precision import computing_in
from assay.training.run import CHECK_EVERY_STEPS, Resumable, Run, margins, resumed
from assay.training.setting import Setting
from assay.training.trainer import operated


class Lane(Run):
    """One repetition's part of a training together: what it draws, counts and records. Its network and optimizer are idle."""

    def __init__(self, recipe: Recipe, seed: int, world: TensorWorld, setting: Setting):
        network = initial_network(recipe, seed, world, setting)
        super().__init__(recipe, seed, network, bound_objective(recipe, setting), world, setting)
        self.check_every = self.batches  # in between, one look is at the losses of all

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:
        """The objective, for which the network has answered already."""
        return self.objective.loss(lambda images: logits, batch)

    def keep(self, batch: Batch, loss: Tensor, logits: Tensor) -> None:
        """Take down what came out of a step."""
        self.step_losses.append(loss)
        if "margins" in self.records:
            self.records["margins"][self.epoch, batch.index.cpu()] = margins(logits.float(), batch.labels).cpu()


class Together(Resumable):
    """The state of such a training: what a checkpoint holds and what a step changes."""

    def __init__(self, recipe: Recipe, lanes: Sequence[Lane]):
        self.recipe, self.lanes, self.setting, self.group = recipe, lanes, lanes[0].setting, lanes[0].group
        self.epochs, self.batches = lanes[0].epochs, lanes[0].batches
        self.network = Packed([lane.network for lane in lanes])
        self.optimizer = bind(recipe.data["optimizer"], self.setting.load_parent)(list(self.network.parameters()))
        for group in self.optimizer.param_groups:
            # One pass over the weights of all: a fifth faster than `foreach` for networks as small as these.
            group |= {"initial_lr": group["lr"], "fused": True, "foreach": False}
        self.saved_at = time.monotonic()

    @property
    def epoch(self) -> int:
        return self.lanes[0].epoch

    @property
    def step(self) -> int:
        return self.lanes[0].step

    @property
    def label(self) -> str:
        return f"{self.recipe.name} seeds {self.lanes[0].seed}-{self.lanes[-1].seed}"

    def finish(self) -> float:
        """Train to the end; images a second, of all repetitions, 0 if nothing was left to do."""
        started, images = time.monotonic(), 0
        self.network.train()
        self._keep_snapshots()
        while self.epoch < self.epochs:
            for batches in zip(*[lane.batches_left() for lane in self.lanes], strict=True):
                self._step(batches)
                images += sum(map(len, batches))
                self._keep_snapshots()
                self.pause()
        self.network.unpack()
        return images / (time.monotonic() - started)

    def _step(self, batches: Sequence[Batch]) -> None:
        factor = self.lanes[0].schedule(batches[0].progress)
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor
        self.optimizer.zero_grad(set_to_none=True)
        with computing_in(self.setting.precision, self.setting.device):
            logits = self.network([batch.images for batch in batches])
            losses = torch.stack([lane.loss(*own) for lane, *own in zip(self.lanes, logits, batches, strict=True)])
        # No weight is shared, so the gradient of the sum is to each its own.
        losses.sum().backward()
        self.optimizer.step()
        self._advance(batches, losses.detach(), logits.detach())

    def _advance(self, batches: Sequence[Batch], losses: Tensor, logits: Tensor) -> None:
        for lane, *kept in zip(self.lanes, batches, losses, logits, strict=True):
            lane.keep(*kept)
        asked = len(self.lanes[0].step_losses) % CHECK_EVERY_STEPS[self.setting.device.type] == 0
        bad = asked and not bool(losses.isfinite().all())
        for lane in self.lanes:
            lane.advance(bad)

    def _keep_snapshots(self) -> None:
        if any(map(self.is_at, self.recipe.snapshots)):
            self.network.unpack()
            for lane in self.lanes:
                lane.keep_snapshots()

    @property
    def identity(self) -> dict:
        return {**self.lanes[0].identity, "seed": [lane.seed for lane in self.lanes]}

    def state(self) -> dict:
        return {
            "identity": self.identity,
            "epoch": self.epoch,
            "step": self.step,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "lanes": [lane.taken_down() for lane in self.lanes],
        }

    def load_state(self, state: dict) -> None:
        super().load_state(state)
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        for lane, saved in zip(self.lanes, state["lanes"], strict=True):
            lane.go_on(state["epoch"], state["step"], saved)


def train_together(
    recipe: Recipe, seeds: Sequence[int], settings: Sequence[Setting], worlds: Sequence[TensorWorld]
) -> list[Trained]:
    """Train the recipe's network at these repetitions, in one; setting and world of each beside it. The first setting's
    checkpoint is that of all.

    Raises what `train` raises, and UnpackableError where the worlds differ in size, or the model is not known to be rewritten.
    """
    if len({(len(world.train), world.classes) for world in worlds}) > 1:
        raise UnpackableError("their worlds differ in size")

    def begun() -> Together:
        return Together(recipe, [Lane(recipe, *each) for each in zip(seeds, worlds, settings, strict=True)])

    run = resumed(begun, settings[0])
    images_per_second = run.finish()
    made = []
    for lane, world, setting in zip(run.lanes, worlds, settings, strict=True):
        network = operated(recipe, lane.seed, lane.network, world, setting)
        made.append(Trained(network, lane.records, recipe.data, {}, images_per_second, lane.snapshots))
    return made
