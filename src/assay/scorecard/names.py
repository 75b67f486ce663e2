"""Names of classes: those of ImageNet as timm has them, a person's file, and which of a model's are those of the data."""

import re
from collections import Counter
from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from assay.errors import StudyError
from assay.training import shim  # noqa: F401  (before timm)

# isort: split
from timm.data import ImageNetInfo

IMAGENET = 1000
SHOWN = 3  # names in an error


@cache
def imagenet_names() -> tuple[str, ...]:
    """The 1,000 classes of ILSVRC 2012 in the usual order, each its WordNet id and its synonyms: "n02124075 Egyptian cat"."""
    info = ImageNetInfo("imagenet-1k")
    return tuple(f"{info.index_to_label_name(n)} {info.label_descriptions()[n]}" for n in range(IMAGENET))


def read_names(path: Path) -> tuple[str, ...]:
    """The names of a model's logits, in order, one a line. StudyError where a name stands twice or there are none."""
    try:
        names = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"{path}: cannot be read as names, one a line ({error})") from None
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice or not names:
        raise StudyError(
            f"{path}: " + (f"'{twice[0]}' stands twice" if twice else "holds no names") + "; one name a logit, in order"
        )
    return tuple(names)


def places(classes: Sequence[str], names: Sequence[str] | None, outputs: int, model: str) -> tuple[list[int], str]:
    """Which logit each of the data's classes is, and in a line how that is known.

    By name, whatever the case; ImageNet's by WordNet id or any synonym that is no other class's; without names, in the order
    of the classes where there are as many. StudyError for a class that no logit is of.
    """
    if names is None:
        if len(classes) != outputs:
            raise StudyError(
                f"model {model}: {outputs} logits without names, and {len(classes)} classes in the data"
                f" ({_few(classes)}); give the logits' names, one a line, with --names"
            )
        return list(range(outputs)), f"logits are taken to be the data's classes in their order: {_few(classes)}"
    if len(names) != outputs:
        raise StudyError(f"model {model}: {outputs} logits and {len(names)} names; give one name for each")
    known = aliases(names)
    missing = [name for name in classes if _plain(name) not in known]
    if missing:
        near = get_close_matches(_plain(missing[0]), known, n=1, cutoff=0.6)
        hint = f" (nearest to '{missing[0]}': '{names[known[near[0]]]}')" if near else ""
        raise StudyError(
            f"model {model}: {len(missing)} of the data's {len(classes)} classes are none of its {outputs}:"
            f" {_few(missing)}{hint}; rename the folders, or give the logits' names, one a line, with --names"
        )
    found = [known[_plain(name)] for name in classes]
    if len(set(found)) < len(found):
        one, other = (name for name, place in zip(classes, found, strict=True) if found.count(place) > 1)
        raise StudyError(f"model {model}: classes '{one}' and '{other}' of the data are one of the model's; join their folders")
    return found, f"{len(classes)} classes of the data are matched by name to {outputs} logits"


def aliases(names: Sequence[str]) -> dict[str, int]:
    """The place of each name, and of each WordNet id and synonym that only one of the names has."""
    ways = [(alias, place) for place, name in enumerate(names) for alias in _ways(name)]
    count = Counter(alias for alias, _ in ways)
    return {alias: place for alias, place in ways if count[alias] == 1}


def _ways(name: str) -> set[str]:
    numbered = re.fullmatch(r"(n\d{8}) (.+)", name)
    if not numbered:
        return {_plain(name)}
    identifier, synonyms = numbered.groups()
    return {_plain(name), identifier, *map(_plain, synonyms.split(","))}


def _plain(name: str) -> str:
    """A name without what people write differently: case, spaces, underscores and hyphens."""
    return re.sub(r"[\s_-]+", " ", name).strip().lower()


def short(name: str) -> str:
    """A class's name as it is shown: of ImageNet's the first synonym."""
    numbered = re.fullmatch(r"n\d{8} (.+)", name)
    return numbered[1].split(",")[0] if numbered else name


def _few(names: Sequence[str]) -> str:
    return ", ".join(map(str, names[:SHOWN])) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
