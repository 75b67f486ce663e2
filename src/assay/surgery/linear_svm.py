"""Replace the classifier by a linear support vector machine with hinge loss, one class against the rest, on frozen features.

The classifier of "A Boundary Tilting Persepective on the Phenomenon of Adversarial Examples" (P029), there on pixels of two
classes: 1/2 ||w||^2 + c * sum of hinges, solved by libsvm (sklearn.svm.SVC). The two sides weigh the same, however many
samples they have: with little c, w then points from one side's mean to the other's; with much, the margin alone counts.
Where c is so little that all samples lie inside the margin, the threshold is not determined.
"""

from typing import Annotated

import torch
from annotated_types import Gt
from sklearn.svm import SVC

from assay.surgery._heads import training_features, without_classifier
from assay.training.network import Bench, Network

TOLERANCE = 1e-6  # of libsvm's optimality: its default leaves several degrees of the direction open


def linear_svm(network: Network, bench: Bench, *, c: Annotated[float, Gt(0)] = 1.0) -> Network:
    """A copy of the network whose logits are the machines' decision values. c: weight of the hinges, mean over
    samples.

    Raises StudyError when the network has no linear classifier.
    """
    labels, features = bench.world.train.labels, training_features(network, bench).double().cpu().numpy()
    result, head = without_classifier(network)
    for label in labels.unique():
        machine = SVC(kernel="linear", C=c, class_weight="balanced", tol=TOLERANCE).fit(features, (labels == label).cpu().numpy())
        head.weight.data[label] = torch.tensor(machine.coef_[0]).to(head.weight)
        head.bias.data[label] = float(machine.intercept_[0])
    return result
