"""Canaries: the few studies whose small forms tell whether a change of code changes numbers.

Studies are taken at the scale `ci`, until every plug, every parameter off its default and every field off its default that some
study uses is used by one that is taken. So there is no list of canaries to keep. What no study uses yet, though the code has it,
is used by files of the same form in config/canaries, the family of that name; they are taken for nothing else, so no evidence
rests on what they alone go through.
"""

from collections.abc import Collection, Mapping

from assay.language.recipes import walk, without_defaults
from assay.language.study import Study

SCALE = "ci"
FAMILY = "canaries"
FIELDS = ("start", "draws", "reset")  # of a recipe that hold no plug, beside what it records


def uses(study: Study) -> frozenset[tuple[str, str]]:
    """What a study's numbers go through: ("worlds/shapes", "") for a plug, ("worlds/shapes", "noise") for a parameter that is not
    at its default, ("recipe", "start") for a field, ("recipe", "record margins") for what is recorded."""
    recipes = {*study.recipes, *(cell.recipe for cell in study.cells)}
    given = [*(cell.protocol for cell in study.cells), *(recipe.data for recipe in recipes)]
    plugs = [node for data in given for node in walk(data) if "plug" in node]
    return frozenset(
        {(node["plug"], "") for node in plugs}
        | {(node["plug"], name) for node in plugs for name in without_defaults(node)["parameters"]}
        | {("recipe", field) for recipe in recipes for field in FIELDS if _is_set(recipe.data.get(field))}
        | {("recipe", f"record {name.split()[0]}") for recipe in recipes for name in recipe.records}
    )


def _is_set(value: object) -> bool:
    """Whether a field says something: a network to start from, an axis that is moved, a share to forget at."""
    return any(value.values()) if isinstance(value, dict) else bool(value)


def cover(studies: Mapping[str, Study], kinds: Collection[str] = ()) -> list[str]:
    """Few of the studies, by name, that together use all that any of them uses, or all plugs of these kinds; none of them can be
    left out. Files of canaries are taken for what is left then."""
    used = {name: _of_kinds(uses(study), kinds) for name, study in sorted(studies.items())}
    work = {name: len(study.recipes) + len(study.cells) for name, study in studies.items()}
    own = {name: needs for name, needs in used.items() if studies[name].family != FAMILY}
    known = frozenset().union(*own.values())
    left = {name: needs - known for name, needs in used.items() if name not in own}
    return sorted([*_few(own, work), *_few(left, work)])


def _few(used: Mapping[str, frozenset], work: Mapping[str, int]) -> list[str]:
    """Names that together use all that any uses, none of which can be left out; of several such sets one with little work."""
    missing = frozenset().union(*used.values())
    taken: list[str] = []
    while missing:
        # Of two that add as much, the one with less to train and to measure.
        taken.append(max(used, key=lambda name: (len(used[name] & missing), -work[name])))
        missing -= used[taken[-1]]
    for name in sorted(taken, key=lambda name: (-work[name], name)):
        others = frozenset().union(*(used[other] for other in taken if other != name))
        if used[name] <= others:
            taken.remove(name)
    return taken


def _of_kinds(used: frozenset[tuple[str, str]], kinds: Collection[str]) -> frozenset[tuple[str, str]]:
    """The plugs of these kinds, without their parameters; all that is used where no kinds are given."""
    return frozenset((plug, "") for plug, _ in used if plug.split("/")[0] in kinds) if kinds else used
