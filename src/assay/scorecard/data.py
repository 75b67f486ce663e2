"""What models are shown: a folder of images or a world by name, drawn in the way that the model wants its images."""

from pathlib import Path
from typing import Any

import yaml

from assay import datasets
from assay.errors import StudyError, unknown
from assay.language.plugs import describe, find
from assay.scorecard.loading import Loaded, Preparation
from assay.storage.places import place

TRAIN = 2048  # training images that are looked at, where a world is not smaller
USUAL_SIZE = 224  # pixels of a folder's images, for a model that says none


def canonical(kind: str, spec: Any) -> dict[str, Any]:
    """A plug as people write it, `name` or `{name: {parameter: value}}`, with all parameters written out. StudyError for what
    is not known or allowed."""
    name, given = (spec, {}) if isinstance(spec, str) else next(iter(spec.items()))
    info = describe(kind, name)
    for key in given or {}:
        if key not in info.parameters:
            raise StudyError(f"{kind} {name}: {unknown('parameter', key, info.parameters)}")
    parameters = {}
    for key, parameter in info.parameters.items():
        value = (given or {}).get(key, parameter.default)
        if parameter.required and key not in (given or {}):
            raise StudyError(f"{kind} {name}: parameter '{key}' has no default; give it: '{{{name}: {{{key}: ...}}}}'")
        if parameter.plug and value is not None:
            parameters[key] = (
                [canonical(parameter.plug, v) for v in value] if parameter.many else canonical(parameter.plug, value)
            )
            continue
        try:
            parameters[key] = value if value is None else parameter.normalise(value)
        except ValueError as error:
            raise StudyError(f"{kind} {name}: {key} = {value!r}: {error}") from None
    return {"plug": f"{kind}/{name}", "parameters": parameters}


def data_for(asked: str | None, loaded: Loaded) -> dict[str, Any]:
    """The data a model is shown, as canonical data with "plug" and "parameters", and the images' "size" and "channels".

    asked: a folder, or a world as in a study; None: what a network of this project was trained on. A world that has a size,
    channels or many training images is drawn with those of the model; one that has none is resized.
    """
    wants = loaded.preparation
    if asked is None or _is_its_own(asked, loaded):
        if loaded.world is None:
            raise StudyError(f"model {loaded.name}: no data; name a folder of images or a world with --data")
        return {**loaded.world, "size": wants.size, "channels": wants.channels}
    if asked == "imagenet":  # photographs in train/ and val/, cut and scaled as the model wants them
        return _folder(datasets.retrieved("imagenet").root, wants)
    if asked not in find("worlds") and (place(asked).is_dir() or ("/" in asked and "{" not in asked)):
        return _folder(place(asked), wants)
    written = _written(asked)
    name, given = (written, {}) if isinstance(written, str) else next(iter(written.items()))
    if name not in find("worlds"):
        raise StudyError(f"data: {unknown('world', name, find('worlds'))}; or give a folder, as ./{name}")
    declared = describe("worlds", name).parameters
    fitted = {"size": wants.size, "channels": wants.channels, "train": TRAIN if _is_large(name) else None}
    own = {key: value for key, value in fitted.items() if key in declared and value is not None}
    spec = canonical("worlds", {name: {**own, **(given or {})}})
    size = wants.size or spec["parameters"].get("size")
    if size is None:
        raise StudyError(f"model {loaded.name}: neither it nor the world {name} says how large images are; give --size")
    return {**spec, "size": size, "channels": wants.channels}


def _folder(path: Path, wants: Preparation) -> dict[str, Any]:
    size = wants.size or USUAL_SIZE
    way = {"size": size, "crop": wants.crop, "interpolation": wants.interpolation, "mode": wants.mode}
    spec = {"folder": {"path": str(path.absolute()), **way, "channels": wants.channels, "train": TRAIN}}
    return {**canonical("worlds", spec), "size": size, "channels": wants.channels}


def _is_its_own(asked: str, loaded: Loaded) -> bool:
    return loaded.world is not None and loaded.world["plug"] == f"worlds/{asked}"


def _written(asked: str) -> str | dict:
    """A world as written on a command line: a name, or YAML as in a study."""
    try:
        written = yaml.safe_load(asked)
    except yaml.YAMLError:
        written = None
    if isinstance(written, str) or (isinstance(written, dict) and len(written) == 1):
        return written
    raise StudyError(f"data: '{asked}' is neither a folder nor a world; write NAME or '{{NAME: {{parameter: value}}}}'")


def _is_large(name: str) -> bool:
    """Whether a world has more training images than are looked at, by default."""
    default = describe("worlds", name).parameters["train"].default if "train" in describe("worlds", name).parameters else None
    return default is not None and default > TRAIN


def data_name(asked: str | None, spec: dict[str, Any]) -> str:
    """What the data are called in tables and paths."""
    name = spec["plug"].partition("/")[2]
    return Path(spec["parameters"]["path"]).name if name == "folder" else name
