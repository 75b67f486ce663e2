"""Repetitions of one recipe trained together, in one network (see packing.py).

Each repetition draws what it would draw alone: its world, its initial weights, the order of its rows, its augmentation. It has
its own loss, statistics, weight decay and records, since no weight is shared; the sums behind each number are those of a training
alone, up to their order. `assay.language.together` says which recipes are trained so.
"""

import time
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from assay.data.batch import Batch, TensorWorld
from assay.errors import EvidenceError, PreemptedError
from assay.language.recipes import Recipe
from assay.storage.checkpoints import UNREADABLE, read_checkpoint, write_checkpoint
from assay.training.beginnings import bound_objective, initial_network
from assay.training.binding import bind
from assay.training.network import Trained
from assay.training.packing import Packed, UnpackableError
from assay.training.precision import computing_in
from assay.training.run import CHECK_EVERY_STEPS, Run, margins
from assay.training.setting import Setting
from assay.training.trainer import _first_line, _surgery


class Lane(Run):
    """One repetition's part of a training together: what it draws, counts and records. Its network and optimizer are idle."""

    def __init__(self, recipe: Recipe, seed: int, world: TensorWorld, setting: Setting):
        network = initial_network(recipe, seed, world, setting)
        super().__init__(recipe, seed, network, bound_objective(recipe, setting), world, setting)
        self.targets = F.one_hot(world.train.labels, len(world.classes)).to(network.mean.dtype)

    def batches_left(self) -> Iterator[Batch]:
        """What is left of this epoch, batch by batch."""
        if self.step == 0:
            self._start_epoch()
        parts = torch.tensor_split(self._order(), self.batches)[self.step :]
        return map(self._batch, parts, self.world.train.batches(parts))

    def _batch(self, rows: Tensor, images: Tensor) -> Batch:
        split = self.world.train
        factors = {name: value[rows] for name, value in split.factors.items()} if self.augment else {}
        progress = (self.epoch * self.batches + self.step) / (self.epochs * self.batches)
        batch = Batch(images, split.labels[rows], self.targets[rows], rows, images, progress, (), factors)
        for augment in self.augment:
            batch = augment(batch, self.augment_generator)
        return batch

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:
        """The objective, for which the network has answered already."""
        return self.objective.loss(lambda images: logits, batch)

    def keep(self, batch: Batch, loss: Tensor, logits: Tensor) -> None:
        """Take down what came out of a step."""
        self.unchecked.append(loss)
        if "margins" in self.records:
            self.records["margins"][self.epoch, batch.index.cpu()] = margins(logits.float(), batch.labels).cpu()

    def advance(self, check: bool) -> None:
        """Count the step, and the epoch with its last; TrainingError if a loss was not finite, looked for at the end of an epoch
        or if asked to."""
        self.step += 1
        done = self.step == self.batches
        if check or done:
            self._check()
        if done:
            self.epoch, self.step = self.epoch + 1, 0
            self.setting.report(self.epoch, self.epochs, float(self.records["loss"][self.epoch - 1]))

    def state(self) -> dict:
        return {
            "unchecked": self.unchecked,
            "last_finite": self.last_finite,
            "records": self.records,
            "augment": self.augment_generator.get_state(),
        }

    def load_state(self, state: dict) -> None:
        self.unchecked = [loss.to(self.setting.device) for loss in state["unchecked"]]
        self.last_finite = state["last_finite"]
        for name, record in self.records.items():
            record.copy_(state["records"][name])
        self.augment_generator.set_state(state["augment"])


class Together:
    """The state of such a training: what a checkpoint holds and what a step changes."""

    def __init__(self, recipe: Recipe, lanes: Sequence[Lane]):
        self.recipe, self.lanes, self.setting = recipe, lanes, lanes[0].setting
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
    def name(self) -> str:
        """The recipe and its repetitions, for lines of the log."""
        return f"{self.recipe.name} seeds {self.lanes[0].seed}-{self.lanes[-1].seed}"

    def finish(self) -> float:
        """Train to the end; images a second, of all repetitions, 0 if nothing was left to do."""
        started, images = time.monotonic(), 0
        self.network.train()
        while self.epoch < self.epochs:
            for batches in zip(*[lane.batches_left() for lane in self.lanes], strict=True):
                self._step(batches)
                images += sum(map(len, batches))
                self._pause()
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
        asked = len(self.lanes[0].unchecked) % CHECK_EVERY_STEPS[self.setting.device.type] == 0
        bad = asked and not bool(losses.isfinite().all())
        for lane in self.lanes:
            lane.advance(bad)

    def _pause(self) -> None:
        """Between two steps: write the checkpoint if it is time, or if the training is to stop."""
        if self.epoch == self.epochs:
            return
        stop, due = self.setting.stop(), time.monotonic() - self.saved_at >= self.setting.checkpoint_seconds
        if self.setting.checkpoint is not None and (stop or due):
            write_checkpoint(self.setting.checkpoint, self.state())
            self.saved_at = time.monotonic()
        if stop:
            done, steps = self.epoch * self.batches + self.step, self.epochs * self.batches
            raise PreemptedError(f"{self.name}: asked to stop after step {done} of {steps}; run again, it goes on there")

    @property
    def identity(self) -> dict:
        """What must be the same for a checkpoint to be of this very training."""
        return {**self.lanes[0].identity, "seed": [lane.seed for lane in self.lanes]}

    def state(self) -> dict:
        return {
            "identity": self.identity,
            "epoch": self.epoch,
            "step": self.step,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "lanes": [lane.state() for lane in self.lanes],
        }

    def load_state(self, state: dict) -> None:
        """Go on from a checkpoint's state; EvidenceError if it is of another training."""
        differs = [name for name, value in self.identity.items() if state["identity"][name] != value]
        if differs:
            raise EvidenceError(f"it was written with another {' and '.join(differs)}")
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        for lane, saved in zip(self.lanes, state["lanes"], strict=True):
            lane.load_state(saved)
            lane.epoch, lane.step = state["epoch"], state["step"]


def train_together(
    recipe: Recipe, seeds: Sequence[int], settings: Sequence[Setting], worlds: Sequence[TensorWorld]
) -> list[Trained]:
    """Train the recipe's network at these repetitions, in one; setting and world of each beside it. The first setting's
    checkpoint is that of all.

    Raises what `train` raises, and UnpackableError where the worlds differ in size, or the model is not known to be rewritten.
    """
    if len({(len(world.train), world.classes) for world in worlds}) > 1:
        raise UnpackableError("their worlds differ in size")
    run = _resumed(recipe, seeds, settings, worlds)
    images_per_second = run.finish()
    made = []
    for lane, world, setting in zip(run.lanes, worlds, settings, strict=True):
        network = _surgery(recipe, lane.seed, lane.network, world, setting)
        network.eval().requires_grad_(False)
        made.append(Trained(network, lane.records, recipe.data, {}, images_per_second))
    return made


def _resumed(recipe: Recipe, seeds: Sequence[int], settings: Sequence[Setting], worlds: Sequence[TensorWorld]) -> Together:
    """The training where its checkpoint left it, or at its beginning if there is none that fits."""

    def begun() -> Together:
        return Together(recipe, [Lane(recipe, *each) for each in zip(seeds, worlds, settings, strict=True)])

    run, checkpoint, say = begun(), settings[0].checkpoint, settings[0].say
    if checkpoint is None or not checkpoint.exists():
        return run
    try:
        run.load_state(read_checkpoint(checkpoint))
    except (EvidenceError, *UNREADABLE) as error:
        say(f"{checkpoint}: not used, the training begins anew ({_first_line(error)})")
        return begun()
    say(f"{run.name}: goes on after epoch {run.epoch}, step {run.step}, from its checkpoint")
    return run
