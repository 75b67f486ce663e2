"""Measuring: run a study's protocol on every arm, value of the sweep and repetition, and collect observations."""

import hashlib
import importlib.metadata
import platform
import time
from collections.abc import Callable, Hashable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from assay.data.batch import TensorWorld, to_tensors
from assay.data.seeds import Draw, seed_of
from assay.errors import EvidenceError, StudyError, unknown
from assay.evidence.tables import TRAINING_LOSS, Observation, commit, study_code, write_evidence
from assay.language.plugs import load_all
from assay.language.recipes import Recipe, plug_name
from assay.networks.store import NetworkStore
from assay.storage.files import ROOT
from assay.training.beginnings import make_world
from assay.training.binding import bind, identity
from assay.training.network import Network, Trained

if TYPE_CHECKING:
    from assay.language.studies import Cell, Study

T = TypeVar("T")
PACKAGES = ("torch", "torchvision", "timm", "numpy", "scipy", "scikit-learn", "scikit-image", "captum", "snakemake")


class Session:
    """Networks and worlds of one study's measurement, each loaded or drawn once a repetition, and the arrays it keeps."""

    def __init__(self, study: "Study", store: NetworkStore):
        self.study, self.store = study, store
        self.arrays: dict[str, np.ndarray] = {}
        self._networks: dict[tuple[Recipe, int], Trained] = {}
        self._worlds: dict[tuple[str, int], TensorWorld] = {}
        self._shared: dict[Hashable, tuple[tuple, Any]] = {}

    def trained(self, recipe: Recipe, seed: int) -> Trained:
        key = (recipe, seed)
        if key not in self._networks:
            self._networks[key] = self.store.load(recipe, seed)
        return self._networks[key]

    def world(self, recipe: Recipe, seed: int) -> TensorWorld:
        key = (recipe.world, seed)
        if key not in self._worlds:
            self._worlds[key] = to_tensors(make_world(recipe, seed, lambda r: self.trained(r, seed)), self.store.device)
        return self._worlds[key]

    def shared(self, key: Hashable, arguments: tuple, make: Callable[[], Any]) -> Any:
        """What `make` gave when first asked for by this key; arguments that the key names by their address stay alive with it."""
        if key not in self._shared:
            self._shared[key] = (arguments, make())
        return self._shared[key][1]

    def forget_shared(self) -> None:
        self._shared.clear()

    def data_digests(self) -> dict[str, str]:
        """A hash of the training images and labels of every world drawn, by its spec's hash and repetition."""
        return {
            f"{hashlib.sha256(spec.encode()).hexdigest()[:8]}/{seed}": world.train.digest()
            for (spec, seed), world in sorted(self._worlds.items())
        }

    def cell(self, arm: str, x: Any) -> "Cell":
        for cell in self.study.cells:
            if cell.arm == arm and cell.x == x:
                return cell
        if arm not in self.study.arms:
            raise StudyError(f"{self.study.name}: {unknown('arm', arm, self.study.arms)}")
        raise StudyError(f"{self.study.name}: arm '{arm}' is not measured at x = {x}")


class Arm:
    """One measurement as its protocol sees it: an arm of the study at one repetition and one value of the sweep (x)."""

    def __init__(self, session: Session, cell: "Cell", seed: int):
        self._session, self._cell, self.seed = session, cell, seed
        self.name, self.x = cell.arm, cell.x
        self.device = session.store.device

    @property
    def seeds(self) -> range:
        """All repetitions of the study."""
        return range(self._session.study.seeds)

    @property
    def precision(self) -> str:
        """What protocols train in that train networks inside."""
        return self._session.store.precision

    @property
    def recipe(self) -> dict:
        """The arm's recipe as canonical data."""
        return self._cell.recipe.data

    @cached_property
    def trained(self) -> Trained:
        """The arm's trained network with what was recorded while it trained."""
        return self._session.trained(self._cell.recipe, self.seed)

    @property
    def network(self) -> Network:
        return self.trained.network

    @cached_property
    def world(self) -> TensorWorld:
        """The arm's world, the very draw its network was trained on."""
        return self._session.world(self._cell.recipe, self.seed)

    def make(self, world: Callable) -> TensorWorld:
        """The draw, for this repetition, of a world given as a protocol parameter."""
        return self.once(_drawn, world)

    def once(self, function: Callable[..., T], *arguments: Any) -> T:
        """function(arm, *arguments), computed for the first arm that asks in a repetition and shared with the others.

        Bound plugs are the same argument if their parameters are equal, tensors and networks if they are the same object. Of the
        arm itself the function may use no more than what all arms share: seed, device and generators.
        """
        key = (self.seed, function, identity(arguments))
        return self._session.shared(key, arguments, lambda: function(self, *arguments))

    def generator(self, *names: object) -> torch.Generator:
        """A generator that depends on the study, the repetition and the names, not on the arm: compared arms share draws."""
        seed = seed_of("measure", self._session.study.name, self.seed, *names)
        return torch.Generator(self.device).manual_seed(seed)

    def peer(self, name: str, seed: int | None = None, x: Any = None) -> "Arm":
        """Another arm, or this one at another repetition (x: the sweep's value, this arm's own if not given)."""
        cell = self._session.cell(name, self.x if x is None else x)
        return Arm(self._session, cell, self.seed if seed is None else seed)

    def load(self, recipe: dict) -> Trained:
        """The trained network of a parent recipe at this repetition, for protocols that train inside."""
        return self._session.trained(Recipe(recipe), self.seed)

    def keep(self, name: str, array: Tensor | np.ndarray) -> None:
        """Keep an array for the figures, under "<arm>/<name>" (the last repetition that keeps it wins)."""
        values = array.detach().cpu().numpy() if isinstance(array, Tensor) else np.asarray(array)
        self._session.arrays[f"{self._cell.label}/{name}"] = values


def _drawn(arm: Arm, world: Callable) -> TensorWorld:
    return to_tensors(world(Draw("world", 0, arm.seed)), arm.device)


def observe(study: "Study", store: NetworkStore, say: Callable[[str], None] = print) -> tuple[list[Observation], Session]:
    """All observations of a study."""
    session = Session(study, store)
    torch.manual_seed(seed_of("measure", study.name))
    rows: dict[tuple[int, int], list[Observation]] = {}
    for seed in range(study.seeds):
        for place, cell in enumerate(study.cells):
            rows[place, seed] = _measure(session, cell, seed)
        session.forget_shared()
        say(f"{study.name}: repetition {seed + 1} of {study.seeds} measured")
    return [row for key in sorted(rows) for row in rows[key]], session


def _measure(session: Session, cell: "Cell", seed: int) -> list[Observation]:
    study = session.study
    protocol = bind(cell.protocol, lambda recipe: session.trained(recipe, seed))
    rows: dict[tuple[str, Any], Observation] = {}
    for metric, *x, value in protocol(Arm(session, cell, seed)):
        if metric not in study.metrics:
            raise EvidenceError(
                f"{study.name}: protocol {study.protocol}: {unknown('metric', metric, study.metrics)}; declare it in METRICS"
            )
        if x and cell.x is not None:
            raise EvidenceError(
                f"{study.name}: metric '{metric}' has an x of its own, so the study cannot be swept; drop the sweep"
            )
        row = Observation(study.name, cell.arm, seed, metric, x[0] if x else cell.x, float(value))
        if (metric, row.x) in rows:
            raise EvidenceError(f"{study.name}: protocol {study.protocol} yields metric '{metric}' twice at x = {row.x}")
        rows[metric, row.x] = row
    if not rows:
        raise EvidenceError(f"{study.name}: protocol {study.protocol} yields no observation for arm '{cell.arm}'")
    return list(rows.values())


def measure_study(study: "Study", store: NetworkStore, folder: Path, say: Callable[[str], None] = print) -> None:
    """Observe a study and write its evidence."""
    load_all(study.plugs)
    started = time.process_time()
    rows, session = observe(study, store, say)
    spent = time.process_time() - started
    arrays = session.arrays | training_losses(study, store)
    write_evidence(folder, rows, arrays, provenance(study, store, spent, session.data_digests()))


def training_losses(study: "Study", store: NetworkStore) -> dict[str, np.ndarray]:
    """Mean training loss (seeds, epochs) of each measured network, by "<arm>/training_loss"."""
    trained = set(study.recipes)
    measured = [cell for cell in study.cells if cell.recipe in trained and cell.recipe.data["budget"]["epochs"]]
    return {
        f"{cell.label}/{TRAINING_LOSS}": np.stack([store.loss(cell.recipe, seed) for seed in range(study.seeds)])
        for cell in measured
    }


def provenance(study: "Study", store: NetworkStore, measure_core_seconds: float, data: dict[str, str]) -> dict:
    """What the observations rest on: study, code, networks, versions, machine, cost."""
    head, dirty = commit(ROOT)
    networks = {recipe: [store.about(recipe, seed) for seed in range(study.seeds)] for recipe in study.recipes}
    return {
        "study": study.name,
        "scale": study.scale,
        "seeds": list(range(study.seeds)),
        "study_sha256": study.digest,
        "code": study_code(study),
        "recipes": {recipe.name: [about["sha256"] for about in found] for recipe, found in networks.items()},
        "tested": tested(study, networks),
        "versions": versions(),
        "platform": {
            "system": platform.system(),
            "machine": platform.machine(),
            "cpu": cpu_name(),
            "device": torch.cuda.get_device_name() if store.device.type == "cuda" else "cpu",
            "precision": store.precision,
            "trained_on": sorted({f"{a['processes']} x {a['device']}" for found in networks.values() for a in found}),
        },
        "data": data,
        "commit": head,
        "dirty": dirty,
        "cost": {
            "train_core_s": round(sum(about["core_seconds"] for found in networks.values() for about in found), 1),
            "networks": {recipe.name: round(sum(a["core_seconds"] for a in found), 1) for recipe, found in networks.items()},
            "measure_core_s": round(measure_core_seconds, 1),
        },
    }


def tested(study: "Study", networks: dict[Recipe, list[dict]]) -> str:
    """What was tested in a phrase, e.g. "16 px shapes, 1536 training images, 78k-parameter resnet, 5 seeds"."""
    recipes = list(dict.fromkeys(cell.recipe for cell in study.cells))
    worlds = sorted({_world_phrase(recipe.data["world"]) for recipe in recipes})
    models: dict[str, list[int]] = {}
    for recipe in recipes:
        counts = [about["parameters"] for about in networks.get(recipe, [])]
        models.setdefault(_model_phrase(recipe.data["model"]), []).extend(counts)
    phrases = [f"{_count_range(counts)}{name}" for name, counts in sorted(models.items())]
    seeds = f"{study.seeds} seed{'s' if study.seeds > 1 else ''}"
    return ", ".join([*worlds, *phrases, seeds])


def _model_phrase(model: dict) -> str:
    given = model["parameters"]
    return plug_name(model) + (" from published weights" if given.get("pretrained") or given.get("weights") else "")


def _world_phrase(world: dict) -> str:
    given, inner = world["parameters"], world["parameters"]
    name = plug_name(world).replace("_", " ")
    while isinstance(inner.get("of"), dict):
        name += f" of {plug_name(inner['of']).replace('_', ' ')}"
        inner = inner["of"]["parameters"]
        given = {**inner, **given}
    size = f"{given['size']} px " if "size" in given else ""
    images = f" ({given['train']} training images)" if "train" in given else ""
    return f"{size}{name}{images}"


def _count_range(counts: list[int]) -> str:
    if not counts:
        return ""
    low, high = _rounded(min(counts)), _rounded(max(counts))
    return f"{low}-parameter " if low == high else f"{low} to {high}-parameter "


def _rounded(count: int) -> str:
    """A count in thousands or millions, e.g. "78k", "25.6M"."""
    if count >= 999_500:
        return f"{count / 1e6:.1f}M"
    return f"{count / 1000:.0f}k" if count >= 1000 else str(count)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages results may depend on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def cpu_name() -> str:
    """The processor's model name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"
