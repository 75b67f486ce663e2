"""What is asked for: which models on which data, which groups of metrics on how many images; kept as a file that all jobs read.

<out>/request.json                 this
<out>/images/<images>/             the images, decoded once for a way of preparing them
<out>/answers/<model>/             what a model made of them
<out>/measured/<model>/<group>/    numbers
"""

import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from assay.artifacts.folders import pull
from assay.errors import StudyError
from assay.language.recipes import canonical, plugs_in
from assay.networks.jobs import pin_threads
from assay.provenance.fingerprints import data_behind, digest, fingerprint
from assay.report.figure import ASSETS
from assay.scorecard.data import data_for, data_name
from assay.scorecard.explaining import PATH
from assay.scorecard.groups import BY_NAME, Group, chosen
from assay.scorecard.images import drawn
from assay.scorecard.loading import Loaded, Preparation, load, takes_weights
from assay.scorecard.names import places, read_names
from assay.scorecard.planning import STARTING, costs, within
from assay.scorecard.probing import Probe, batch_within, free_memory, probe
from assay.storage.files import read_json, sha256, write_atomic
from assay.storage.places import CHECKOUT, WORK, place
from assay.worlds._files import check_geometry, listed

GIB = 2**30
OWN = "-"  # in the place of a file of weights


@dataclass(frozen=True)
class Model:
    """A model of a request. key: its name in paths, with a digest of all that its numbers depend on. desk: the folder that a
    person was in, where Python modules are found. names: of its logits as a person gave them; logits: as they are known. images:
    the key of what it is shown. about: where it came from."""

    key: str
    name: str
    named: str
    weights: str | None
    given: dict[str, Any]
    desk: str
    names: list[str] | None
    logits: list[str] | None
    state: str
    images: str
    batch: int
    probe: dict[str, Any]
    about: dict[str, Any]

    def load(self) -> Loaded:
        """The model, as it was looked at. StudyError where it is another one by now."""
        sys.path.insert(0, self.desk)
        loaded = loaded_as(self.named, self.weights, self.given, self.names)
        if loaded.identity["state"] != self.state:
            raise StudyError(f"model {self.named}: other weights than when measuring was asked for; start again")
        return loaded


@dataclass(frozen=True)
class Request:
    """models: in the order asked for; the first is the reference of ratios. images: what is drawn, by key. counts: test images
    that each group looks at. seconds: predicted, by model and group ("answers" for the pass that all share)."""

    data: str
    models: tuple[Model, ...]
    images: dict[str, dict[str, Any]]
    counts: dict[str, int]
    seconds: dict[str, dict[str, float]]
    memory: int
    skip_unreadable: bool = False
    threads: int = 1
    device: str = "auto"

    @property
    def groups(self) -> tuple[Group, ...]:
        return tuple(BY_NAME[name] for name in self.counts)

    @property
    def megabytes(self) -> int:
        """What a job asks a scheduler for."""
        return round(self.memory / 2**20) + 500

    @property
    def gpu(self) -> int:
        return int(self.device == "cuda")

    def minutes(self, model: str, group: str) -> int:
        """What a job asks a scheduler for: four times what is predicted, and ten minutes."""
        return 10 + round(4 * self.seconds[model][group] / 60)

    def code(self, group: str) -> str:
        return BY_NAME[group].code

    def model(self, key: str) -> Model:
        return next(model for model in self.models if model.key == key)

    def save(self, path: Path) -> None:
        write_atomic(path, json.dumps(asdict(self), indent=1))

    @classmethod
    def read(cls, path: Path) -> "Request":
        held = read_json(path)
        return cls(**{**held, "models": tuple(Model(**model) for model in held["models"])})

    def lines(self, cores: int) -> list[str]:
        """The plan: each group's images and core minutes, minutes on these cores, and memory."""
        rows = [f"{'group':16}{'images':>8}{'core minutes':>14}"]
        for name in ("answers", *self.counts):
            minutes = sum(seconds[name] for seconds in self.seconds.values()) / 60
            count = "" if name == "answers" else str(self.counts[name])
            rows.append(f"{name:16}{count:>8}{minutes:14.1f}")
        jobs = [value for seconds in self.seconds.values() for value in seconds.values()]
        wall = max(sum(jobs) / cores, max(jobs)) / 60
        line = f"plan: {len(jobs)} jobs, {sum(jobs) / 60:.1f} core minutes, about {wall:.1f} minutes on {cores} cores"
        return [*rows, f"{line}; at most {self.memory / GIB:.1f} GiB a job"]


def weights_for(named: Sequence[str], weights: Sequence[str]) -> list[str | None]:
    """The file that each model is filled with: those given, in order, for the models that take one; OWN for one that brings its
    own. StudyError unless there are as many, or none."""
    takers = [name for name in named if takes_weights(name)]
    if weights and len(weights) != len(takers):
        raise StudyError(
            f"--weights: {len(weights)} files for {len(takers)} models that take one ({', '.join(takers) or 'none'});"
            f" give one for each, in order, '{OWN}' where a model brings its own"
        )
    left = iter(None if file == OWN else file for file in weights)
    return [next(left, None) if takes_weights(name) else None for name in named]


def loaded_as(named: str, weights: str | None, given: dict[str, Any], names: Sequence[str] | None) -> Loaded:
    """The model with what a person says of it. given: fields of Preparation; one channel takes one mean and spread."""
    loaded = load(named, weights, given)
    wants = loaded.preparation
    if len(wants.mean) != wants.channels or len(wants.std) != wants.channels:
        default = Preparation()
        if (wants.mean, wants.std) != (default.mean, default.std):
            raise StudyError(f"model {named}: mean and std of {len(wants.mean)} channels for images of {wants.channels}")
        neutral = {"mean": (0.0,) * wants.channels, "std": (1.0,) * wants.channels}
        loaded = load(named, weights, {**given, **neutral})
    if names is not None:
        loaded = Loaded(**{**loaded.__dict__, "names": tuple(names)})
    return loaded


def request(
    named: Sequence[str],
    *,
    weights: Sequence[str] = (),
    data: str | None = None,
    names: str | None = None,
    only: Sequence[str] = (),
    minutes: float | None = None,
    most: int | None = None,
    given: dict[str, Any] | None = None,
    skip_unreadable: bool = False,
    threads: int = 1,
    device: str = "auto",
    say: Callable[[str], None] = print,
) -> Request:
    """Load every model, look at it, and plan what is measured; says how each one wants its images. StudyError or DataError
    where a model or the data cannot be used, before anything is computed."""
    pin_threads(threads)  # passes are timed as jobs take them
    read = list(read_names(place(names))) if names else None
    groups, models, images, probes = chosen(list(only)), [], {}, []
    for name, file in zip(named, weights_for(named, weights), strict=True):
        loaded = loaded_as(name, file, given or {}, read)
        spec = data_for(data, loaded)
        found, batch = _looked_at(loaded, spec)
        for line in (str(loaded.preparation), *loaded.said, *_matched(loaded, spec, found)):
            say(f"{name}: {line}")
        shown = _identified(spec)
        images[_digest(shown)] = shown
        models.append(_model(loaded, name, file, given or {}, read, _digest(shown), found, batch))
        probes.append(found)
    if len({model.key for model in models}) < len(models):
        raise StudyError("models: the same model twice on the same data; name each once")
    _pull(images.values())
    spec = next(iter(images.values()))
    counts = within(groups, probes, *_sizes(spec), minutes, most, _numbers(spec))
    seconds = {model.key: _seconds(groups, found, counts, spec) for model, found in zip(models, probes, strict=True)}
    memory = max(_memory(found, model.batch, counts, spec) for model, found in zip(models, probes, strict=True))
    if memory > free_memory():
        raise StudyError(
            f"measure: a job needs up to {memory / GIB:.1f} GiB and {free_memory() / GIB:.1f} are free; lower --images or --size"
        )
    asked = data_name(data, spec), tuple(models), images, counts, seconds, memory
    return Request(*asked, skip_unreadable=skip_unreadable, threads=threads, device=device)


def _pull(specs: Iterable[dict[str, Any]]) -> None:
    """Bring the real images that worlds read, where there is a store to bring them from."""
    files = set(data_behind({plug for spec in specs for plug in plugs_in(spec)}))
    if files and CHECKOUT:
        pull("data", only=files)


def _looked_at(loaded: Loaded, spec: dict[str, Any]) -> tuple[Probe, int]:
    wants = loaded.preparation
    check_geometry(spec["size"], wants.crop, wants.interpolation, wants.mode)
    found = probe(loaded, (spec["channels"], spec["size"], spec["size"]))
    return found, batch_within(loaded, found, free_memory())


def _matched(loaded: Loaded, spec: dict[str, Any], found: Probe) -> list[str]:
    """How the classes of a folder, which are known before anything is drawn, are matched to the logits; and what is left out."""
    if spec["plug"] != "worlds/folder":
        return []
    files = listed(Path(spec["parameters"]["path"]))
    said = [places(files.classes, loaded.names, found.outputs, loaded.name)[1]]
    if files.hidden or files.stray:
        said.append(f"{files.hidden} hidden files and {files.stray} that are no images of a class are left out")
    return said


def _identified(spec: dict[str, Any]) -> dict[str, Any]:
    """The data with what they hold now: of a folder, a digest of the names and bytes that are looked at."""
    if spec["plug"] != "worlds/folder":
        return spec
    return {**spec, "bytes": [split.images.digest() for split in drawn(spec).splits().values()]}


def _sizes(spec: dict[str, Any]) -> tuple[int, int]:
    """Test and training images that are looked at, as far as that is known before they are drawn."""
    given = spec["parameters"]
    if spec["plug"] != "worlds/folder":
        return given.get("test") or 1024, given.get("train") or 1024
    parts = listed(Path(given["path"])).parts
    return len(parts["test"]), min(len(parts["train"]), given["train"])


def _numbers(spec: dict[str, Any]) -> int:
    return spec["channels"] * spec["size"] ** 2


def _seconds(groups: Sequence[Group], found: Probe, counts: dict[str, int], spec: dict[str, Any]) -> dict[str, float]:
    cost = costs(groups, found, counts, sum(_sizes(spec)), _numbers(spec))
    return {"answers": cost.answers + STARTING, **cost.groups}


def _memory(found: Probe, batch: int, counts: dict[str, int], spec: dict[str, Any]) -> int:
    """Bytes of the largest job: a batch with gradients, and the images of the group that holds most, twice."""
    at_once = max(batch, PATH) if "attributions" in counts else batch
    held = max((count for name, count in counts.items() if BY_NAME[name].forward or BY_NAME[name].backward), default=0)
    return found.memory(at_once) + 2 * 4 * held * _numbers(spec)


def _model(
    loaded: Loaded,
    named: str,
    weights: str | None,
    given: dict[str, Any],
    names: list[str] | None,
    images: str,
    found: Probe,
    batch: int,
) -> Model:
    identity = loaded.identity
    key = f"{_slug(loaded.name)}-{_digest({**identity, 'images': images})}"
    about = {**loaded.about, "preparation": str(loaded.preparation), "said": list(loaded.said)}
    logits = None if loaded.names is None else list(loaded.names)
    asked = key, loaded.name, named, weights, given, str(Path.cwd()), names
    return Model(*asked, logits, identity["state"], images, batch, asdict(found), about)


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._]+", "_", name).strip("_.")[-48:]


def _digest(data: Any) -> str:
    return hashlib.sha256(canonical(data).encode()).hexdigest()[:8]


def code_of_pages() -> str:
    """A digest of all code and templates that pages are made with."""
    files = {path.name: sha256(path) for path in (ASSETS / "templates").glob("*card.*")}
    return digest(fingerprint("assay.scorecard.pages") | files)


def folder_for(out: str | None, data: str) -> Path:
    """Where results go: the folder named, or results/measured/<data>."""
    return place(out) if out else WORK / "results" / "measured" / _slug(data)
