"""The state of one training, the steps that change it, and the checkpoints it can go on from."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn

from assay.data.batch import Batch, Epoch, Rows, TensorWorld
from assay.data.seeds import seed_of
from assay.errors import EvidenceError, PreemptedError, StudyError, TrainingError
from assay.language.recipes import Recipe
from assay.storage.checkpoints import UNREADABLE, read_checkpoint, write_checkpoint
from assay.training.beginnings import built_for
from assay.training.binding import bind
from assay.training.distributed import Group, synchronise_batch_norm
from assay.training.network import Network
from assay.training.objective import Objective, Player
from assay.training.precision import computing_in
from assay.training.randomness import seed_global
from assay.training.setting import Setting

T = TypeVar("T", bound="Resumable")

CHECK_EVERY_STEPS = {"cpu": 1, "cuda": 50}  # how often losses are asked whether they are finite; a GPU is to run ahead


class Resumable:
    """A training that may be stopped between two steps and goes on from its checkpoint."""

    setting: Setting
    group: Group
    epochs: int
    batches: int
    epoch: int
    step: int
    saved_at: float

    @property
    def label(self) -> str:
        """What it is, for lines of the log."""
        raise NotImplementedError

    @property
    def identity(self) -> dict:
        """What must be the same for a checkpoint to be of this very training."""
        raise NotImplementedError

    def state(self) -> dict:
        """What a checkpoint holds."""
        raise NotImplementedError

    def load_state(self, state: dict) -> None:
        """Go on from a checkpoint's state; EvidenceError if it is of another training."""
        differs = [name for name, value in self.identity.items() if state["identity"][name] != value]
        if differs:
            raise EvidenceError(f"it was written with another {' and '.join(differs)}")

    @property
    def steps(self) -> int:
        """How many steps the whole training has."""
        return self.epochs * self.batches

    @property
    def done(self) -> int:
        """How many of them are done."""
        return self.epoch * self.batches + self.step

    def is_at(self, share: float) -> bool:
        """Whether this share of its steps, to the nearest, is done."""
        return self.done == round(share * self.steps)

    def pause(self) -> None:
        """Between two steps: write the checkpoint if it is time, or if the training is to stop."""
        if self.epoch == self.epochs:
            return
        due = time.monotonic() - self.saved_at >= self.setting.checkpoint_seconds
        stop, due = self.group.any(self.setting.stop(), due)
        if self.setting.checkpoint is not None and (stop or due):
            state = self.state()
            if self.group.leads:
                write_checkpoint(self.setting.checkpoint, state)
            self.saved_at = time.monotonic()
        if stop:
            raise PreemptedError(
                f"{self.label}: asked to stop after step {self.done} of {self.steps}; run again, it goes on there"
            )


def resumed(begin: Callable[[], T], setting: Setting) -> T:
    """The Resumable that `begin` makes where its checkpoint left it, or at its beginning if there is none that fits."""
    run = begin()
    if setting.checkpoint is None or not setting.checkpoint.exists():
        return run
    try:
        run.load_state(read_checkpoint(setting.checkpoint))
    except (EvidenceError, *UNREADABLE) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        setting.say(f"{setting.checkpoint}: not used, the training begins anew ({reason})")
        return begin()
    setting.say(f"{run.label}: goes on after epoch {run.epoch}, step {run.step}, from its checkpoint")
    return run


class Run(Resumable):
    """The state of one training: what a checkpoint holds and what a step changes."""

    def __init__(self, recipe: Recipe, seed: int, network: Network, objective: Objective, world: TensorWorld, setting: Setting):
        self.recipe, self.seed, self.network, self.objective = recipe, seed, network, objective
        self.world, self.setting, self.group = world, setting, setting.group
        self.epochs, self.batch_size = recipe.data["budget"]["epochs"], recipe.data["budget"]["batch"]
        self.batches = max(1, len(world.train) // self.batch_size)
        self.epoch, self.step = 0, 0
        for module in (network, objective):
            synchronise_batch_norm(module, self.group, setting.device)
        players = list(objective.players(network)) if self.epochs else []
        self.losses = [self.group.loss_of(player, network) for player in players]
        make_optimizer = bind(recipe.data["optimizer"], setting.load_parent)
        self.optimizers = [make_optimizer(_parameters(player)) for player in players]
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["initial_lr"] = group["lr"]
        self.schedule = bind(recipe.data["schedule"], setting.load_parent)
        self.augment = bind(recipe.data["augment"], setting.load_parent)
        self.sampler = bind(recipe.data.get("sampler"), setting.load_parent)
        self.augment_generator = torch.Generator(setting.device)
        self.one_hot = torch.eye(len(world.classes), dtype=network.mean.dtype, device=setting.device)
        self.check_every = CHECK_EVERY_STEPS[setting.device.type]
        self.step_losses: list[Tensor] = []  # of this epoch
        self.last_finite = float("nan")
        self.records = {"loss": torch.full((self.epochs,), float("nan"))}
        if "margins" in recipe.data["record"]:
            self.records["margins"] = torch.full((self.epochs, len(world.train)), float("nan"))
        self.snapshots: dict[str, dict[str, Tensor]] = {}
        self.saved_at = time.monotonic()

    def finish(self) -> float:
        """Train to the end; images a second, 0 if nothing was left to do."""
        started, images = time.monotonic(), 0
        self.keep_snapshots()
        while self.epoch < self.epochs:
            images += self._finish_epoch()
        return images / (time.monotonic() - started)

    def trained_network(self) -> Network:
        """The network as the recipe builds it, free of what several processes need."""
        if self.group.size == 1:
            return self.network
        plain = built_for(self.recipe, self.world)
        plain.load_state_dict(self.network.state_dict())
        return plain.to(self.setting.device)

    def _finish_epoch(self) -> int:
        """Train what is left of an epoch; the number of images."""
        self.network.train()
        self.objective.train()
        images = 0
        for batch in self.batches_left():
            self.step_losses.append(self._step(batch))
            self.advance(len(self.step_losses) % self.check_every == 0)
            self.keep_snapshots()
            self.pause()
            images += len(batch)
        return images

    def batches_left(self) -> Iterator[Batch]:
        """What is left of this epoch, batch by batch, the next when the step before it is counted."""
        if self.step == 0:
            self._start_epoch()
        parts = self._rows()[self.step :]
        shares = self.world.train.batches([self.group.share(rows) for rows in parts])
        for rows, share in zip(parts, shares, strict=True):
            yield self._batch(rows, self.group.whole(share, len(rows)))

    def _start_epoch(self) -> None:
        axes = self.recipe.data["draws"]
        seed_global(seed_of("epoch", axes["order"], self.seed, self.epoch), self.setting.device)
        self.augment_generator.manual_seed(seed_of("augment", axes["augment"], self.seed, self.epoch))
        self.objective.start_epoch(self.epoch, self.network, self.world)
        if not self.group.leads:
            # Equal draws for different rows would correlate them.
            own = seed_of("epoch", axes["order"], self.seed, self.epoch, "process", self.group.rank)
            seed_global(own, self.setting.device)

    def _rows(self) -> Sequence[Tensor]:
        """The rows of each step of this epoch: all in a random order, or what a sampler draws."""
        # Equal parts instead of a short last batch, which batch normalisation would feel.
        parts = torch.tensor_split(self._order(), self.batches)
        return self._sampled(tuple(map(len, parts))) if self.sampler else parts

    def _order(self) -> Tensor:
        generator = torch.Generator().manual_seed(self._order_seed)
        return torch.randperm(len(self.world.train), generator=generator).to(self.setting.device)

    @property
    def _order_seed(self) -> int:
        return seed_of("order", self.recipe.data["draws"]["order"], self.seed, self.epoch)

    def _sampled(self, sizes: tuple[int, ...]) -> Sequence[Tensor]:
        """The rows of steps of these sizes, from the sampler; StudyError if it leaves a step empty."""
        generator = torch.Generator(self.setting.device).manual_seed(self._order_seed)
        parts = self.sampler(Epoch(self.world.train, self.epoch, self.epochs, sizes), generator)
        if len(parts) != self.batches or not all(map(len, parts)):
            raise StudyError(
                f"{self.recipe.name}: {self.recipe.data['sampler']['plug']}: gave rows for {sum(map(bool, map(len, parts)))}"
                f" steps of an epoch that has {self.batches}; give each step at least one"
            )
        return parts

    def _batch(self, rows: Tensor, images: Tensor) -> Batch:
        split = self.world.train
        labels = split.labels[rows]
        progress = self.done / self.steps
        batch = Batch(images, labels, self.one_hot[labels], rows, images, progress, (), Rows(split.factors, rows))
        for augment in self.augment:
            batch = augment(batch, self.augment_generator)
        return batch

    def _step(self, batch: Batch) -> Tensor:
        factor = self.schedule(batch.progress)
        part = self.group.part(batch)
        # Gradients are averaged over the processes: so weighted they are those of the whole batch.
        weight = len(part) * self.group.size / len(batch)
        total = torch.zeros((), device=self.setting.device)
        forgets = any(map(self.is_at, self.recipe.resets))
        with self._recording(batch, part):
            for compute_loss, optimizer in zip(self.losses, self.optimizers, strict=True):
                if forgets:
                    optimizer.state.clear()
                for group in optimizer.param_groups:
                    group["lr"] = group["initial_lr"] * factor
                total = total + optimizer.step(partial(self._descend, compute_loss, optimizer, part, weight)).detach()
        return self.group.sum(total) / self.group.size

    def _descend(
        self, compute_loss: Callable[[Batch], Tensor], optimizer: torch.optim.Optimizer, part: Batch, weight: float
    ) -> Tensor:
        """The loss at the current weights, its gradient left in them: what an optimizer asks once a step, or more often."""
        # Each player clears what the one before left in shared modules.
        optimizer.zero_grad(set_to_none=True)
        with computing_in(self.setting.precision, self.setting.device):
            loss = compute_loss(part) if weight == 1 else weight * compute_loss(part)
        loss.backward()
        return loss

    def advance(self, check: bool) -> None:
        """Count the step that was made, and the epoch with its last; TrainingError if a loss was not finite, looked for at the
        end of an epoch or if asked to."""
        self.step += 1
        done = self.step == self.batches
        if check or done:
            self._check()
        if done:
            self._record_loss()
            self.epoch, self.step = self.epoch + 1, 0
            self.setting.report(self.epoch, self.epochs, float(self.records["loss"][self.epoch - 1]))

    def _check(self) -> None:
        first = max(0, len(self.step_losses) - self.check_every)
        # One copy from the device for all of them.
        for number, value in enumerate(torch.stack(self.step_losses[first:]).tolist(), first):
            if not math.isfinite(value):
                raise TrainingError(
                    f"{self.label}: loss is {value} at step {self.epoch * self.batches + number} of {self.steps}"
                    f" (epoch {self.epoch + 1}), last finite loss {self.last_finite:.4g}; lower the optimizer's lr"
                )
            self.last_finite = value

    def _record_loss(self) -> None:
        """Take down the epoch's mean loss: the sum over the parts between two checks, in their order."""
        values, self.step_losses = torch.stack(self.step_losses).float().cpu(), []
        first, *others = [part.mean() * (len(part) / self.batches) for part in values.split(self.check_every)]
        self.records["loss"][self.epoch] = sum(others, first)

    def keep_snapshots(self) -> None:
        """Keep the network's weights for each share of the training that is now done, on the CPU."""
        for share in filter(self.is_at, self.recipe.snapshots):
            self.snapshots[str(share)] = {name: value.to("cpu", copy=True) for name, value in self.network.state_dict().items()}

    @contextlib.contextmanager
    def _recording(self, batch: Batch, part: Batch):
        """Keep the margin of the assigned label from the network's first answer in this step, each process for its part."""
        if "margins" not in self.records:
            yield
            return
        seen = []
        handle = self.network.register_forward_hook(lambda module, inputs, output: seen.append(output.detach()))
        try:
            yield
        finally:
            handle.remove()
        if not seen or seen[0].shape != (len(part), len(self.world.classes)):
            raise StudyError(
                f"{self.recipe.name}: record: margins needs an objective that asks the network for one row of logits a sample"
            )
        found = margins(seen[0].float(), part.labels).cpu()
        self.records["margins"][self.epoch, batch.index.cpu()] = self.group.whole(found, len(batch))

    @property
    def label(self) -> str:
        return f"{self.recipe.name} seed {self.seed}"

    @property
    def identity(self) -> dict:
        return {
            "recipe": self.recipe.json,
            "seed": self.seed,
            "code": self.setting.code,
            "device": self.setting.device.type,
            "precision": self.setting.precision,
            "processes": self.group.size,
        }

    def state(self) -> dict:
        return {
            "identity": self.identity,
            "epoch": self.epoch,
            "step": self.step,
            "network": self.network.state_dict(),
            "objective": self.objective.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "taken_down": self.taken_down(),
            "random": [self.group.every(state) for state in _random_state(self.setting.device)],
        }

    def load_state(self, state: dict) -> None:
        super().load_state(state)
        self.network.load_state_dict(state["network"])
        self.objective.load_state_dict(state["objective"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.go_on(state["epoch"], state["step"], state["taken_down"])
        _set_random_state(self.setting.device, [states[self.group.rank] for states in state["random"]])

    def taken_down(self) -> dict:
        """What was taken down of the steps so far, and the stream of augmentation."""
        return {
            "step_losses": self.step_losses,
            "last_finite": self.last_finite,
            "records": self.records,
            "snapshots": self.snapshots,
            "augment": self.augment_generator.get_state(),
        }

    def go_on(self, epoch: int, step: int, taken_down: dict) -> None:
        """Go on at this step with what was taken down before it."""
        self.epoch, self.step = epoch, step
        self.step_losses = [loss.to(self.setting.device) for loss in taken_down["step_losses"]]
        self.last_finite, self.snapshots = taken_down["last_finite"], taken_down["snapshots"]
        for name, record in self.records.items():
            record.copy_(taken_down["records"][name])
        self.augment_generator.set_state(taken_down["augment"])


def _random_state(device: torch.device) -> list[Tensor]:
    """The states of torch's global generators: the CPU's, and the GPU's if there is one in use."""
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state(device)] if device.type == "cuda" else [])]


def _set_random_state(device: torch.device, states: list[Tensor]) -> None:
    torch.set_rng_state(states[0])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states[1], device)


def margins(logits: Tensor, labels: Tensor) -> Tensor:
    """Logit of the label minus the largest other logit, shape (B,)."""
    own = logits.gather(1, labels[:, None]).squeeze(1)
    others = logits.scatter(1, labels[:, None], float("-inf"))
    return own - others.max(1).values


def _parameters(player: Player) -> list[nn.Parameter]:
    """The player's trainable parameters, each once."""
    found = {id(p): p for module in player.modules for p in module.parameters() if p.requires_grad}
    return list(found.values())
