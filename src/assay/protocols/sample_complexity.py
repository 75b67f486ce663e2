"""How many training samples a network needs to reach an accuracy, as the number and the size of the patches grow.

"Role of Locality and Weight Sharing in Image-Based Tasks: A Sample Complexity Separation between CNNs, LCNs, and FCNs" (P019)
proves rates for the Dynamic Signal Distribution: O(k + d) samples with weight sharing, at least order k d without, at least
order k^2 d without locality. As in the authors' experiments, the smallest sufficient number is found by bisection, each time
with the best of a few learning rates on the test error. Here over powers of two, with linear interpolation of the accuracy in
log samples between the two last ones; and the target is an accuracy, not a loss. Networks are trained inside by gradient
descent on the full batch, which is equivariant to rotations of the pixels as the lower bounds ask (Adam would not be).
"""

import math
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from statistics import fmean
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Lt, MinLen
from torch import Tensor

from assay.data.batch import TensorSplit, TensorWorld, to_tensors
from assay.errors import StudyError
from assay.language.recipes import Recipe
from assay.measuring.arm import Arm
from assay.measuring.evaluate import predict
from assay.metrics.top1 import top1
from assay.models._patchwise import soft_threshold
from assay.training.beginnings import make_world
from assay.training.setting import Setting
from assay.training.trainer import train

FACTORS = ("signal",)
METRICS = {
    "samples_k": "Samples needed over patches [count, lower is better]: samples needed for the target accuracy, over the "
    "number of patches k; the largest tried if none sufficed",
    "samples_d": "Samples needed over patch size [count, lower is better]: samples needed for the target accuracy, over the "
    "pixels of a patch d; the largest tried if none sufficed",
    "attainable_k": "Attainable accuracy over patches [0 to 1, higher is better]: test accuracy of the true filter with the "
    "best threshold, over the number of patches k",
    "attainable_d": "Attainable accuracy over patch size [0 to 1, higher is better]: test accuracy of the true filter with the"
    " best threshold, over the pixels of a patch d",
}
TRAINS = True


def sample_complexity(
    arm: Arm,
    *,
    patches: Annotated[list[int], MinLen(2)] = [4, 6, 8, 12],  # noqa: B006  (read as a literal, never changed)
    dimensions: Annotated[list[int], MinLen(2)] = [8, 16, 32],  # noqa: B006
    accuracy: Annotated[float, Gt(0.5), Lt(1)] = 0.9,
    rates: Annotated[list[float], MinLen(1)] = [0.1, 1.0],  # noqa: B006
    fewest: Annotated[int, Ge(2)] = 4,
    sets: Annotated[int, Ge(1)] = 1,
) -> Iterator[tuple[str, int, float]]:
    """patches: values of k at the world's own d; dimensions: values of d at the world's own k. rates: learning rates to
    choose from.

    fewest: smallest number of samples tried; the largest is the world's training split. sets: disjoint sets of that many
    training samples over which the accuracy is averaged, as far as the split goes. The arm's budget gives the steps. StudyError
    unless the world is dsd.
    """
    own = arm.recipe["world"]["parameters"]
    if arm.recipe["world"]["plug"] != "worlds/dsd":
        raise StudyError(
            f"protocol sample_complexity: the world is {arm.recipe['world']['plug']}; use dsd, whose k and d it varies"
        )
    found: dict[tuple[int, int], tuple[float, float]] = {}
    sweeps = {"k": [(k, own["dimension"]) for k in patches], "d": [(own["patches"], d) for d in dimensions]}
    for letter, settings in sweeps.items():
        for k, d in settings:
            if (k, d) not in found:
                found[k, d] = _measure(arm, k, d, accuracy, rates, fewest, sets)
            needed, attainable = found[k, d]
            x = k if letter == "k" else d
            yield f"samples_{letter}", x, needed
            yield f"attainable_{letter}", x, attainable


def _measure(arm: Arm, k: int, d: int, accuracy: float, rates: list[float], fewest: int, sets: int) -> tuple[float, float]:
    """Samples needed at k patches of d pixels, and the accuracy of the true filter there."""
    recipe = deepcopy(arm.recipe)
    recipe["world"]["parameters"].update(patches=k, dimension=d)
    recipe["model"]["parameters"].update(patches=k)
    world = to_tensors(make_world(Recipe(recipe), arm.seed), arm.device)

    def reached(count: int) -> float:
        starts = range(0, len(world.train) - count + 1, count)[:sets]
        return max(fmean(_accuracy(recipe, arm, world, slice(a, a + count), rate) for a in starts) for rate in rates)

    return samples_needed(reached, accuracy, fewest, len(world.train)), attainable(world.test, k)


def _accuracy(recipe: dict, arm: Arm, world: TensorWorld, rows: slice, rate: float) -> float:
    """Test accuracy after training on these rows of the training split, all in every step."""
    own = deepcopy(recipe)
    own["budget"]["batch"] = rows.stop - rows.start
    own["optimizer"]["parameters"]["lr"] = rate
    factors = {name: value[rows] for name, value in world.train.factors.items()}
    few = replace(world, train=TensorSplit(world.train.images[rows], world.train.labels[rows], factors))
    trained = train(Recipe(own), arm.seed, Setting(arm.device, arm.precision), few)
    return top1(predict(trained.network, world.test.images), world.test.labels)


def samples_needed(reached: Callable[[int], float], target: float, fewest: int, most: int) -> float:
    """The number of samples from which the accuracy `reached(count)` is at least the target, by bisection over fewest * 2^i
    <= most.

    Interpolated between the last insufficient and the first sufficient number; `fewest` if that suffices, the largest tried
    if none does.
    """
    ladder = [fewest << i for i in range(int(math.log2(max(most, fewest) / fewest)) + 1)]
    seen: dict[int, float] = {}
    low, high = -1, len(ladder)
    while high - low > 1:
        middle = (low + high) // 2
        seen[middle] = reached(ladder[middle])
        low, high = (low, middle) if seen[middle] >= target else (middle, high)
    if low < 0 or high == len(ladder):
        return float(ladder[0] if low < 0 else ladder[-1])
    share = (target - seen[low]) / (seen[high] - seen[low])
    return ladder[low] * 2.0**share


def attainable(split: TensorSplit, k: int) -> float:
    """Accuracy of f(x) = sum_i phi_b(w . x_i) with the signal's own direction w and the best of 41 thresholds b from 0 to 1."""
    signs = (2 * split.labels - 1).to(split.images.dtype)
    direction: Tensor = split.factors["signal"][0] * signs[0]
    responses = split.images.reshape(len(split), k, -1) @ direction
    shares = [
        ((soft_threshold(responses, b).sum(1) * signs) > 0).double().mean() for b in torch.linspace(0, 1, 41, device=signs.device)
    ]
    return max(share.item() for share in shares)
