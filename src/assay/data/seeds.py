"""Seeds derived by hashing the names of the axes that may move, so compared arms share every draw they can."""

import hashlib

import numpy as np

from assay.language import draws

# Part of every seed. No verdict may rest on draws that a choice of data, budget or expectation has seen: such choices are made on
# trial draws, whose name is part of every seed as well (docs/add-a-study.md). docs/design.md says when this was set anew.
ROOT_NAME = "assay 2026-11, trained to the plateau"


def seed_of(*names: object) -> int:
    """A 63-bit seed that depends on the names, ROOT_NAME and the name that this process draws under (`assay.language.draws`)
    alone, equal on every platform and Python version."""
    digest = hashlib.sha256("\x1f".join(map(str, (_root(draws.current()), *names))).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def _root(name: str) -> str:
    """What all seeds of these draws contain."""
    return ROOT_NAME if name == draws.JUDGED else f"{ROOT_NAME}, {name} draws"


class Draw:
    """Named random streams under one root: `Draw("world", 0)("texture")` is always the same numpy generator.

    Every factor draws from a stream of its own name, so switching one factor on leaves all others as they were.
    """

    def __init__(self, *root: object):
        self.root = root

    def __call__(self, *names: object) -> np.random.Generator:
        return np.random.default_rng(seed_of(*self.root, *names))

    def under(self, *names: object) -> "Draw":
        """The streams below further names, e.g. one split of a world."""
        return Draw(*self.root, *names)
