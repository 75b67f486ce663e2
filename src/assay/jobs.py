"""What one training job does: bring every network of a bundle up to date, one repetition after the other."""

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from assay.batch import to_tensors
from assay.errors import StudyError
from assay.files import write_atomic
from assay.fingerprints import digest, fingerprint
from assay.recipes import Recipe
from assay.store import NetworkStore
from assay.training import Setting, make_world, precision_name, train

ENTRY = "assay.training"


def choose_device(name: str) -> torch.device:
    """`auto` takes the GPU if there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise StudyError("config: device: 'cuda' is not available on this machine (allowed here: auto, cpu)")
    return torch.device(name)


def code_of(recipe: Recipe) -> str:
    """The fingerprint of all code behind a network, its parents' included."""
    plugs = set().union(*(ancestor.plugs for ancestor in recipe.ancestry()))
    return digest(fingerprint(ENTRY, plugs))


def train_bundle(
    recipes: list[Recipe], seeds: int, store: NetworkStore, manifest: Path, say: Callable[[str], None] = print
) -> None:
    """Train what is missing or made with other code; then write the manifest that lists every network's sha256."""
    listed = {}
    for recipe in sorted(recipes, key=lambda r: (r.depth, r.name)):
        code = code_of(recipe)
        with store.writing(recipe):
            for seed in range(seeds):
                if store.about(recipe, seed, code) is None:
                    _train_one(recipe, seed, code, store, say)
                listed.setdefault(recipe.name, {})[str(seed)] = store.about(recipe, seed)["sha256"]
    write_atomic(manifest, json.dumps({"networks": listed}, indent=1, sort_keys=True))


def _train_one(recipe: Recipe, seed: int, code: str, store: NetworkStore, say: Callable[[str], None]) -> None:
    started = time.process_time()
    load_parent = partial(_load_parent, store, seed)
    checkpoint = store.checkpoint(recipe, seed)
    # A checkpoint made with other code would mix two trainings.
    marker = checkpoint.with_suffix(".code")
    if checkpoint.exists() and (not marker.exists() or marker.read_text() != code):
        checkpoint.unlink()
    write_atomic(marker, code)
    setting = Setting(store.device, load_parent, checkpoint, report=partial(_progress, say, recipe, seed))
    world = to_tensors(make_world(recipe, seed, load_parent), store.device)
    trained = train(recipe, seed, setting, world)
    about = {
        "recipe": recipe.data,
        "seed": seed,
        "code": code,
        "input": {"channels": world.train.images.shape[1], "classes": len(world.classes), "size": world.train.images.shape[-1]},
        "parameters": sum(p.numel() for p in trained.network.parameters()),
        "core_seconds": round(time.process_time() - started, 3),
        "precision": precision_name(store.device),
    }
    store.save(recipe, seed, trained, about)
    marker.unlink()


def _load_parent(store: NetworkStore, seed: int, recipe: Recipe):
    return store.load(recipe, seed)


def _progress(say: Callable[[str], None], recipe: Recipe, seed: int, done: int, total: int, loss: float) -> None:
    if done == total or done % max(1, total // 5) == 0:
        say(f"{recipe.name} seed {seed}: epoch {done} of {total}, loss {loss:.4f}")
