"""What soups share: the mean of several networks' weights, batch norm statistics that fit it, and accuracy on held-out images."""

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor
from torch.optim.swa_utils import update_bn

from assay.data.batch import TensorSplit
from assay.errors import StudyError
from assay.measuring.evaluate import predict
from assay.metrics.top1 import top1
from assay.training.network import Bench, Network

STATISTICS_BATCH = 256


def soup(networks: Sequence[Network], images: Tensor, weights: Sequence[float] | None = None) -> Network:
    """The network whose parameters are the mean (or the given convex combination) of those of `networks`.

    Batch norm's running statistics belong to one network's activations, so they are computed anew on the images (N, C, H, W). A
    combination that is one of the networks is an untouched copy of it. StudyError if the networks have different parameters.
    """
    weights = list(weights) if weights is not None else [1 / len(networks)] * len(networks)
    mixed = deepcopy(networks[0])
    states = [network.state_dict() for network in networks]
    _check_same(states)
    used = [(state, weight) for state, weight in zip(states, weights, strict=True) if weight > 0]
    mean = {
        name: sum(weight * state[name] for state, weight in used) if value.is_floating_point() else used[0][0][name]
        for name, value in states[0].items()
    }
    mixed.load_state_dict(mean)
    if len(used) > 1:
        refresh(mixed, images)
    return mixed.eval()


def refresh(network: Network, images: Tensor) -> None:
    """Set batch norm's running statistics, in place, to averages over the images (N, C, H, W)."""
    update_bn(images.split(STATISTICS_BATCH), network)


def held_out(bench: Bench, name: str) -> TensorSplit:
    """The split that choices are made on; StudyError if the world has none of that name."""
    if name not in bench.world.extra:
        known = ", ".join(sorted(bench.world.extra)) or "none"
        raise StudyError(f"surgery: held_out = {name}: the world has no such split (has: {known}); wrap the world in fold")
    return bench.world.extra[name]


def accuracy(network: torch.nn.Module, split: TensorSplit) -> float:
    """Share of the split's images classified correctly."""
    return top1(predict(network, split.images), split.labels)


def _check_same(states: list[dict[str, Tensor]]) -> None:
    shapes = [{name: tuple(value.shape) for name, value in state.items()} for state in states]
    for position, other in enumerate(shapes):
        if other != shapes[0]:
            name = min(n for n in {*other, *shapes[0]} if other.get(n) != shapes[0].get(n))
            raise StudyError(f"surgery: members: network {position + 1} differs from the first in '{name}'; use one architecture")
