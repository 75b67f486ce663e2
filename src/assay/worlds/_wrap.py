"""Helpers of worlds that change another world."""

from collections.abc import Callable
from dataclasses import replace

from assay.data.world import Split, World


def each_split(world: World, change: Callable[[str, Split], Split]) -> World:
    """The world with every split replaced by change(name of the split, split)."""
    return replace(
        world,
        train=change("train", world.train),
        test=change("test", world.test),
        extra={name: change(name, split) for name, split in world.extra.items()},
    )
