"""Replace the classifier by the nearest centroid: an image belongs to the class whose mean training features are closest.

The reference of "A Boundary Tilting Persepective on the Phenomenon of Adversarial Examples" (P029), there on pixels: of two
classes, its boundary is the bisector of the means. As ||x - c||^2 differs between classes by c . x - ||c||^2 / 2 alone, it is
linear.
"""

from copy import deepcopy

import torch

from assay.measuring.evaluate import batched
from assay.models._classifier import classifier
from assay.training.network import Bench, Network

NEVER = -1e6  # the logit of a class without a training sample


def nearest_centroid(network: Network, bench: Bench) -> Network:
    """A copy of the network whose logits are c_k . features - ||c_k||^2 / 2, c_k the mean features of class k.

    Raises StudyError when the network has no linear classifier.
    """
    train = bench.world.train
    with torch.no_grad():
        features = batched(network.features, train.images)
    result = deepcopy(network)
    head = classifier(result.model)
    head.weight.data.zero_()
    head.bias.data.fill_(NEVER)
    for label in train.labels.unique():
        centroid = features[train.labels == label].double().mean(0)
        head.weight.data[label] = centroid.to(head.weight)
        head.bias.data[label] = -0.5 * centroid.square().sum()
    return result
