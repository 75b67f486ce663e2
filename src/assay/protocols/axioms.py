"""Which axioms an attribution method keeps on a trained network, on rewritings of it, and on networks that saturate.

"Axiomatic Attribution for Deep Networks" (P223). Sensitivity (section 2.1): where image and baseline differ in one feature and
the network tells them apart, that feature gets some attribution. Implementation Invariance (2.2): networks that compute the same
function get the same attributions. Completeness (section 3): attributions sum to the difference of the outputs. The paper proves
and gives examples; here the share of violations is counted. Deletion and insertion are added, which the paper leaves out.
"""

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn

from assay.language.plugs import Plug
from assay.measuring.arm import Arm
from assay.measuring.evaluate import predict
from assay.metrics.deletion import deletion
from assay.metrics.insertion import insertion
from assay.metrics.top1 import top1
from assay.protocols._first_layer import first_filters
from assay.protocols._rewrites import chain, in_turn, inhibited, reordered, saturated, split

METRICS = {
    "top1": "Test accuracy [0 to 1, higher is better]: accuracy of the network on test images",
    "rewriting_error": "Difference of rewritings [relative, lower is better]: largest relative difference between the logits "
    "of the network and those of its rewritings",
    "violations_saturated": "Sensitivity violations, saturated [0 to 1, lower is better]: share of pairs differing in one "
    "pixel, which changes the output yet gets no credit; saturated input",
    "violations_inhibited": "Sensitivity violations, inhibited [0 to 1, lower is better]: the same for a feature that only "
    "lowers the output, on random ReLU(ReLU(a x1) - b - ReLU(c x2))",
    "gap_reordered": "Gap to reordered network [0 to 1, lower is better]: median distance (L1, over the sum of both norms) "
    "between attributions on the network and on one that rectifies excitation before inhibition; 0 is invariant",
    "gap_in_turn": "Gap to network in turn [0 to 1, lower is better]: the same for a network where inhibition meets one half "
    "of the inputs first and its rest the other",
    "gap_split": "Gap to split network [0 to 1, lower is better]: the same for a network whose hidden units are doubled with "
    "cancelling outgoing weights",
    "completeness": "Residual of completeness [relative, lower is better]: median of |sum of attributions - difference of "
    "outputs| / |difference of outputs|; 0 is complete",
    "deletion": "Deletion [0 to 1, lower is better]: area under the target's probability as pixels are erased, most important "
    "first",
    "insertion": "Insertion [0 to 1, higher is better]: area under the target's probability as pixels are restored, most "
    "important first",
}
NO_ATTRIBUTION = 1e-4  # share of the output's change below which a feature counts as ignored
NO_CHANGE = 1e-3  # change of a logit too small to be told from rounding
SHOWN = 12  # images kept to look at
TOY_NETWORKS = 8
TOY_POINTS = 64


def axioms(
    arm: Arm,
    *,
    attribution: Annotated[Callable, Plug("attributions")],
    count: Annotated[int, Ge(1)] = 64,
    level: Annotated[float, Gt(0), Lt(1)] = 0.5,
) -> Iterator[tuple]:
    """On the first `count` test images, with black as baseline and the predicted class as target.

    level: brightness at which the input saturates. Raises StudyError for networks that are no plain chain.
    """
    test = arm.world.test
    yield "top1", top1(predict(arm.network, test.images), test.labels)
    network = chain(arm.network)
    images = test.images[:count].contiguous()
    logits = predict(network, images)
    targets = logits.argmax(1)
    explain = partial(_explain, attribution)
    heat = explain(network, images, targets, torch.zeros_like(images))
    others = {"gap_reordered": reordered(network), "gap_in_turn": in_turn(network), "gap_split": split(network)}
    yield "rewriting_error", max(_relative(logits, predict(other, images)).max() for other in [arm.network, *others.values()])
    for metric, other in others.items():
        yield metric, gap(heat, explain(other, images, targets, torch.zeros_like(images))).median()
    yield "completeness", completeness(network, images, targets, heat).median()
    yield "violations_saturated", _saturated_violations(arm, explain, network, images, targets, level)
    yield "violations_inhibited", _inhibited_violations(arm, explain)
    yield "deletion", deletion(network, images, targets, heat)
    yield "insertion", insertion(network, images, targets, heat)
    arm.keep("images", images[:SHOWN])
    arm.keep("maps", heat[:SHOWN].sum(1, keepdim=True))
    if (filters := first_filters(arm.network)) is not None:
        arm.keep("filters", filters)


def _explain(attribution: Callable, network: nn.Module, images: Tensor, targets: Tensor, baseline: Tensor) -> Tensor:
    """Attributions against a baseline, by methods that take one; others are asked as they are."""
    takes_baseline = "baseline" in inspect.signature(attribution).parameters
    return attribution(network, images, targets, **({"baseline": baseline} if takes_baseline else {}))


def _relative(first: Tensor, second: Tensor) -> Tensor:
    """L1 distance of each row of second to that of first, relative to the latter, shape (B,)."""
    first, second = first.flatten(1).double(), second.flatten(1).double()
    return (first - second).abs().sum(1) / first.abs().sum(1).clamp_min(1e-12)


def gap(first: Tensor, second: Tensor) -> Tensor:
    """L1 distance of attributions over the sum of their L1 norms, shape (B,): 0 where equal, 1 where they share nothing."""
    first, second = first.flatten(1).double(), second.flatten(1).double()
    return (first - second).abs().sum(1) / (first.abs().sum(1) + second.abs().sum(1)).clamp_min(1e-12)


def completeness(network: nn.Module, images: Tensor, targets: Tensor, heat: Tensor) -> Tensor:
    """Relative residual of the sum of attributions against a black baseline, shape (B,)."""
    change = _change(network, images, torch.zeros_like(images), targets)
    return (heat.flatten(1).double().sum(1) - change).abs() / change.abs().clamp_min(1e-12)


def _change(network: nn.Module, images: Tensor, baseline: Tensor, targets: Tensor) -> Tensor:
    first, second = (predict(network, x).double().gather(1, targets[:, None]).squeeze(1) for x in (images, baseline))
    return first - second


def violations(explain: Callable, network: nn.Module, images: Tensor, targets: Tensor, feature: Tensor, value: float) -> Tensor:
    """Whether the feature (B,), an index into each flattened image, is ignored although setting it to `value` changes the output.

    One entry for each pair whose output changes, shape (M,) with M <= B.
    """
    rows = torch.arange(len(images), device=images.device)
    baseline = images.flatten(1).clone()
    baseline[rows, feature] = value
    baseline = baseline.reshape(images.shape)
    change = _change(network, images, baseline, targets).abs()
    given = explain(network, images, targets, baseline).flatten(1)[rows, feature].double().abs()
    return (given <= NO_ATTRIBUTION * change)[change > NO_CHANGE]


def _saturated_violations(
    arm: Arm, explain: Callable, network: nn.Sequential, images: Tensor, targets: Tensor, level: float
) -> float:
    """One random pixel brighter than the level in each image that has one, set to black."""
    bright = (images > level).flatten(1)
    images, targets, bright = images[bright.any(1)], targets[bright.any(1)], bright[bright.any(1)]
    feature = bright.double().multinomial(1, generator=arm.generator("feature")).squeeze(1)
    return _share(violations(explain, saturated(network, images.shape[1], level), images, targets, feature, 0.0))


def _inhibited_violations(arm: Arm, explain: Callable) -> float:
    """Random weights and points; the second feature is set to 0."""
    generator = arm.generator("inhibited")
    found = []
    for _ in range(TOY_NETWORKS):
        a, b, c = torch.rand(3, generator=generator, device=arm.device) + 0.5
        points = 3 * torch.rand(TOY_POINTS, 2, generator=generator, device=arm.device) + torch.tensor(
            [1.0, 0.1], device=arm.device
        )
        targets = torch.zeros(TOY_POINTS, dtype=torch.long, device=arm.device)
        feature = torch.ones_like(targets)
        found.append(violations(explain, inhibited(torch.stack([a, b, c])), points, targets, feature, 0.0))
    return _share(torch.cat(found))


def _share(flags: Tensor) -> float:
    return float(flags.double().mean())
