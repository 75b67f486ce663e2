"""The trainer: one loop for all objectives, on tensors that live on the device.

Randomness comes from generators seeded by hashing the names of the axes that may move (world, init, order, augment), the
repetition and the epoch. So compared arms share data, initialisation and order; and since every epoch starts its own
streams, a training resumed at an epoch is bit-identical to one never interrupted.
"""

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assay.batch import Batch, TensorWorld, to_tensors
from assay.errors import StudyError, TrainingError
from assay.network import Bench, Network, Trained
from assay.objective import Objective, Player
from assay.recipes import Recipe, bind
from assay.seeds import Draw, seed_of

CLASSIFIERS = ("model.fc.", "model.head.")  # where architectures keep what a network may have unlike its parent
CHECK_EVERY_STEPS = 50  # how often a GPU is asked whether its losses are finite; a CPU answers every step


def _no_parents(recipe: Recipe) -> Trained:
    raise TrainingError(f"{recipe.name}: needed as a parent, but this training was given no way to load networks")


@dataclass(frozen=True)
class Setting:
    """Where and how a training runs; none of it changes the result on one platform.

    load_parent: gives the trained network of a parent recipe at this seed. checkpoint: file to resume from, written at most
    every checkpoint_seconds. report: called after each epoch with (epochs done, epochs in all, mean loss).
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    load_parent: Callable[[Recipe], Trained] = _no_parents
    checkpoint: Path | None = None
    checkpoint_seconds: float = 60.0
    report: Callable[[int, int, float], None] = lambda done, total, loss: None


class FunctionObjective(Objective):
    """A plain loss function as an objective."""

    def __init__(self, function: Callable[[nn.Module, Batch], Tensor]):
        super().__init__()
        self.function = function

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        return self.function(network, batch)


def make_world(recipe: Recipe, seed: int, load_parent: Callable[[Recipe], Trained] = _no_parents):
    """The numpy world of a recipe at one repetition."""
    world_plug = bind(recipe.data["world"], load_parent)
    return world_plug(Draw("world", recipe.data["draws"]["world"], seed))


def build(recipe: Recipe, channels: int, classes: int, size: int) -> Network:
    """The recipe's architecture, freshly initialised from torch's global generator, with identity normalisation."""
    model = bind(recipe.data["model"], _no_parents)(channels, classes, size)
    network = Network(model, torch.zeros(channels), torch.ones(channels))
    return network.to(memory_format=torch.channels_last)


def train(recipe: Recipe, seed: int, setting: Setting | None = None, world: TensorWorld | None = None) -> Trained:
    """Train the recipe's network at one repetition.

    Raises TrainingError when a loss is not finite, naming the step and the last finite loss, and StudyError when the world
    cannot train it.
    """
    setting = setting or Setting()
    if world is None:
        world = to_tensors(make_world(recipe, seed, setting.load_parent), setting.device)
    network = _initial_network(recipe, seed, world, setting)
    torch.manual_seed(seed_of("objective", recipe.data["draws"]["init"], seed))
    objective = _objective(recipe, setting)
    objective.prepare(network, world)
    objective.to(setting.device)
    run = _Run(recipe, seed, network, objective, world, setting)
    run.resume()
    for epoch in range(run.epoch, run.epochs):
        run.train_epoch(epoch)
    network = _surgery(recipe, seed, network, world, setting)
    network.eval().requires_grad_(False)
    return Trained(network, run.records, recipe.data, {k: v.detach() for k, v in objective.state_dict().items()})


def _initial_network(recipe: Recipe, seed: int, world: TensorWorld, setting: Setting) -> Network:
    channels, size = world.train.images.shape[1], world.train.images.shape[-1]
    torch.manual_seed(seed_of("init", recipe.data["draws"]["init"], seed))
    network = build(recipe, channels, len(world.classes), size)
    network.mean.copy_(world.train.images.mean((0, 2, 3)).reshape(network.mean.shape))
    network.std.copy_(world.train.images.std((0, 2, 3)).clamp_min(1e-3).reshape(network.std.shape))
    if recipe.data["start"]:
        parent = setting.load_parent(Recipe(recipe.data["start"]["recipe"]))
        _copy_matching(parent.network.state_dict(), network, recipe)
    return network.to(setting.device)


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


def _objective(recipe: Recipe, setting: Setting) -> Objective:
    bound = bind(recipe.data["objective"], setting.load_parent)
    is_class = isinstance(bound.func, type) and issubclass(bound.func, Objective)
    return bound() if is_class else FunctionObjective(bound)


def _surgery(recipe: Recipe, seed: int, network: Network, world: TensorWorld, setting: Setting) -> Network:
    for position, spec in enumerate(recipe.data["surgery"]):
        generator = torch.Generator(setting.device).manual_seed(seed_of("surgery", position, seed))
        network.eval()
        network = bind(spec, setting.load_parent)(network, Bench(world, generator, setting.device))
    return network


class _Run:
    """The state of one training: what a checkpoint holds and what an epoch changes."""

    def __init__(self, recipe: Recipe, seed: int, network: Network, objective: Objective, world: TensorWorld, setting: Setting):
        self.recipe, self.seed, self.network, self.objective = recipe, seed, network, objective
        self.world, self.setting = world, setting
        self.epochs, self.batch_size = recipe.data["budget"]["epochs"], recipe.data["budget"]["batch"]
        self.epoch = 0
        self.players = list(objective.players(network))
        make_optimizer = bind(recipe.data["optimizer"], setting.load_parent)
        self.optimizers = [make_optimizer(_parameters(player)) for player in self.players] if self.epochs else []
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["initial_lr"] = group["lr"]
        self.schedule = bind(recipe.data["schedule"], setting.load_parent)
        self.augment = bind(recipe.data["augment"], setting.load_parent)
        self.batches = max(1, len(world.train) // self.batch_size)
        self.last_finite = float("nan")
        self.records = {"loss": torch.full((self.epochs,), float("nan"))}
        if "margins" in recipe.data["record"]:
            self.records["margins"] = torch.full((self.epochs, len(world.train)), float("nan"))
        self.saved_at = time.monotonic()

    def train_epoch(self, epoch: int) -> None:
        self.network.train()
        self.objective.train()
        axes = self.recipe.data["draws"]
        torch.manual_seed(seed_of("epoch", axes["order"], self.seed, epoch))
        augment_generator = torch.Generator(self.setting.device).manual_seed(
            seed_of("augment", axes["augment"], self.seed, epoch)
        )
        order_generator = torch.Generator().manual_seed(seed_of("order", axes["order"], self.seed, epoch))
        self.objective.start_epoch(epoch, self.network, self.world)
        order = torch.randperm(len(self.world.train), generator=order_generator).to(self.setting.device)
        losses = []
        # Equal parts instead of a short last batch, which batch normalisation would feel.
        for number, rows in enumerate(torch.tensor_split(order, self.batches)):
            step = epoch * self.batches + number
            batch = self._batch(rows, step / (self.epochs * self.batches), augment_generator)
            losses.append(self._step(batch, epoch))
            if self.setting.device.type == "cpu" or len(losses) == CHECK_EVERY_STEPS or number == self.batches - 1:
                self._check(losses, step, epoch)
                losses = []
        self.epoch = epoch + 1
        self.setting.report(self.epoch, self.epochs, float(self.records["loss"][epoch]))
        self._save()

    def _batch(self, rows: Tensor, progress: float, generator: torch.Generator) -> Batch:
        split = self.world.train
        images, labels = split.images[rows], split.labels[rows]
        targets = F.one_hot(labels, len(self.world.classes)).to(images.dtype)
        factors = {name: value[rows] for name, value in split.factors.items()}
        batch = Batch(images, labels, targets, rows, images, progress, (), factors)
        for augment in self.augment:
            batch = augment(batch, generator)
        return batch

    def _step(self, batch: Batch, epoch: int) -> Tensor:
        factor = self.schedule(batch.progress)
        total = torch.zeros((), device=self.setting.device)
        with self._recording(batch, epoch):
            for player, optimizer in zip(self.players, self.optimizers, strict=True):
                for group in optimizer.param_groups:
                    group["lr"] = group["initial_lr"] * factor
                with _precision(self.setting.device):
                    loss = player.loss(self.network, batch)
                # Each player clears what the one before left in shared modules.
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                total = total + loss.detach()
        return total

    def _check(self, losses: list[Tensor], step: int, epoch: int) -> None:
        values = torch.stack(losses).float().cpu()
        bad = (~torch.isfinite(values)).nonzero().flatten()
        finite = values[: int(bad[0])] if len(bad) else values
        if len(finite):
            self.last_finite = float(finite[-1])
        if len(bad):
            at, steps = step - len(values) + 1 + int(bad[0]), self.epochs * self.batches
            raise TrainingError(
                f"{self.recipe.name} seed {self.seed}: loss is {float(values[bad[0]])} at step {at} of {steps}"
                f" (epoch {epoch + 1}), last finite loss {self.last_finite:.4g}; lower the optimizer's lr"
            )
        mean = self.records["loss"][epoch]
        share = len(values) / self.batches
        self.records["loss"][epoch] = (0.0 if torch.isnan(mean) else mean) + values.mean() * share

    @contextlib.contextmanager
    def _recording(self, batch: Batch, epoch: int):
        """Keep the margin of the assigned label from the network's first answer in this step."""
        if "margins" not in self.records:
            yield
            return
        seen = []
        handle = self.network.register_forward_hook(lambda module, inputs, output: seen.append(output.detach()))
        try:
            yield
        finally:
            handle.remove()
        if not seen or seen[0].shape != (len(batch), len(self.world.classes)):
            raise StudyError(
                f"{self.recipe.name}: record: margins needs an objective that asks the network for one row of logits a sample"
            )
        self.records["margins"][epoch, batch.index.cpu()] = margins(seen[0].float(), batch.labels).cpu()

    def _save(self) -> None:
        path = self.setting.checkpoint
        if path is None or self.epoch == self.epochs or time.monotonic() - self.saved_at < self.setting.checkpoint_seconds:
            return
        state = {
            "recipe": self.recipe.json,
            "seed": self.seed,
            "epoch": self.epoch,
            "last_finite": self.last_finite,
            "network": self.network.state_dict(),
            "objective": self.objective.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "records": self.records,
        }
        temporary = path.with_suffix(".tmp")
        torch.save(state, temporary)
        os.replace(temporary, path)
        self.saved_at = time.monotonic()

    def resume(self) -> None:
        """Continue from the checkpoint if there is one of this very recipe and seed."""
        path = self.setting.checkpoint
        if path is None or not path.exists():
            return
        state = torch.load(path, map_location=self.setting.device, weights_only=True)
        if (state["recipe"], state["seed"]) != (self.recipe.json, self.seed):
            return
        self.network.load_state_dict(state["network"])
        self.objective.load_state_dict(state["objective"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.records = {name: value.cpu() for name, value in state["records"].items()}
        self.epoch, self.last_finite = state["epoch"], state["last_finite"]


def margins(logits: Tensor, labels: Tensor) -> Tensor:
    """Logit of the label minus the largest other logit, shape (B,)."""
    own = logits.gather(1, labels[:, None]).squeeze(1)
    others = logits.scatter(1, labels[:, None], float("-inf"))
    return own - others.max(1).values


def _parameters(player: Player) -> list[nn.Parameter]:
    """The player's trainable parameters, each once."""
    found = {id(p): p for module in player.modules for p in module.parameters() if p.requires_grad}
    return list(found.values())


def _precision(device: torch.device):
    """bfloat16 where the matrix units are (CUDA), full precision elsewhere."""
    return torch.autocast("cuda", torch.bfloat16) if device.type == "cuda" else contextlib.nullcontext()


def precision_name(device: torch.device) -> str:
    """What `_precision` computes in, for the record."""
    return "bfloat16 autocast" if device.type == "cuda" else "float32"
