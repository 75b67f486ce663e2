"""Blocks: the repetitions of a study in portions that are measured together, written once and never opened again."""

import re
from dataclasses import dataclass

from assay.errors import StudyError

NAME = re.compile(r"(0|[1-9][0-9]*)-(0|[1-9][0-9]*)")


@dataclass(frozen=True, order=True)
class Block:
    """Repetitions from the first to the last, both included."""

    first: int
    last: int

    @classmethod
    def named(cls, name: str) -> "Block":
        """The block of a name such as 5-9; StudyError for anything else."""
        match = NAME.fullmatch(name)
        if not match or int(match[1]) > int(match[2]):
            raise StudyError(f"'{name}' names no block of repetitions; write the first and the last, such as 0-4")
        return cls(int(match[1]), int(match[2]))

    @property
    def name(self) -> str:
        """The block as folders are called: 0-4."""
        return f"{self.first}-{self.last}"

    @property
    def repetitions(self) -> range:
        return range(self.first, self.last + 1)


def blocks(seeds: int, size: int, start: int = 0) -> tuple[Block, ...]:
    """The blocks of `size` repetitions that `seeds` repetitions from `start` on are made of; `size` divides `seeds`."""
    return tuple(Block(first, first + size - 1) for first in range(start, start + seeds, size))
