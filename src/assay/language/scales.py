"""Scales: the sizes at which all studies run, and what stands in at a large one for procedural worlds and small models.

A scale may hold settings, the usual ones of the field: data sets, full-size models, budgets. A study takes the setting the scale
names for it, else the first that has a stand-in for every procedural world it trains on. It keeps its own worlds and models where
it needs a factor that no data set has, or sets a parameter that the stand-in lacks; a scale may leave such studies out. A study
never mentions a scale.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from assay.errors import AssayError, StudyError, quoted, unknown
from assay.language.inputs import parse, read_yaml, shown
from assay.language.plugs import describe
from assay.language.recipes import Recipe, walk
from assay.storage.places import CONFIG

Whole = Annotated[int, Field(ge=1, strict=True)]
Spec = str | dict[str, dict[str, Any] | None]
# Parameters that say how large a small world or model is. They stay behind when another stands in, which has its own.
SIZES = {
    "worlds": ("size", "train", "test"),
    "models": ("width", "blocks", "depth", "heads", "patch", "hidden", "dense", "kernel"),
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WorldSize(_Strict):
    """Defaults for the world parameters of these names: pixels a side, and samples in each split."""

    size: Whole
    train: Whole
    test: Whole


class Budget(_Strict):
    """Epochs of a training of length 1, and images a step."""

    epochs: Whole
    batch: Whole


class Job(_Strict):
    """What one job asks a scheduler for at its first attempt."""

    gpus: Annotated[int, Field(ge=0, strict=True)] = Field(0, description="GPUs of a training and of a measuring job")
    threads: Whole = Field(1, description="threads a job computes with; streamed images are decoded by as many")
    train_mb: Whole = Field(1500, description="main memory of a training job, MB")
    measure_mb: Whole = Field(2000, description="main memory of a measuring job, MB")
    minutes: Whole = Field(60, description="time of a job for which there is no estimate")
    longest: Whole = Field(1440, description="minutes above which none is asked for; a training goes on from its checkpoint")


class Setting(_Strict):
    """A usual setting of the field, which takes the place of procedural worlds and small models."""

    worlds: dict[str, Spec] = Field(min_length=1, description="procedural world -> data set that stands in for it")
    models: dict[str, Spec] = Field({}, description="small model -> full-size model that stands in for it")
    world: WorldSize | None = Field(
        None, description="sizes of procedural worlds that a study puts beside the data set; the scale's if not given"
    )
    budget: Budget | None = Field(None, description="the scale's if not given")
    keep_sizes: bool = Field(
        False, description="whether stand-ins have the sizes of what they stand in for, those of the scale and of the study"
    )
    batch_times: Whole = Field(1, description="what a batch size set by a study is multiplied by")
    optimizers: dict[str, dict[str, Any]] = Field(
        {}, description="optimizer -> parameters, in place of those that a study gives to all its networks alike"
    )


def _less_where_like(schema: dict[str, Any]) -> None:
    """In the schema, a scale that is like another needs a description alone."""
    schema["anyOf"] = [{"required": schema.pop("required")}, {"required": ["description", "like"]}]


class Scale(_Strict):
    """One size at which all studies run (config/scales/<name>.yaml)."""

    model_config = ConfigDict(json_schema_extra=_less_where_like)

    description: str
    like: str | None = Field(None, description="another scale, whose values this one has wherever it says nothing")
    first_look: Whole = Field(
        description="repetitions after which a study is first judged, further ones after twice, four times, ... as many"
    )
    block: Whole = Field(description="repetitions that are trained, measured and archived together; divides first_look")
    networks_per_job: Whole = Field(
        1, description="up to this many networks that the same studies need share a job; with 1 a job trains one network"
    )
    conclusive: bool = Field(True, description="whether evidence at this scale may count for a paper's row")
    world: WorldSize
    worlds: dict[str, dict[str, Any]] = Field(
        {}, description="world -> defaults of its other parameters at this scale, wherever a study does not set them"
    )
    budget: Budget
    cap: dict[str, Whole] = Field({}, description="upper limits on parameters of these names, wherever a study sets them")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="what networks train in, on a CPU as on a GPU; bfloat16 is autocast"
    )
    job: Job = Field(Job(), description="what a job asks a scheduler for")
    gpus: dict[str, Whole] = Field({}, description="model -> GPUs of one training, where it is not job.gpus")
    settings: dict[str, Setting] = Field({}, description="data sets and full-size models that stand in, with their budgets")
    studies: dict[str, str] = Field({}, description="study -> setting, where it is not the first that fits")
    only_stand_ins: bool = Field(False, description="whether studies that keep their own worlds are left out at this scale")
    titles: dict[str, str] = Field({}, description="stand-in -> what readers call it, where that is not its name")


def scales(config: Path = CONFIG) -> list[str]:
    """The names of all scales."""
    return sorted(path.stem for path in (config / "scales").glob("[!.]*.yaml"))


def load_scale(name: str, config: Path = CONFIG) -> Scale:
    """Read config/scales/<name>.yaml; StudyError for anything in it that cannot be used."""
    if name not in scales(config):
        raise StudyError(f"config: scale: {unknown('scale', name, scales(config))}")
    path = config / "scales" / f"{name}.yaml"
    scale = parse(Scale, _completed(read_yaml(path), path, config), path)
    try:
        _check(scale)
    except StudyError as error:
        raise StudyError(f"{shown(path)}: {error}") from None
    return scale


def _completed(data: Any, path: Path, config: Path) -> Any:
    """What a scale's file says, with what it leaves to the scale that it is like."""
    if not isinstance(data, dict) or "like" not in data:
        return data
    other, others = data["like"], [name for name in scales(config) if name != path.stem]
    if other not in others:
        raise StudyError(f"{shown(path)}: like: {unknown('scale', str(other), others)}")
    base = read_yaml(path.with_name(f"{other}.yaml"))
    if not isinstance(base, dict) or "like" in base:
        raise StudyError(f"{shown(path)}: like: '{other}' does not say everything itself; name a scale that does")
    return {key: value for key, value in base.items() if key != "description"} | data


def _check(scale: Scale) -> None:
    if scale.first_look % scale.block:
        raise StudyError(f"block: {scale.block} does not divide first_look: {scale.first_look}; give whole blocks")
    for world, defaults in scale.worlds.items():
        _check_defaults(world, defaults)
    for study, setting in scale.studies.items():
        if setting not in scale.settings:
            raise StudyError(f"studies.{study}: {unknown('setting', setting, scale.settings)}")
    for name, setting in scale.settings.items():
        for kind in SIZES:
            for small, spec in getattr(setting, kind).items():
                describe(kind, small)
                _check_parameters(f"settings.{name}.{kind}.{small}", kind, spec)
        for optimizer, parameters in setting.optimizers.items():
            _check_parameters(f"settings.{name}.optimizers", "optimizers", {optimizer: parameters})
    stand_ins = {single(spec)[0] for each in scale.settings.values() for kind in SIZES for spec in getattr(each, kind).values()}
    for name in scale.titles:
        if name not in stand_ins:
            raise StudyError(f"titles: {unknown('stand-in', name, stand_ins)}")


def _check_defaults(world: str, defaults: dict[str, Any]) -> None:
    _check_parameters("worlds", "worlds", {world: defaults})
    for key, value in defaults.items():
        parameter = describe("worlds", world).parameters[key]
        if key in WorldSize.model_fields:
            raise StudyError(f"worlds.{world}.{key}: is set for all worlds alike; write world.{key}")
        if parameter.plug or parameter.parent:
            raise StudyError(f"worlds.{world}.{key}: names another plug, which studies write out; leave it to them")
        try:
            parameter.normalise(value)
        except ValueError as error:
            raise StudyError(f"worlds.{world}.{key}: {quoted(value)} is not allowed: {error}") from None


def _check_parameters(where: str, kind: str, spec: Spec) -> None:
    try:
        name, parameters = single(spec)
        declared = describe(kind, name).parameters
    except (ValueError, StudyError) as error:
        raise StudyError(f"{where}: {error}") from None
    for key in parameters:
        if key not in declared:
            raise StudyError(f"{where}.{name}: {unknown('parameter', key, declared)}")


def single(spec: Any) -> tuple[str, dict[str, Any]]:
    """The name and the parameters of a plug written as a bare name or as {name: {parameters}}; ValueError for anything else."""
    if isinstance(spec, str):
        return spec, {}
    if isinstance(spec, dict) and len(spec) == 1:
        name, parameters = next(iter(spec.items()))
        if isinstance(name, str) and (parameters is None or isinstance(parameters, dict)):
            return name, parameters or {}
    raise ValueError(f"{quoted(spec)} names no plug; write a name or {{name: {{parameter: value}}}}")


@dataclass(frozen=True)
class StandIns:
    """What a study was compiled with at a scale that has settings: the setting's name and what it replaced ("shapes" ->
    "cifar10"), or why the study keeps its own worlds and models, and whether the scale leaves it out for that."""

    setting: str | None = None
    replaced: dict[str, str] = field(default_factory=dict)
    kept: str | None = None
    left_out: bool = False


class StandInError(AssayError):
    """Why a study keeps its own worlds and models."""


class AsWritten:
    """How a study's names and sizes are read at a scale without stand-ins: as written, with the scale's sizes as defaults."""

    batch_times = 1

    def __init__(self, scale: Scale):
        self.world, self.budget, self.worlds = scale.world, scale.budget, scale.worlds

    def read(self, kind: str, name: str, given: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The plug meant, and its parameters before defaults."""
        defaults = self.worlds.get(name, {}) if kind == "worlds" else {}
        return name, self.sizes(kind, name) | defaults | given

    def sizes(self, kind: str, name: str) -> dict[str, Any]:
        """Those of the scale's sizes that are parameters of the plug."""
        declared = describe(kind, name).parameters if kind == "worlds" else ()
        return {key: value for key, value in self.world.model_dump().items() if key in declared}


class InFull(AsWritten):
    """How a paper's own world and model are read: at their defaults, whatever the scale."""

    def read(self, kind: str, name: str, given: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        return name, given


class Replacing(AsWritten):
    """How a study is read in a setting: stand-ins instead of what it names.

    What its networks differ in stays: the parameters of an optimizer, and the size of a model that its sweep varies. recipes:
    the study's networks as written. swept: the field and parameter of its sweep.
    """

    def __init__(self, scale: Scale, setting: Setting, recipes: Iterable[Recipe], swept: str | None = None):
        super().__init__(scale)
        self.world, self.budget = setting.world or scale.world, setting.budget or scale.budget
        self.worlds = {}  # beside a setting's data sets, procedural worlds are as their files have them
        self.setting, self.batch_times, self.titles = setting, setting.batch_times, scale.titles
        field_name, _, parameter = (swept or "").partition(".")
        self.sweeps_size = field_name == "model" and parameter in SIZES["models"]
        self.differing = _differing([recipe.data["optimizer"] for recipe in recipes if recipe.data["budget"]["epochs"]])
        self.replaced: dict[str, str] = {}

    def read(self, kind: str, name: str, given: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """StandInError when a parameter that the study sets is one the stand-in lacks."""
        if kind == "optimizers":
            usual = self.setting.optimizers.get(name, {})
            return name, given | {key: value for key, value in usual.items() if (name, key) not in self.differing}
        spec = getattr(self.setting, kind).get(name) if kind in SIZES else None
        if spec is None or (kind == "models" and self.sweeps_size):
            return super().read(kind, name, given)
        to, own = single(spec)
        left = () if self.setting.keep_sizes else SIZES[kind]
        carried = {key: value for key, value in given.items() if key not in left and key not in own}
        for key in carried:
            if key not in describe(kind, to).parameters:
                raise StandInError(f"{name}: {to} has no parameter '{key}'")
        self.replaced[name] = self.titles.get(to) or label(to, own)
        return to, (self.sizes(kind, to) if self.setting.keep_sizes else {}) | carried | own


def _differing(optimizers: list[dict]) -> set[tuple[str, str]]:
    """(optimizer, parameter) wherever a parameter has several values."""
    values: dict[tuple[str, str], set] = {}
    for spec in optimizers:
        for key, value in spec["parameters"].items():
            values.setdefault((spec["plug"].split("/")[1], key), set()).add(value)
    return {key for key, seen in values.items() if len(seen) > 1}


def label(name: str, parameters: dict[str, Any]) -> str:
    """What readers call a plug, e.g. "mnist", "resnet (width 64, blocks 2)": timm's and IDX files' own names, else the plug's."""
    others = ", ".join(f"{key} {value}" for key, value in parameters.items() if key != "name")
    return str(parameters.get("name", name)) + (f" ({others})" if others else "")


def setting_for(study: str, scale: Scale, recipes: Iterable[Recipe], protocols: list[dict]) -> str:
    """The setting in which to compile a study of these networks and protocols. StandInError says why there is none; of several
    worlds that cannot be replaced it names that of the first network."""
    networks = [recipe.data for recipe in recipes]
    needed = factors_needed([networks, protocols])
    roots = {name: _roots(networks, setting) for name, setting in scale.settings.items()}
    fitting = [name for name, setting in scale.settings.items() if set(roots[name]) <= set(setting.worlds)]
    name = scale.studies.get(study) or next(iter(fitting or scale.settings))
    setting = scale.settings[name]
    for root in roots[name]:
        offered = factors(f"worlds/{single(setting.worlds[root])[0]}") if root in setting.worlds else set()
        missing = sorted(needed & factors(f"worlds/{root}") - offered)
        if missing:
            raise StandInError(f"{root}: needs factor{'s' if len(missing) > 1 else ''} {', '.join(missing)}")
        if root not in setting.worlds:
            raise StandInError(f"{root}: no data set stands in for it")
    return name


def _roots(networks: list[dict], setting: Setting) -> list[str]:
    """The worlds that need a stand-in in a setting, in the order of the networks: those that have one, with all that they are
    made of, and those made of no other."""
    found = dict.fromkeys(root for data in networks for root in root_worlds(data["world"], setting.worlds))
    return list(found)


def root_worlds(world: dict, replaced: Collection[str] = ()) -> list[str]:
    """The worlds inside a canonical world that are made of no other, or that these replace as a whole."""
    return [node["plug"].split("/")[1] for node in root_nodes(world, replaced)]


def root_nodes(world: dict, replaced: Collection[str] = ()) -> list[dict]:
    """`root_worlds` in canonical form."""
    name = world["plug"].split("/")[1]
    made_of = [key for key, parameter in describe("worlds", name).parameters.items() if parameter.plug == "worlds"]
    if name in replaced or not made_of:
        return [world]
    return [node for key in made_of if world["parameters"][key] for node in root_nodes(world["parameters"][key], replaced)]


def factors(plug: str) -> set[str]:
    """The factors a plug declares: those a world has, those any other plug reads."""
    return set(describe(*plug.split("/")).constants.get("FACTORS", ()))


def factors_needed(data: Any) -> set[str]:
    """The factors that the plugs in canonical data read: what they declare, and what a parameter `factors` names."""
    nodes = [node for node in walk(data) if "plug" in node and not node["plug"].startswith("worlds/")]
    return set().union(*(factors(node["plug"]) | set(node["parameters"].get("factors", ())) for node in nodes))
