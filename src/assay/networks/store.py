"""Trained networks on disk: safetensors with a sidecar that says what they are; nothing half-written ever looks finished.

results/<scale>/networks/<recipe>/seed-0.safetensors    weights, objective state, records and snapshots of one repetition
results/<scale>/networks/<recipe>/seed-0.json           its sha256, recipe, code, input shape, cost; written last
results/<scale>/networks/<recipe>/earlier/<digest>/     the same of earlier code or data, until it is cleared
"""

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from assay import datasets
from assay.errors import EvidenceError, StudyError
from assay.language.draws import current, made_under
from assay.language.recipes import Recipe, canonical
from assay.provenance.proofs import code_digest
from assay.storage import earlier
from assay.storage.files import read_json, sha256, write_atomic
from assay.training.beginnings import build
from assay.training.network import Network, Trained
from assay.training.precision import FLOAT32


class NetworkStore:
    """The networks of one scale, below `folder`, trained in its precision, on `device` when loaded."""

    def __init__(self, folder: Path, device: torch.device, precision: str = FLOAT32):
        self.folder, self.device, self.precision = Path(folder), device, precision

    def weights(self, recipe: Recipe, seed: int) -> Path:
        return recipe.weights(self.folder, seed)

    def checkpoint(self, recipe: Recipe, seeds: int | range) -> Path:
        """Of one repetition, or of those of a block together."""
        name = f"seed-{seeds}" if isinstance(seeds, int) else f"seeds-{seeds[0]}-{seeds[-1]}"
        return self.folder / recipe.name / f"{name}.checkpoint"

    def sidecar(self, recipe: Recipe, seed: int) -> Path:
        return self.weights(recipe, seed).with_suffix(".json")

    @contextlib.contextmanager
    def writing(self, recipe: Recipe, seed: int) -> Iterator[None]:
        """Hold one repetition of a network alone. The kernel lets go when the process ends, so a kill leaves no stale lock; a
        training that outlived its killed parent finishes first, and its result is then found here."""
        folder = self.folder / recipe.name
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / f"seed-{seed}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def save(self, recipe: Recipe, seed: int, trained: Trained, about: dict) -> None:
        """Write weights, then the sidecar that makes them count. What they replace is kept."""
        self._keep(recipe, seed)
        tensors = {f"network.{k}": v for k, v in trained.network.state_dict().items()}
        tensors |= {f"objective.{k}": v for k, v in trained.objective.items()}
        tensors |= {f"records.{k}": v for k, v in trained.records.items()}
        tensors |= {f"{_snapshot(share)}{k}": v for share, state in trained.snapshots.items() for k, v in state.items()}
        path = self.weights(recipe, seed)
        temporary = path.with_suffix(".tmp")
        # Each a copy: safetensors refuses weights that a model uses in two places, which are read back into both.
        save_file({k: v.detach().cpu().clone(memory_format=torch.contiguous_format) for k, v in tensors.items()}, temporary)
        os.replace(temporary, path)
        write_atomic(self.sidecar(recipe, seed), json.dumps({**about, "sha256": sha256(path)}, indent=1, sort_keys=True))
        self.checkpoint(recipe, seed).unlink(missing_ok=True)

    def about(self, recipe: Recipe, seed: int, code: str | None = None) -> dict | None:
        """The sidecar if the network is there, unharmed, and of the draws of this process, else None. An equal recipe that
        records more may have made it.

        code: the digest of the code it must have been made with, or with code proven to compute the same, in this precision and
        on the data sets that are there now.
        """
        return self._about(self.sidecar(recipe, seed), recipe, code)

    def _about(self, path: Path, recipe: Recipe, code: str | None) -> dict | None:
        try:
            about = read_json(path)
        except EvidenceError:
            return None
        weights = path.with_suffix(".safetensors")
        asked = recipe.is_met_by(about.get("recipe")) and made_under(about) == current()
        made_of = made_with(about), about.get("precision"), about.get("data_sets", {})
        made = code is None or made_of == (code, self.precision, data_sets_behind(recipe))
        return about if asked and made and weights.exists() and sha256(weights) == about.get("sha256") else None

    def bring_back(self, recipe: Recipe, seed: int, code: str) -> bool:
        """Whether a network that an edit replaced was made with this code. It then lies there again, and what did is kept."""
        for sidecar in sorted((self.folder / recipe.name).glob(f"{earlier.FOLDER}/*/seed-{seed}.json")):
            if self._about(sidecar, recipe, code):
                self._keep(recipe, seed)
                os.replace(sidecar.with_suffix(".safetensors"), self.weights(recipe, seed))
                os.replace(sidecar, self.sidecar(recipe, seed))
                if not any(sidecar.parent.iterdir()):
                    sidecar.parent.rmdir()
                return True
        return False

    def _keep(self, recipe: Recipe, seed: int) -> None:
        """Move a whole network out of the way, to what is kept of the code and the data that it was made with."""
        about = self.about(recipe, seed)
        if about is None or made_with(about) is None:
            return
        made_of = canonical([made_with(about), about.get("precision"), about.get("data_sets", {})])
        folder = self.folder / recipe.name / earlier.FOLDER / hashlib.sha256(made_of.encode()).hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
        for path in (self.sidecar(recipe, seed), self.weights(recipe, seed)):  # without its sidecar nothing counts
            os.replace(path, folder / path.name)

    def load(self, recipe: Recipe, seed: int) -> Trained:
        """The trained network, its bytes checked. EvidenceError if it is missing or altered."""
        about = self._checked(recipe, seed)
        network, records, objective = (self._read(recipe, seed, part) for part in ("network.", "records.", "objective."))
        return Trained(self._built(recipe, about, network), records, recipe.data, objective)

    def snapshots(self, recipe: Recipe, seed: int) -> Iterator[tuple[float, Network]]:
        """The network as it was at each recorded share of its training, before any surgery, in order; one is in memory at a time.
        StudyError if the recipe records none, else as `load`."""
        if not recipe.snapshots:
            raise StudyError(f"{recipe.name}: its training kept no snapshots; set record: [snapshots] in its recipe")
        about = self._checked(recipe, seed)
        for share in recipe.snapshots:
            yield share, self._built(recipe, about, self._read(recipe, seed, _snapshot(share)))

    def _checked(self, recipe: Recipe, seed: int) -> dict:
        """The sidecar of a network whose bytes are what it says; EvidenceError otherwise."""
        about = self.about(recipe, seed)
        if about is None:
            self._withdraw(recipe)
            where = self.weights(recipe, seed)
            raise EvidenceError(f"{where}: missing, truncated or altered; run snakemake again to train it anew")
        return about

    def _read(self, recipe: Recipe, seed: int, part: str) -> dict[str, Tensor]:
        """The tensors whose names begin so, without this beginning; others are not read."""
        path = self.weights(recipe, seed)
        try:
            with safe_open(path, "pt", device=str(self.device)) as file:
                return {name.removeprefix(part): file.get_tensor(name) for name in file.keys() if name.startswith(part)}  # noqa: SIM118
        except SafetensorError as error:
            raise EvidenceError(f"{path}: not a readable safetensors file ({error}); delete it and run snakemake again") from None

    def _built(self, recipe: Recipe, about: dict, weights: dict[str, Tensor]) -> Network:
        with torch.random.fork_rng(devices=[]):  # or what is drawn later would depend on how many networks were read before
            network = build(recipe, **about["input"])
        network.load_state_dict(weights)
        return network.to(self.device).eval().requires_grad_(False)

    def loss(self, recipe: Recipe, seed: int) -> np.ndarray:
        """The mean training loss of every epoch, (epochs,)."""
        with safe_open(self.weights(recipe, seed), "numpy") as file:
            return file.get_tensor("records.loss")

    def failures(self, seeds: Iterable[int]) -> dict[str, str]:
        """Why networks, by name, could not be trained at some of these repetitions, as the manifests of their jobs say."""
        manifests = (read_json(path) for path in sorted(self.folder.glob("*.json")))
        said = (item for manifest in manifests for item in manifest.get("failed", {}).items())
        return {name: each["error"] for name, each in said if set(seeds) & set(each["seeds"])}

    def _withdraw(self, recipe: Recipe) -> None:
        """Remove the manifests that vouch for a network which is not what they say, so that the next run makes it again."""
        for manifest in self.folder.glob("*.json"):
            if recipe.name in read_json(manifest)["networks"]:
                manifest.unlink(missing_ok=True)


def data_sets_behind(recipe: Recipe) -> dict[str, str | None]:
    """The data sets that a network and those it is made from are trained on, each with its identity; None for one that is not
    there. No code says what lies in a folder."""
    names = datasets.needed(ancestor.data for ancestor in recipe.ancestry())
    return {name: datasets.retrieved(name).identity if datasets.marker(name).exists() else None for name in names}


def made_with(about: dict) -> str | None:
    """The digest of the code that a sidecar says its network was made with, None if it does not say."""
    code = about.get("code")
    known = isinstance(code, dict) and all(isinstance(value, str) for value in code.values())
    return code_digest(code) if known else None


def _snapshot(share: float | str) -> str:
    """What the names of a snapshot's tensors begin with."""
    return f"snapshots/{share}/"
