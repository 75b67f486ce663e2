"""Replace the classifier by a linear SVM fitted to the frozen features: one against the rest, squared hinge loss.

The two-stage alternative to training through an SVM layer, "An Architecture Combining Convolutional Neural Network (CNN) and
Support Vector Machine (SVM) for Image Classification" (P331). Solved by liblinear (sklearn.svm.LinearSVC):
1/2 |w|^2 + c * sum of squared hinges, on features scaled by their largest deviation so that c means the same for all networks.
"""

from typing import Annotated

import torch
from annotated_types import Gt
from sklearn.svm import LinearSVC

from assay.surgery._heads import training_features, without_classifier
from assay.training.network import Bench, Network


def svm_head(network: Network, bench: Bench, *, c: Annotated[float, Gt(0)] = 1.0) -> Network:
    """A copy of the network whose logits are the SVM's decision values. The world needs three classes or more.

    Raises StudyError when the network has no linear classifier.
    """
    labels, features = bench.world.train.labels, training_features(network, bench)
    scale = features.std(0).max().clamp_min(1e-6)
    svm = LinearSVC(C=c, loss="squared_hinge", dual=False).fit((features / scale).cpu().numpy(), labels.cpu().numpy())
    result, head = without_classifier(network)
    rows = torch.from_numpy(svm.classes_)
    head.weight.data[rows] = torch.from_numpy(svm.coef_).to(head.weight) / scale
    head.bias.data[rows] = torch.from_numpy(svm.intercept_).to(head.bias)
    return result
