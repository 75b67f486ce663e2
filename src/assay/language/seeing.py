"""How photographs are read for a network that starts from published weights: as timm evaluates these weights."""

from typing import Any

from assay.errors import StudyError
from assay.language.plugs import describe
from assay.language.recipes import walk
from assay.language.timm_names import configurations

# Parameters of a world that reads photographs from files, by timm's names: their side in pixels, which share of the resized
# photograph that is, how pixels are interpolated, and whether the photograph's shorter side is resized or both.
SEEN = ("size", "crop_pct", "interpolation", "crop_mode")


def published(model: dict) -> str | None:
    """timm's name of the weights that a model in canonical form starts from, None if it starts from none.

    A plug with such weights has the parameter `pretrained` or `weights`, and says their name by its parameter `name` or by the
    constant NAME of its file.
    """
    for node in walk(model):
        given = node.get("parameters", {}) if "plug" in node else {}
        if given.get("pretrained") or given.get("weights"):
            return given.get("name") or describe(*node["plug"].split("/")).constants["NAME"]
    return None


def seen_as(model: dict) -> dict[str, Any]:
    """The parameters SEEN of a world for networks of this model; empty if it starts from no published weights. StudyError if timm
    cannot be asked."""
    name = published(model)
    if name is None:
        return {}
    if name not in configurations():
        raise StudyError(f"model: timm cannot be asked how photographs are read for {name}; mend its installation: pip check")
    found = configurations()[name]
    height, width = found["input_size"][1:]
    return {**{key: found[key] for key in SEEN[1:]}, "size": width if height == width else [height, width]}
