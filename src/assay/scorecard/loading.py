"""Models by what people call them: a name of timm, a file, a network trained here, a function of a Python module.

`load` tells them apart, loads the weights, and says how the model wants its images, in timm's own terms.
"""

import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from assay.errors import EvidenceError, StudyError, in_a_line, unknown
from assay.language.recipes import Recipe
from assay.networks.store import NetworkStore
from assay.scorecard.checkpoints import fill, read_weights, state_digest
from assay.scorecard.names import IMAGENET, imagenet_names
from assay.storage.files import read_json, sha256
from assay.storage.places import WORK, place
from assay.training import shim  # noqa: F401  (before timm)

# isort: split
from timm import create_model, is_model, list_models
from timm.data import resolve_model_data_config

WEIGHTS = (".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".tar")


@dataclass(frozen=True)
class Preparation:
    """How images are made for a model, as timm says it: size x size pixels, a centre crop of this share of the shorter side
    (mode "center") or of both ("squash"), normalised by mean and std. A size of None: as the data are drawn."""

    size: int | None = None
    channels: int = 3
    crop: float = 0.875
    interpolation: str = "bicubic"
    mode: str = "center"
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)

    def __str__(self) -> str:
        size = f"{self.size} px" if self.size else "as drawn"
        way = f"crop {self.crop:g}, {self.interpolation}, {self.mode}"
        return f"{size}, {self.channels} channels, {way}, mean {_numbers(self.mean)}, std {_numbers(self.std)}"


def _numbers(values: Sequence[float]) -> str:
    return "/".join(f"{value:.4g}" for value in values)


@dataclass(frozen=True)
class Loaded:
    """A model in memory. names: of its logits, in order, where anybody knows. said: what was done to load it, in words.
    about: what it was made from, for provenance (kind, sha256 of a file, source of a module). world: what a network of this
    project was trained on, as canonical data."""

    name: str
    model: nn.Module
    preparation: Preparation
    names: tuple[str, ...] | None = None
    said: tuple[str, ...] = ()
    about: dict[str, Any] = field(default_factory=dict)
    world: dict[str, Any] | None = None

    @property
    def identity(self) -> dict[str, Any]:
        """What its numbers depend on: the state after loading, the source behind it, and how images are made."""
        kept = {key: self.about[key] for key in ("architecture", "source") if key in self.about}
        return {**kept, "state": state_digest(self.model), "preparation": asdict(self.preparation), "names": self.names}


def load(named: str, weights: str | None = None, given: dict[str, Any] | None = None) -> Loaded:
    """The model of this name, in evaluation mode. weights: a file to fill it with. given: fields of Preparation that a person
    sets. StudyError where there is no such model, or it takes no weights."""
    loaded = _kind_of(named)(named, place(weights) if weights else None)
    if not isinstance(loaded.model, nn.Module):
        raise StudyError(f"model {named}: gives a {type(loaded.model).__name__}, not a torch.nn.Module; return the module")
    loaded.model.eval()
    said = {key: tuple(value) if isinstance(value, list) else value for key, value in (given or {}).items()}
    return replace(loaded, preparation=replace(loaded.preparation, **said))


def takes_weights(named: str) -> bool:
    """Whether a file of weights may be given for the model of this name."""
    return _kind_of(named) in (_of_timm, _of_python)


def _kind_of(named: str) -> Callable[[str, Path | None], Loaded]:
    path = place(named)
    if path.is_dir():
        return _trained_here
    if path.is_file():
        return _trained_here if path.with_suffix(".json").is_file() else _of_file
    if ":" in named and not named.startswith("hf"):
        return _of_python
    if is_model(named.split(".")[0]):
        return _of_timm
    known = unknown("model", named, list_models()).partition(" (allowed")[0]
    raise StudyError(f"{known}; give a name of timm, a file, a folder in results/<scale>/networks/, or module:function")


def _refuse_weights(named: str, weights: Path | None) -> None:
    if weights:
        raise StudyError(f"model {named}: brings its own weights; leave out --weights {weights}")


def _of_timm(named: str, weights: Path | None) -> Loaded:
    about: dict[str, Any] = {"kind": "timm", "architecture": named}
    if weights is None:
        try:
            model = create_model(named, pretrained=True)
        except Exception as error:  # of the hub, of its client, of the network
            raise StudyError(
                f"model {named}: its published weights cannot be had ({in_a_line(error)}); give a file with --weights"
            ) from None
        return Loaded(named, model, of_timm(model), _published_names(model), (), about)
    tensors, said = read_weights(weights)
    model = create_model(named)
    count = _outputs_in(tensors, model)
    if count not in (None, model.num_classes):
        model = create_model(named, num_classes=count)
        said.append(f"a classifier of {count} classes, as in the file")
    fill(model, tensors, weights, named)
    about |= {"weights": str(weights), "sha256": sha256(weights)}
    return Loaded(named, model, of_timm(model), _published_names(model), tuple(said), about)


def of_timm(model: nn.Module) -> Preparation:
    """What timm's own configuration of a model says of its images."""
    config = resolve_model_data_config(model)
    channels, size, width = config["input_size"]
    if size != width:
        raise StudyError(f"model {type(model).__name__}: takes images of {size} x {width} pixels; only squares can be measured")
    way = {"crop": config["crop_pct"], "interpolation": config["interpolation"], "mode": config["crop_mode"]}
    return Preparation(size, channels, **way, mean=tuple(config["mean"]), std=tuple(config["std"]))


def _outputs_in(tensors: dict, model: nn.Module) -> int | None:
    """How many classes the file's classifier has, None where the model's has no place in it."""
    classifier = model.get_classifier()
    own = next((name for name, module in model.named_modules() if module is classifier), None)
    bias = tensors.get(f"{own}.bias", tensors.get(f"{own}.weight"))
    return None if bias is None else len(bias)


def _published_names(model: nn.Module) -> tuple[str, ...] | None:
    """ImageNet's classes, for a model that has as many outputs; others say no names."""
    return imagenet_names() if getattr(model, "num_classes", None) == IMAGENET else None


def _of_python(named: str, weights: Path | None) -> Loaded:
    module_name, _, function = named.partition(":")
    for folder in (str(WORK), str(Path.cwd())):
        if folder not in sys.path:
            sys.path.insert(0, folder)
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise StudyError(f"model {named}: {error}; run where 'import {module_name}' works") from None
    if not callable(getattr(module, function, None)):
        has = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        raise StudyError(f"model {named}: {unknown('function', function, has)}")
    torch.manual_seed(0)  # a model that draws its weights is the same one in every job
    try:
        model = getattr(module, function)()
    except Exception as error:  # somebody else's code
        raise StudyError(f"model {named}: raises {in_a_line(error)}; it is called without arguments") from None
    said: list[str] = []
    about: dict[str, Any] = {"kind": "python", "architecture": named, "source": _source_digest(module)}
    if weights:
        tensors, said = read_weights(weights)
        fill(model, tensors, weights, named)
        about |= {"weights": str(weights), "sha256": sha256(weights)}
    by_timm = hasattr(model, "pretrained_cfg")
    names = tuple(map(str, getattr(model, "class_names", ()))) or (_published_names(model) if by_timm else None)
    return Loaded(named, model, of_timm(model) if by_timm else Preparation(), names, tuple(said), about)


def _source_digest(module: Any) -> str:
    try:
        return hashlib.sha256(inspect.getsource(module).encode()).hexdigest()
    except (OSError, TypeError):
        return ""


def _trained_here(named: str, weights: Path | None) -> Loaded:
    """A network of this project: its folder (its first repetition), or the weights of one repetition."""
    _refuse_weights(named, weights)
    path = place(named)
    sidecar = path.with_suffix(".json") if path.is_file() else next(iter(sorted(path.glob("seed-*.json"))), None)
    if sidecar is None:
        raise StudyError(f"model {named}: holds no seed-<n>.json; give a folder of results/<scale>/networks/")
    try:
        about = read_json(sidecar)
        recipe, seed = Recipe(about["recipe"]), int(sidecar.stem.removeprefix("seed-"))
        network = NetworkStore(sidecar.parents[1], torch.device("cpu"), about.get("precision")).load(recipe, seed).network
    except (EvidenceError, KeyError, ValueError) as error:
        raise StudyError(f"model {named}: {in_a_line(error)}") from None
    mean, std = (tuple(values.flatten().tolist()) for values in (network.mean, network.std))
    wants = Preparation(about["input"]["size"], about["input"]["channels"], mean=mean, std=std)
    made = {"kind": "trained here", "architecture": recipe.name, "sha256": about["sha256"], "seed": seed}
    return Loaded(sidecar.parent.name, network.model, wants, None, (f"repetition {seed}",), made, recipe.data["world"])


def _of_file(named: str, weights: Path | None) -> Loaded:
    """TorchScript; a file of tensors alone has no architecture."""
    _refuse_weights(named, weights)
    path = place(named)
    if path.suffix not in WEIGHTS:
        fix = "; load it by a function of a module, as a torch.nn.Module" if path.suffix == ".onnx" else ""
        raise StudyError(f"model {named}: a file of kind '{path.suffix}' (allowed: {', '.join(WEIGHTS)}){fix}")
    try:
        model = torch.jit.load(path, map_location="cpu")
    except (RuntimeError, ValueError):
        raise StudyError(
            f"model {named}: weights without an architecture; say which: assay measure NAME --weights {named}"
        ) from None
    about = {"kind": "TorchScript", "architecture": path.name, "sha256": sha256(path)}
    return Loaded(path.stem, model, Preparation(), None, (), about)
