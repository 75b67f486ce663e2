"""Another world of which a fold of the training split is held out, for probabilities of samples a network was not trained on.

Cross-validation as confident learning uses it. Row r belongs to fold r mod `folds`; the rows of all worlds here are in random
order already.
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

FACTORS = ("row",)


def fold(
    draw: Draw,
    *,
    of: Annotated[Callable, Plug("worlds")] = "shapes",
    folds: Annotated[int, Ge(2)] = 2,
    part: Annotated[int, Ge(0)] = 0,
) -> World:
    """Training split without fold `part`, which becomes the further split "held_out". Both get the factor row: its row in the
    whole split.

    Raises StudyError for a part that is not below folds.
    """
    world = of(draw)
    if part >= folds:
        raise refuse("fold", "part", part, f"0 to {folds - 1}", "lower part or raise folds")
    row = np.arange(len(world.train))
    whole = replace(world.train, factors={**world.train.factors, "row": row})
    held_out = whole.take(row[row % folds == part])
    return replace(world, train=whole.take(row[row % folds != part]), extra={**world.extra, "held_out": held_out})
