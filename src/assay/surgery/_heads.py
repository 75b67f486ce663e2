"""What surgeries share that replace a network's linear classifier by another one fitted to its training features."""

from copy import deepcopy

import torch
from torch import Tensor, nn

from assay.measuring.evaluate import batched
from assay.models._classifier import classifier
from assay.training.network import Bench, Network

NEVER = -1e6  # the logit of a class without a training sample, which has no row of its own and must never be chosen


def training_features(network: Network, bench: Bench) -> Tensor:
    """The network's features (N, d) of all training images."""
    with torch.no_grad():
        return batched(network.features, bench.world.train.images)


def without_classifier(network: Network) -> tuple[Network, nn.Linear]:
    """A copy of the network that never answers any class, and its classifier, to be filled in; StudyError if it has none."""
    result = deepcopy(network)
    head = classifier(result.model)
    head.weight.data.zero_()
    head.bias.data.fill_(NEVER)
    return result, head
