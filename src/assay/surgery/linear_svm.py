"""Replace the classifier by a linear support vector machine with hinge loss, one class against the rest, on frozen features.

The classifier of "A Boundary Tilting Persepective on the Phenomenon of Adversarial Examples" (P029), there on pixels of two
classes: 1/2 ||w||^2 + c * sum of hinges, solved by libsvm (sklearn.svm.SVC). The two sides weigh the same, however many
samples they have: with little c, w then points from one side's mean to the other's; with much, the margin alone counts.
Where c is so little that all samples lie inside the margin, the threshold is not determined.
"""

from copy import deepcopy
from typing import Annotated

import torch
from annotated_types import Gt
from sklearn.svm import SVC

from assay.measuring.evaluate import batched
from assay.models._classifier import classifier
from assay.surgery.nearest_centroid import NEVER
from assay.training.network import Bench, Network

TOLERANCE = 1e-6  # of libsvm's optimality: its default leaves several degrees of the direction open


def linear_svm(network: Network, bench: Bench, *, c: Annotated[float, Gt(0)] = 1.0) -> Network:
    """A copy of the network whose logits are the machines' decision values. c: weight of the hinges, mean over
    samples.

    Raises StudyError when the network has no linear classifier.
    """
    train = bench.world.train
    with torch.no_grad():
        features = batched(network.features, train.images).double().cpu().numpy()
    result = deepcopy(network)
    head = classifier(result.model)
    head.weight.data.zero_()
    head.bias.data.fill_(NEVER)
    for label in train.labels.unique():
        machine = SVC(kernel="linear", C=c, class_weight="balanced", tol=TOLERANCE).fit(
            features, (train.labels == label).cpu().numpy()
        )
        head.weight.data[label] = torch.tensor(machine.coef_[0]).to(head.weight)
        head.bias.data[label] = float(machine.intercept_[0])
    return result
