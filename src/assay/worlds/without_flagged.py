"""Another world without the training samples that a score calls mislabelled.

The cleaning step of "Identifying Mislabeled Data using the Area Under the Margin Ranking" (P234): all samples whose AUM lies
below the threshold are removed, and a new network is trained on the rest. The judging networks bring torch, which this module
imports only when it draws.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

import numpy as np

from assay.data.seeds import Draw
from assay.data.world import World
from assay.language.plugs import Parent, Plug
from assay.training.binding import bind
from assay.training.network import Trained
from assay.worlds._split import refuse

FACTORS = ("row",)


def without_flagged(
    draw: Draw,
    *,
    judges: list[Annotated[Trained, Parent()]],
    score: Annotated[Callable, Plug("scores")] = "aum",
    of: Annotated[Callable, Plug("worlds")] = "shapes",
) -> World:
    """judges: networks trained on worlds made from the same one. score: above 0 is flagged. Training factor row: the row in
    the whole split.

    Raises StudyError when the judges do not cover all samples or no sample would be left.
    """
    from assay.data.batch import to_tensors
    from assay.scores._flagging import judge

    world = of(draw)
    device = judges[0].network.mean.device
    pairs = [(trained, to_tensors(bind(trained.recipe["world"], _no_parents)(draw), device)) for trained in judges]
    suspicion = judge(score, pairs).suspicion.cpu().numpy()
    if len(suspicion) != len(world.train):
        raise refuse(
            "without_flagged",
            "judges",
            f"networks that judge {len(suspicion)} of {len(world.train)} samples",
            "all",
            "name one for each fold",
        )
    row = np.arange(len(world.train))
    kept = row[~(suspicion > 0)]
    if len(kept) == 0:
        raise refuse(
            "without_flagged",
            "score",
            f"all {len(row)} samples flagged",
            "fewer",
            "use another score or train its judges for longer",
        )
    train = replace(world.train, factors={**world.train.factors, "row": row}).take(kept)
    return replace(world, train=train)


def _no_parents(recipe):
    raise refuse(
        "without_flagged",
        "judges",
        recipe.name,
        "networks whose worlds need no network",
        "judge by networks trained on plain worlds",
    )
