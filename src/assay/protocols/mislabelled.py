"""How well a score finds wrong training labels, and what removing those it flags does to the test error.

The measures of "Identifying Mislabeled Data using the Area Under the Margin Ranking" (P234): precision and recall of the
flagged samples at the score's own threshold, the share flagged, and the test error of the arm's network, which an arm trains
on `worlds/without_flagged` of the same judges and score. The area under the ROC curve judges the ranking without its
threshold.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated

import numpy as np
import torch

from assay.data.batch import TensorWorld
from assay.errors import StudyError
from assay.language.plugs import Parent, Plug
from assay.measuring.arm import Arm
from assay.measuring.evaluate import predict
from assay.metrics.auroc import auroc
from assay.metrics.top1 import top1
from assay.scores._flagging import Judgement, judge
from assay.training.binding import bind
from assay.training.network import Trained

FACTORS = ("clean_label",)
METRICS = {
    "error": "Test error [0 to 1, lower is better]: share of test images classified wrongly by the arm's network",
    "kept": "Training samples kept [0 to 1, neither is better]: training samples of the arm's network, as a share of all",
    "auroc": "Area under the ROC curve [0 to 1, higher is better]: chance that a wrongly labelled sample is ranked above a "
    "rightly labelled one",
    "precision": "Precision [0 to 1, higher is better]: share of the flagged samples that are wrongly labelled (1 if none is "
    "flagged)",
    "recall": "Recall [0 to 1, higher is better]: share of the wrongly labelled samples that are flagged",
    "flagged": "Samples flagged [0 to 1, neither is better]: share of the training samples that are flagged",
    "noise": "Samples wrongly labelled [0 to 1, neither is better]: share of the training samples that are wrongly labelled",
}


def mislabelled(
    arm: Arm,
    *,
    judges: list[Annotated[Trained, Parent()]] = [],  # noqa: B006  (read as a literal, never changed)
    score: Annotated[Callable, Plug("scores")] = "aum",
) -> Iterator[tuple[str, float]]:
    """judges: networks whose score flags samples (see assay.scores._flagging); an arm without judges is measured by its test
    error alone."""
    error = 1 - top1(predict(arm.network, arm.world.test.images), arm.world.test.labels)
    yield "error", error
    if not judges:
        return
    found = judge(score, [(trained, arm.make(partial(_own_world, trained))) for trained in judges])
    yield "kept", len(arm.world.train) / len(found.wrong)
    yield from detection(found).items()
    arm.keep("suspicion", found.suspicion)
    arm.keep("wrong", found.wrong)


def _own_world(trained: Trained, draw) -> TensorWorld:
    """The world a judge was trained on."""
    return bind(trained.recipe["world"], _refuse)(draw)


def _refuse(recipe) -> Trained:
    raise StudyError(f"protocol mislabelled: judges: {recipe.name}: judge by networks trained on plain worlds")


def detection(found: Judgement) -> dict[str, float]:
    """Metrics of a judgement; samples nobody could judge are not flagged and do not enter the ranking."""
    flagged = found.suspicion > 0
    hits = (flagged & found.wrong).sum().item()
    suspicion, wrong = found.suspicion.cpu().numpy(), found.wrong.cpu().numpy()
    judged = ~np.isnan(suspicion)
    return {
        "auroc": auroc(suspicion[wrong & judged], suspicion[~wrong & judged]),
        "precision": hits / flagged.sum().item() if flagged.any() else 1.0,
        "recall": hits / wrong.sum().item(),
        "flagged": flagged.double().mean().item(),
        "noise": torch.as_tensor(wrong).double().mean().item(),
    }
