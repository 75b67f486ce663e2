"""What was tested, in a phrase: the size of the images and networks that a verdict is about."""

from typing import TYPE_CHECKING

from assay.language.plugs import weights_file
from assay.language.recipes import Recipe, plug_name

if TYPE_CHECKING:
    from assay.language.study import Study


def tested(study: "Study", parameters: dict[Recipe, list[int]]) -> str:
    """What was tested in a phrase, e.g. "16 px shapes (1536 training images), 78k-parameter resnet"."""
    recipes = list(dict.fromkeys(cell.recipe for cell in study.cells))
    worlds = sorted({_world_phrase(recipe.data["world"]) for recipe in recipes})
    models: dict[str, list[int]] = {}
    for recipe in recipes:
        models.setdefault(_model_phrase(recipe.data["model"]), []).extend(parameters.get(recipe, []))
    phrases = [f"{_count_range(counts)}{name}" for name, counts in sorted(models.items())]
    return ", ".join([*worlds, *phrases])


def _model_phrase(model: dict) -> str:
    given = model["parameters"]
    file = weights_file(given.get("weights") or "")
    if file:
        return f"{plug_name(model)} from the weights in {file.name}"
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
