"""Accuracies of many networks on a new test set against those on the original one: how much they lose, and who gains more.

The measures of "Do ImageNet Classifiers Generalize to ImageNet?" (P220): the drop of each network, the least-squares line of new
over original accuracy, on plain and on probit axes, and whether the order of the networks stays. A slope above 1 says that what
a network gains on the original set it gains more than once on the new one; had networks been fitted to the original test set,
the best there would lose most. The paper's new sets are collected by repeating how the old ones were; here they are drawn.
"""

from collections.abc import Callable, Iterator
from typing import Annotated

import numpy as np
from annotated_types import MinLen
from scipy import stats

from assay.data.batch import TensorSplit
from assay.errors import StudyError
from assay.language.plugs import Parent, Plug
from assay.measuring.arm import Arm
from assay.measuring.evaluate import predict
from assay.metrics.top1 import top1
from assay.training.network import Trained

METRICS = {
    "original": "Accuracy on the original set [0 to 1, higher is better]: share of the original test images classified "
    "correctly, by network (x) or mean over them (no x)",
    "new": "Accuracy on the new set [0 to 1, higher is better]: share of the new test images classified correctly, likewise",
    "drop": "Drop of accuracy [-1 to 1, lower is better]: original less new, likewise",
    "smallest_drop": "Smallest drop [-1 to 1, lower is better]: the drop of the network that loses least",
    "slope": "Slope of new over original [ratio, neither is better]: slope of the least-squares line of new over original "
    "accuracy",
    "probit_slope": "Slope on probit axes [ratio, neither is better]: the same slope where both accuracies are given as "
    "quantiles of the normal distribution",
    "correlation": "Correlation of accuracies [-1 to 1, higher is better]: Pearson's correlation of new and original accuracy "
    "over networks",
    "rank_correlation": "Rank correlation of accuracies [-1 to 1, higher is better]: Spearman's rank correlation of the two",
}


def retested(
    arm: Arm,
    *,
    names: list[str],
    networks: Annotated[list[Annotated[Trained, Parent()]], MinLen(3)],
    retest: Annotated[Callable, Plug("worlds")],
) -> Iterator[tuple]:
    """Measure networks of names on the arm's own test split (the original) and on that of another world (the new).

    Accuracies of 0 and 1 count as half an image off for the probit. Raises StudyError unless there is a name for each network,
    none twice.
    """
    if len(set(names)) != len(names) or len(names) != len(networks):
        raise StudyError(f"protocol retested: {len(names)} names for {len(networks)} networks; give each a name of its own")
    new = arm.make(retest).test
    old_accuracy, new_accuracy = accuracies(networks, arm.world.test), accuracies(networks, new)
    drops = old_accuracy - new_accuracy
    for metric, values in (("original", old_accuracy), ("new", new_accuracy), ("drop", drops)):
        for name, value in zip(names, values, strict=True):
            yield metric, name, value
        yield metric, values.mean()
    yield "smallest_drop", drops.min()
    yield "slope", slope(old_accuracy, new_accuracy)
    yield "probit_slope", slope(probit(old_accuracy, len(arm.world.test)), probit(new_accuracy, len(new)))
    for metric, ranked in (("correlation", False), ("rank_correlation", True)):
        yield metric, correlation(old_accuracy, new_accuracy, ranked)


def accuracies(networks: list[Trained], split: TensorSplit) -> np.ndarray:
    """(networks,) share of the split that each classifies correctly."""
    return np.array([top1(predict(each.network, split.images), split.labels) for each in networks])


def slope(x: np.ndarray, y: np.ndarray) -> float:
    """Of the least-squares line; 0 where x does not vary."""
    spread = x - x.mean()
    return float(spread @ y / (spread @ spread)) if spread.any() else 0.0


def probit(shares: np.ndarray, count: int) -> np.ndarray:
    """Normal quantiles of shares of `count`."""
    return stats.norm.ppf(np.clip(shares, 0.5 / count, 1 - 0.5 / count))


def correlation(x: np.ndarray, y: np.ndarray, ranked: bool) -> float:
    """Pearson's, or Spearman's; 0 where either does not vary."""
    if ranked:
        x, y = stats.rankdata(x), stats.rankdata(y)
    spread = (x - x.mean(), y - y.mean())
    scale = np.sqrt((spread[0] @ spread[0]) * (spread[1] @ spread[1]))
    return float(spread[0] @ spread[1] / scale) if scale else 0.0
