"""In which poses a network no longer knows an object that it knows from the front, and whether others are fooled by them too.

The measures of "Strike (with) a Pose: Neural Networks Are Easily Fooled by Strange Poses of Familiar Objects" (P167): the share
of the pose space that is misclassified, how often a small turn changes the answer, how many of the poses that fool one network
fool another, and how fast poses that fool are found, by random search and by one that follows finite differences of the loss.
The paper draws poses at random and starts from several renderers; here the pose space is a grid, of which every pose is counted,
and searches move on it. An object counts if the network knows it in the first pose; for transfer, if the source does.
"""

from collections.abc import Callable, Iterator
from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Ge
from torch import Tensor

from assay.data.batch import TensorSplit
from assay.language.plugs import Parent, Plug
from assay.measuring.arm import Arm
from assay.measuring.evaluate import predict
from assay.metrics._ranking import largest_first
from assay.metrics.top1 import top1
from assay.training.network import Trained

METRICS = {
    "top1": "Test accuracy [0 to 1, higher is better]: share of test images in the poses of training classified correctly",
    "known": "Objects known [0 to 1, higher is better]: share of objects classified correctly in the grid's first pose",
    "wrong": "Poses misclassified [0 to 1, lower is better]: share of poses misclassified, mean over known objects, by roll in"
    " degrees (x) or over all poses (no x)",
    "flips": "Answers flipped by a step of roll [0 to 1, lower is better]: share of pairs of poses one step of roll apart "
    "whose answers differ, of known objects",
    "transfer": "Transfer of fooling poses [0 to 1, lower is better]: share misclassified of the poses that fool the source, "
    "of objects the source knows",
    "spared": "Errors on poses the source knows [0 to 1, lower is better]: share misclassified of the poses that the source "
    "classifies correctly, of objects it knows",
    "random_search": "Found by random search [0 to 1, lower is better]: chance that random poses, as many as the search looks "
    "at, hold one that fools, mean over known objects",
    "loss_search": "Found by following the loss [0 to 1, lower is better]: share of known objects for which following finite "
    "differences of the loss finds a pose that fools",
}
FACTORS = ("object", "pose")
SHOWN = 8


def poses(
    arm: Arm,
    *,
    grid: Annotated[Callable, Plug("worlds")] = "pose_grid",
    source: Annotated[Trained, Parent()] | None = None,
    steps: Annotated[int, Ge(1)] = 3,
) -> Iterator[tuple]:
    """Measure an arm on every object and pose of the grid; transfer and spared if a source is given.

    grid: a world with factors object (N,) and pose (N, 4), object by object. steps: moves of the search along the loss, each of
    which looks at all neighbours. A share of nothing, as where no object is known, is 0. Keeps the poses that fool the network
    with most confidence as "images".
    """
    yield "top1", top1(predict(arm.network, arm.world.test.images), arm.world.test.labels)
    test = arm.make(grid).test
    logits = on_grid(predict(arm.network, test.images), test)
    wrong = is_wrong(logits, test)
    known = ~wrong[:, 0, 0, 0, 0]
    yield "known", share(known)
    yield "wrong", share(wrong[known])
    for place, turned in enumerate(wrong[known].unbind(1)):
        yield "wrong", round(360 / wrong.shape[1] * place, 2), share(turned)
    answers = logits.argmax(-1)[known]
    yield "flips", share(answers != answers.roll(1, dims=1))
    if source is not None:
        fooled = is_wrong(on_grid(predict(source.network, test.images), test), test)
        familiar = ~fooled[:, 0, 0, 0, 0]
        yield "transfer", share(wrong[familiar][fooled[familiar]])
        yield "spared", share(wrong[familiar][~fooled[familiar]])
    loss = F.cross_entropy(logits.flatten(0, 4), test.labels, reduction="none").reshape(wrong.shape)
    found, looked_at = climb(loss[known], wrong[known], steps)
    yield "loss_search", share(found)
    yield "random_search", share(chance_to_meet(wrong[known].flatten(1), looked_at))
    if arm.seed == 0:
        confidence = logits.softmax(-1).amax(-1) * wrong * known[:, None, None, None, None]
        arm.keep("images", test.images[largest_first(confidence.flatten())[:SHOWN]])


def share(values: Tensor) -> float:
    """The mean, 0 of nothing."""
    return values.double().mean().item() if values.numel() else 0.0


def on_grid(values: Tensor, test: TensorSplit) -> Tensor:
    """Values (N, ...) as (objects, roll, yaw, pitch, scale, ...)."""
    objects = int(test.factors["object"].max()) + 1
    return values.reshape(objects, *(test.factors["pose"].amax(0) + 1).tolist(), *values.shape[1:])


def is_wrong(logits: Tensor, test: TensorSplit) -> Tensor:
    """(objects, roll, yaw, pitch, scale) whether the answer to logits (..., K) is not the label."""
    return logits.argmax(-1) != on_grid(test.labels, test)


def climb(loss: Tensor, wrong: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Go from the first pose to the neighbour of largest loss, `steps` times, and note whether a pose met on the way fools.

    loss, wrong: (objects, roll, yaw, pitch, scale). Roll goes round, the other axes end. Returns (objects,) whether one that
    fools was looked at, and how many different poses were, the first included.
    """
    objects, shape = len(loss), torch.tensor(loss.shape[1:], device=loss.device)
    at = torch.zeros(objects, 4, dtype=torch.long, device=loss.device)
    moves = torch.cat([torch.eye(4, dtype=torch.long), -torch.eye(4, dtype=torch.long)]).to(loss.device)
    rows = torch.arange(objects, device=loss.device)
    seen = torch.zeros_like(wrong)
    for _ in range(steps):
        near = at[:, None] + moves
        inside = ((near >= 0) & (near < shape))[..., 1:].all(-1)
        near = torch.cat([near[..., :1] % shape[0], near[..., 1:].minimum(shape[1:] - 1).clamp(min=0)], -1)
        index = (rows[:, None].expand(near.shape[:2]), *near.unbind(-1))
        seen[index] = True
        best = loss[index].masked_fill(~inside, float("-inf")).argmax(1)
        at = near[rows, best]
    return (seen & wrong).flatten(1).any(1), seen.flatten(1).sum(1)


def chance_to_meet(wrong: Tensor, draws: Tensor) -> Tensor:
    """(N,) chance that `draws` (N,) of the poses (N, P), drawn without replacement, hold one that is wrong."""
    total, right = torch.tensor(wrong.shape[1], dtype=torch.double), (~wrong).sum(1).double()
    draws = draws.double()

    def log_choose(n: Tensor, k: Tensor) -> Tensor:
        return torch.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma(n - k + 1)

    none = (log_choose(right.clamp(min=0).maximum(draws), draws) - log_choose(total, draws)).exp()
    return 1 - torch.where(right < draws, 0.0, none)
