"""What one training job does: bring every network of a bundle up to date, one repetition after the other."""

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

from assay.data.batch import TensorWorld, to_tensors
from assay.errors import PreemptedError, StudyError
from assay.language import draws
from assay.language.plugs import load_all
from assay.language.recipes import Recipe
from assay.networks.memory import keep_freed_memory
from assay.networks.store import NetworkStore
from assay.provenance.fingerprints import fingerprint_of_networks
from assay.provenance.proofs import code_digest
from assay.storage.files import write_atomic
from assay.training.beginnings import make_world
from assay.training.distributed import ALONE, Group, local_rank
from assay.training.precision import FLOAT32, forbid_tf32
from assay.training.setting import Setting
from assay.training.trainer import train

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


def code_of(recipe: Recipe) -> str:
    """One hash over the code behind a network, and over all code proven to compute the same."""
    return code_digest(fingerprint_of_networks([recipe]))


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

    Raises PreemptedError after a signal that comes before a kill; the same call then goes on where this one stopped.
    """
    listed = {}
    load_all(set().union(*(recipe.plugs for recipe in recipes)))
    codes = {recipe: code_of(recipe) for recipe in sorted(recipes, key=lambda r: (r.depth, r.world, r.name))}
    drawn = LastWorld(store)
    with stop_requests() as stop:
        # Networks of one repetition after each other, and of one world, which is then drawn once.
        for seed in seeds:
            for recipe, code in codes.items():
                with store.writing(recipe, seed) if group.leads else contextlib.nullcontext():
                    # The first process alone looks, so that all do the same even if the folder changes.
                    missing, stopped = group.any(group.leads and store.about(recipe, seed, code) is None, stop())
                    if missing and stopped:
                        raise PreemptedError(f"{recipe.name} seed {seed}: asked to stop before it began; run again")
                    if missing:
                        _train_one(recipe, seed, code, store, drawn, say, group, stop)
                    if group.leads:
                        listed.setdefault(recipe.name, {})[str(seed)] = store.about(recipe, seed)["sha256"]
    if group.leads:
        write_atomic(manifest, json.dumps({"networks": listed}, indent=1, sort_keys=True))


def _train_one(
    recipe: Recipe,
    seed: int,
    code: str,
    store: NetworkStore,
    drawn: "LastWorld",
    say: Callable[[str], None],
    group: Group,
    stop: Callable[[], bool],
) -> None:
    started = time.process_time()
    setting = Setting(
        store.device,
        store.precision,
        partial(_load_parent, store, seed),
        store.checkpoint(recipe, seed),
        code=code,
        stop=stop,
        group=group,
        report=partial(_progress, say, recipe, seed),
        say=say,
    )
    world = drawn.world(recipe, seed)
    trained = train(recipe, seed, setting, world)
    core_seconds = group.sum(torch.tensor(time.process_time() - started, dtype=torch.float64)).item()
    about = {
        "recipe": recipe.data,
        "seed": seed,
        "draws": draws.current(),
        "code": fingerprint_of_networks([recipe]),
        "input": {"channels": world.train.images.shape[1], "classes": len(world.classes), "size": world.train.images.shape[-1]},
        "parameters": sum(p.numel() for p in trained.network.parameters()),
        "core_seconds": round(core_seconds, 3),
        "precision": store.precision,
        "threads": torch.get_num_threads(),
        "processes": group.size,
        "device": device_name(store.device),
        "images_per_second": round(trained.images_per_second, 1),
    }
    if group.leads:
        store.save(recipe, seed, trained, about)


class LastWorld:
    """The world that was drawn last, kept for the next network that is trained on it."""

    def __init__(self, store: NetworkStore):
        self.store = store
        self.last: tuple[tuple[str, int], TensorWorld] | None = None

    def world(self, recipe: Recipe, seed: int) -> TensorWorld:
        key = (recipe.world, seed)
        if self.last is None or self.last[0] != key:
            self.last = None  # or two worlds would be in memory at once
            made = make_world(recipe, seed, partial(_load_parent, self.store, seed))
            self.last = (key, to_tensors(made, self.store.device))
        return self.last[1]


def _load_parent(store: NetworkStore, seed: int, recipe: Recipe):
    return store.load(recipe, seed)


def _progress(say: Callable[[str], None], recipe: Recipe, seed: int, done: int, total: int, loss: float) -> None:
    if done == total or done % max(1, total // 5) == 0:
        say(f"{recipe.name} seed {seed}: epoch {done} of {total}, loss {loss:.4f}")
