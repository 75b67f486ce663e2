"""Another world with some of its quantities drawn anew and everything else as it was: a counterfactual of every image.

Each quantity of a world has a random stream of its own, so replacing the named streams changes these quantities alone. With one
factor's streams it makes single-factor counterfactuals, which stand here for the edited photographs of "LANCE: Stress-testing
Visual Models by Generating Language-guided Counterfactual Images" (P190). With all streams of a split it makes another sample of
the same distribution, as the replicated test sets of "Do ImageNet Classifiers Generalize to ImageNet?" (P220) are meant to be.
"""

from collections.abc import Callable
from typing import Annotated

import numpy as np
from annotated_types import Ge

from assay.data.seeds import Draw
from assay.data.world import World
from assay.language.plugs import Plug
from assay.worlds._split import refuse


def redrawn(
    draw: Draw,
    *,
    of: Annotated[Callable, Plug("worlds")] = "shapes",
    streams: list[str] = [],  # noqa: B006
    keep: list[str] = [],  # noqa: B006
    turn: Annotated[int, Ge(1)] = 1,
) -> World:
    """The world `of` whose `streams`, but for those in `keep`, come from draw number `turn` of the same repetition.

    A stream is named by consecutive names on its path, joined by slashes: "test" is everything in the test split, "background"
    all that makes backgrounds, "background/hue" their hue. Raises StudyError for a name that no stream of the world has.
    """
    turned = _Turned(draw, turn, [_names(name) for name in streams], [_names(name) for name in keep])
    world = of(turned)
    for parameter, asked in (("streams", streams), ("keep", keep)):
        for name in asked:
            if _names(name) not in turned.met:
                raise refuse("redrawn", parameter, name, "names on a stream's path, such as test or background/hue", "correct it")
    return world


def _names(stream: str) -> tuple[str, ...]:
    return tuple(stream.split("/"))


class _Turned(Draw):
    """A draw that answers for some streams with those of another turn; met: which of the names it was asked for."""

    def __init__(self, draw: Draw, turn: int, streams: list, keep: list, path: tuple[str, ...] = (), met: set | None = None):
        super().__init__(*draw.root)
        self.draw, self.turn, self.streams, self.keep, self.path = draw, turn, streams, keep, path
        self.met = set() if met is None else met

    def __call__(self, *names: object) -> np.random.Generator:
        path = (*self.path, *map(str, names))
        chosen, kept = ([name for name in group if _within(name, path)] for group in (self.streams, self.keep))
        self.met.update(chosen, kept)
        if chosen and not kept:
            return self.draw("redrawn", self.turn, *path)
        return self.draw(*path)

    def under(self, *names: object) -> "_Turned":
        return _Turned(self.draw, self.turn, self.streams, self.keep, (*self.path, *map(str, names)), self.met)


def _within(name: tuple[str, ...], path: tuple[str, ...]) -> bool:
    """Whether the names stand on the path one after another."""
    return any(path[start : start + len(name)] == name for start in range(len(path)))
