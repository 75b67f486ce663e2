"""Another world with some training samples given a class of their own that does not exist, whose margins set a threshold.

"Identifying Mislabeled Data using the Area Under the Margin Ranking" (P234): of N training samples and c classes, N / (c + 1)
randomly chosen ones are relabelled as class c + 1. Their margins look like those of mislabelled samples, so a percentile of
theirs tells mislabelled from hard. As a threshold sample cannot be judged itself, a second run chooses others: two values
of `part` never share a sample.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

import numpy as np
from annotated_types import Ge

from assay.data.seeds import Draw
from assay.data.world import World
from assay.language.plugs import Plug
from assay.worlds._split import refuse

FACTORS = ("clean_label", "threshold")


def threshold_samples(
    draw: Draw,
    *,
    of: Annotated[Callable, Plug("worlds")] = "shapes",
    part: Annotated[int, Ge(0)] = 0,
) -> World:
    """part: which of the c + 1 disjoint sets of samples to relabel. Adds class "threshold" and the training factor threshold
    (N,) bool.

    Factor clean_label is kept (the labels, where the world has no noise). Raises StudyError for a part beyond c.
    """
    world = of(draw)
    classes, count = len(world.classes), len(world.train)
    chosen_count = count // (classes + 1)
    if part > classes:
        raise refuse("threshold_samples", "part", part, f"0 to {classes}, one less than the sets there are", "lower part")
    order = draw("threshold_samples").permutation(count)
    threshold = np.zeros(count, bool)
    threshold[order[part * chosen_count : (part + 1) * chosen_count]] = True
    labels = np.where(threshold, classes, world.train.labels)
    factors = {"clean_label": world.train.labels} | world.train.factors | {"threshold": threshold}
    train = replace(world.train, labels=labels, factors=factors)
    return replace(world, train=train, classes=(*world.classes, "threshold"))
