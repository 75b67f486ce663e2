"""What one training job does: bring every network of a bundle up to date, its repetitions together where that can be."""

import contextlib
import json
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

from assay.data.batch import TensorWorld, to_tensors
from assay.errors import PreemptedError, StudyError, TrainingError, in_a_line
from assay.language import draws
from assay.language.plugs import load_all
from assay.language.recipes import Recipe
from assay.language.together import packs
from assay.networks.memory import keep_freed_memory
from assay.networks.store import NetworkStore, data_sets_behind
from assay.provenance.fingerprints import fingerprint_of_networks
from assay.provenance.proofs import code_digest
from assay.storage.files import write_atomic
from assay.training.beginnings import make_world
from assay.training.distributed import ALONE, Group, local_rank
from assay.training.network import Trained
from assay.training.packing import UnpackableError
from assay.training.precision import FLOAT32, forbid_tf32
from assay.training.setting import Setting
from assay.training.together import train_together
from assay.training.trainer import train

OF_THE_MACHINE = (OSError, MemoryError, torch.OutOfMemoryError)  # errors that say nothing of a method
STOP_SIGNALS = (signal.SIGTERM, signal.SIGUSR1)  # what Slurm sends ahead of a kill, by itself and by --signal


def set_up(device: str, threads: int, precision: str) -> torch.device:
    """Set this process up to compute: on the device the configuration names, with so many threads, in the scale's precision."""
    keep_freed_memory()
    pin_threads(threads)
    if precision == FLOAT32:
        forbid_tf32()
    return choose_device(device)


def pin_threads(count: int) -> None:
    """Compute with so many threads whatever the environment says: how a sum is shared out decides its last bits."""
    # For libraries that are loaded from now on, then for those that are there.
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(count))
    threadpool_limits(count)
    torch.set_num_threads(count)


def choose_device(name: str) -> torch.device:
    """`auto` takes the GPU if there is one. Of several that are visible, each process of a job takes the one of its number.

    A GPU is told to give the same bits each time.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise StudyError("config: device: 'cuda' is not available on this machine (allowed here: auto, cpu)")
    if name == "cpu":
        return torch.device("cpu")
    device = torch.device("cuda", local_rank())
    torch.cuda.set_device(device)
    # Without these, a GPU may sum in another order each time, and a training that goes on would not end as one that never
    # stopped. Operations that have no such variant warn.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False
    return device


def device_name(device: torch.device) -> str:
    """The GPU's product name, or "cpu"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def code_of(recipe: Recipe, repetitions: int) -> str:
    """One hash over the code behind a network that is trained in a block of so many repetitions, and over all code proven to
    compute the same."""
    return code_digest(fingerprint_of_networks([recipe], repetitions))


@contextlib.contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Take the signals that come before a kill as a request, and yield the question whether one came."""
    requests = []
    earlier = {number: signal.signal(number, lambda number, frame: requests.append(number)) for number in STOP_SIGNALS}
    try:
        yield lambda: bool(requests)
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def train_bundle(
    recipes: list[Recipe],
    seeds: range,
    store: NetworkStore,
    manifest: Path,
    say: Callable[[str], None] = print,
    group: Group = ALONE,
) -> None:
    """Train what is missing or made with other code; then write the manifest that lists every network's sha256.

    A recipe that raises does not stop the others. The manifest says, under `failed`, of which repetitions it is and why; then
    the first error is raised. No manifest is written where this machine failed (disk, memory), as trying again may help, nor by
    several processes, of which the others cannot go on. Raises PreemptedError after a signal that comes before a kill; the same
    call then goes on where this one stopped.
    """
    ordered = sorted(recipes, key=lambda r: (r.depth, r.world, r.name))
    failed = _not_loading(ordered)
    drawn = Worlds(store)
    with stop_requests() as stop:
        for recipe in ordered:
            try:
                _refuse(recipe, seeds, store, failed)
                job = _Job(recipe, seeds, code_of(recipe, len(seeds)), store, drawn, say, group, stop)
                job.train_block() if job.packs else job.train_each()
            except PreemptedError:
                raise
            except Exception as error:
                if group.size > 1:
                    raise
                failed[recipe] = error
                say(f"{recipe.name} failed; the other networks of this job are trained\n{traceback.format_exc()}")
    for error in failed.values():
        if isinstance(error, OF_THE_MACHINE):
            raise error
    if group.leads:
        _write_manifest(manifest, ordered, seeds, store, failed)
    for error in failed.values():
        raise error


def _not_loading(recipes: Iterable[Recipe]) -> dict[Recipe, Exception]:
    """Load the methods of all recipes; those of which one cannot be, with its error."""
    failed: dict[Recipe, Exception] = {}
    for recipe in recipes:
        try:
            load_all(recipe.plugs)
        except Exception as error:
            failed[recipe] = error
    return failed


def _refuse(recipe: Recipe, seeds: range, store: NetworkStore, failed: Mapping[Recipe, Exception]) -> None:
    """Raise what is known against a recipe: its methods do not load, or a network that it is made from failed, of which an
    earlier one may still lie there."""
    if recipe in failed:
        raise failed[recipe]
    if recipe.parents:
        known = store.failures(seeds) | {each.name: in_a_line(error) for each, error in failed.items()}
        for parent in recipe.parents:
            if parent.name in known:
                raise TrainingError(f"{recipe.name}: {parent.name}, which it is made from, failed: {known[parent.name]}")


def _write_manifest(
    path: Path, recipes: Iterable[Recipe], seeds: range, store: NetworkStore, failed: Mapping[Recipe, Exception]
) -> None:
    listed = {r.name: {str(seed): store.about(r, seed)["sha256"] for seed in seeds} for r in recipes if r not in failed}
    why = {recipe.name: {"seeds": list(seeds), "error": in_a_line(error)} for recipe, error in failed.items()}
    write_atomic(path, json.dumps({"networks": listed} | ({"failed": why} if why else {}), indent=1, sort_keys=True))


@dataclass
class _Job:
    """The networks of one recipe at the repetitions of a block."""

    recipe: Recipe
    seeds: range
    code: str
    store: NetworkStore
    drawn: "Worlds"
    say: Callable[[str], None]
    group: Group
    stop: Callable[[], bool]

    @property
    def packs(self) -> bool:
        """Whether the block is trained together; several processes train one repetition after the other."""
        return len(self.seeds) > 1 and self.group.size == 1 and packs(self.recipe)

    def train_each(self) -> None:
        """Train what is missing, one repetition after the other."""
        for seed in self.seeds:
            with self.store.writing(self.recipe, seed) if self.group.leads else contextlib.nullcontext():
                if self._begins(self._missing([seed]), f"seed {seed}"):
                    self._train_one(seed)

    def train_block(self) -> None:
        """Train all repetitions together if any is missing, and keep those that were; what was there is left as it is, since the
        same bytes would come out."""
        with contextlib.ExitStack() as held:
            for seed in self.seeds:
                held.enter_context(self.store.writing(self.recipe, seed))
            missing = self._missing(self.seeds)
            if self._begins(missing, f"seeds {self.seeds[0]}-{self.seeds[-1]}"):
                self._train_together(missing)

    def _missing(self, seeds: Iterable[int]) -> list[int]:
        """The repetitions that are not there, or made with other code, also not among those that an edit replaced. The first
        process alone looks, so that all do the same even if the folder changes."""
        return [seed for seed in seeds if self.group.leads and not self._is_there(seed)]

    def _is_there(self, seed: int) -> bool:
        if self.store.about(self.recipe, seed, self.code):
            return True
        found = self.store.bring_back(self.recipe, seed, self.code)
        if found:
            self.say(f"{self.recipe.name} seed {seed}: trained with this code before; brought back")
        return found

    def _begins(self, missing: list[int], which: str) -> bool:
        """Whether there is something to train; PreemptedError if it is to stop before."""
        begins, stopped = self.group.any(bool(missing), self.stop())
        if begins and stopped:
            raise PreemptedError(f"{self.recipe.name} {which}: asked to stop before it began; run again")
        return begins

    def _train_one(self, seed: int) -> None:
        started = time.process_time()
        world = self.drawn.world(self.recipe, seed)
        trained = train(self.recipe, seed, self._setting(seed, self.store.checkpoint(self.recipe, seed)), world)
        core_seconds = self.group.sum(torch.tensor(time.process_time() - started, dtype=torch.float64)).item()
        if self.group.leads:
            self._save(seed, trained, world, core_seconds, together=1)

    def _train_together(self, missing: list[int]) -> None:
        started = time.process_time()
        worlds = [self.drawn.world(self.recipe, seed) for seed in self.seeds]
        checkpoint = self.store.checkpoint(self.recipe, self.seeds)
        try:
            every = train_together(self.recipe, self.seeds, [self._setting(seed, checkpoint) for seed in self.seeds], worlds)
        except UnpackableError as reason:
            self.say(f"{self.recipe.name}: one repetition at a time, as {reason}")
            for seed in missing:
                self._train_one(seed)
            return
        core_seconds = (time.process_time() - started) / len(self.seeds)
        for seed, world, trained in zip(self.seeds, worlds, every, strict=True):
            if seed in missing:
                self._save(seed, trained, world, core_seconds, together=len(self.seeds))
        checkpoint.unlink(missing_ok=True)

    def _setting(self, seed: int, checkpoint: Path) -> Setting:
        return Setting(
            self.store.device,
            self.store.precision,
            partial(_load_parent, self.store, seed),
            checkpoint,
            code=self.code,
            stop=self.stop,
            group=self.group,
            report=partial(_progress, self.say, self.recipe, seed),
            say=self.say,
        )

    def _save(self, seed: int, trained: Trained, world: TensorWorld, core_seconds: float, together: int) -> None:
        channels, size = world.train.images.shape[1], world.train.images.shape[-1]
        about = {
            "recipe": self.recipe.data,
            "seed": seed,
            "draws": draws.current(),
            "code": fingerprint_of_networks([self.recipe], len(self.seeds)),
            "data_sets": data_sets_behind(self.recipe),
            "input": {"channels": channels, "classes": len(world.classes), "size": size},
            "parameters": sum(p.numel() for p in trained.network.parameters()),
            "core_seconds": round(core_seconds, 3),
            "precision": self.store.precision,
            "threads": torch.get_num_threads(),
            "processes": self.group.size,
            "together": together,
            "device": device_name(self.store.device),
            "images_per_second": round(trained.images_per_second, 1),
        }
        self.store.save(self.recipe, seed, trained, about)


class Worlds:
    """The worlds of the recipe that was trained last, kept for the next one on the same draws."""

    def __init__(self, store: NetworkStore):
        self.store = store
        self.drawn: dict[int, TensorWorld] = {}
        self.of = ""

    def world(self, recipe: Recipe, seed: int) -> TensorWorld:
        if self.of != recipe.world:
            self.of, self.drawn = recipe.world, {}  # or those of two would be in memory at once
        if seed not in self.drawn:
            made = make_world(recipe, seed, partial(_load_parent, self.store, seed))
            self.drawn[seed] = to_tensors(made, self.store.device)
        return self.drawn[seed]


def _load_parent(store: NetworkStore, seed: int, recipe: Recipe):
    return store.load(recipe, seed)


def _progress(say: Callable[[str], None], recipe: Recipe, seed: int, done: int, total: int, loss: float) -> None:
    if done == total or done % max(1, total // 5) == 0:
        say(f"{recipe.name} seed {seed}: epoch {done} of {total}, loss {loss:.4f}")
