"""How well a score tells the network's own test images from images of other kinds.

"Enhancing The Reliability of Out-of-distribution Image Detection in Neural Networks" (P196), section 4: false positive rate at
95% true positive rate and area under the ROC curve for each out-of-distribution set. The score's parameters are chosen from a
grid on one further set and half of the in-distribution test images, by false positive rate; the other half and all other sets are
never seen in choosing.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge

from assay.data.batch import TensorSplit
from assay.language.plugs import Plug
from assay.measuring.arm import Arm
from assay.measuring.evaluate import predict
from assay.metrics.auroc import auroc
from assay.metrics.fpr95 import fpr95
from assay.metrics.top1 import top1
from assay.training.network import Samples

METRICS = {
    "top1": "Test accuracy [0 to 1, higher is better]: accuracy on in-distribution test images",
    "fpr95": "False positives at 95% true ones [0 to 1, lower is better]: share of outside images accepted at the threshold "
    "that accepts 95% of own ones, mean over all outside sets",
    "fpr95_near": "False positives, near set [0 to 1, lower is better]: the same on the near set alone",
    "fpr95_far": "False positives, far sets [0 to 1, lower is better]: the same, mean over the far sets",
    "fpr95_set": "False positives by set [0 to 1, lower is better]: the same for each outside set; x is 'near' or the name of "
    "the far world",
    "auroc": "Area under the ROC curve [0 to 1, higher is better]: chance that an own image scores above an outside one, mean "
    "over all outside sets",
    "auroc_near": "Area under the ROC curve, near set [0 to 1, higher is better]: the same on the near set alone",
    "auroc_far": "Area under the ROC curve, far sets [0 to 1, higher is better]: the same, mean over the far sets",
    "chosen_temperature": "Chosen temperature [factor, neither is better]: temperature chosen on the held-out set (scores "
    "without one: 1)",
    "chosen_eps": "Chosen input step [pixel range 0 to 1, neither is better]: size of the input step chosen on the held-out "
    "set, in the [0, 1] pixel range (scores without one: 0)",
}


def ood(
    arm: Arm,
    *,
    near: Annotated[Callable, Plug("worlds")],
    far: list[Annotated[Callable, Plug("worlds")]],
    tune_on: Annotated[Callable, Plug("worlds")],
    score: Annotated[Callable, Plug("scores")] = "msp",
    grid: dict[str, list[float]] = {},  # noqa: B006  (read, never altered)
    tune_count: Annotated[int, Ge(8)] = 256,
) -> Iterator[tuple]:
    """Test images of the arm's world against those of `near` and of every world in `far`.

    Where an outside world has further classes than those the network was trained on (by name), only these are outside. grid:
    values to try for parameters of the score; up to `tune_count` images of each side are used to choose.
    """
    own = arm.world.test
    half = len(own) // 2
    yield "top1", top1(predict(arm.network, own.images), own.labels)
    choice = _choose(
        arm, score, grid, _rows(own, slice(0, min(half, tune_count))), _rows(outside(arm, tune_on), slice(0, tune_count))
    )
    yield "chosen_temperature", choice.get("temperature", 1.0)
    yield "chosen_eps", choice.get("eps", 0.0)
    chosen = partial(score, **choice)
    inside = _scores(arm, chosen, _rows(own, slice(half, None)))
    rates, areas = [], []
    for name, world in [("near", near), *((far_world.func.__name__, far_world) for far_world in far)]:
        other = _scores(arm, chosen, outside(arm, world))
        rates.append(fpr95(inside, other))
        areas.append(auroc(inside, other))
        yield "fpr95_set", name, rates[-1]
    for metric, values in (("fpr95", rates), ("auroc", areas)):
        yield metric, np.mean(values)
        yield f"{metric}_near", values[0]
        yield f"{metric}_far", np.mean(values[1:])


def outside(arm: Arm, world: Callable) -> TensorSplit:
    """The test split of another world; images of known classes are left out if it has others."""
    drawn = arm.make(world)
    strange = torch.tensor([name not in arm.world.classes for name in drawn.classes], device=drawn.test.labels.device)
    keep = strange[drawn.test.labels] if strange.any() else torch.ones_like(drawn.test.labels, dtype=torch.bool)
    return _rows(drawn.test, keep)


def _rows(split: TensorSplit, rows: slice | torch.Tensor) -> TensorSplit:
    return replace(
        split, images=split.images[rows], labels=split.labels[rows], factors={k: v[rows] for k, v in split.factors.items()}
    )


def _scores(arm: Arm, score: Callable, split: TensorSplit) -> np.ndarray:
    return score(Samples(arm.network, split.images, split.labels, arm.trained.records)).cpu().numpy()


def _choose(arm: Arm, score: Callable, grid: dict[str, list[float]], own: TensorSplit, other: TensorSplit) -> dict[str, float]:
    """The grid's combination with the lowest false positive rate; of equals, that with the larger area, then the first."""

    def quality(choice: dict[str, float]) -> tuple[float, float]:
        inside, strange = (_scores(arm, partial(score, **choice), split) for split in (own, other))
        return fpr95(inside, strange), -auroc(inside, strange)

    choices = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    return min(choices, key=quality) if len(choices) > 1 else choices[0]
