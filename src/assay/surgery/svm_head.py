"""Replace the classifier by a linear SVM fitted to the frozen features: one against the rest, squared hinge loss.

The two-stage alternative to training through an SVM layer, "An Architecture Combining Convolutional Neural Network (CNN) and
Support Vector Machine (SVM) for Image Classification" (P331). Solved by liblinear (sklearn.svm.LinearSVC):
1/2 |w|^2 + c * sum of squared hinges, on features scaled by their largest deviation so that c means the same for all networks.
"""

from copy import deepcopy
from typing import Annotated

import torch
from annotated_types import Gt
from sklearn.svm import LinearSVC

from assay.measuring.evaluate import batched
from assay.models._classifier import classifier
from assay.training.network import Bench, Network


def svm_head(network: Network, bench: Bench, *, c: Annotated[float, Gt(0)] = 1.0) -> Network:
    """A copy of the network whose logits are the SVM's decision values. The world needs three classes or more.

    Raises StudyError when the network has no linear classifier.
    """
    train = bench.world.train
    with torch.no_grad():
        features = batched(network.features, train.images)
    scale = features.std(0).max().clamp_min(1e-6)
    svm = LinearSVC(C=c, loss="squared_hinge", dual=False).fit((features / scale).cpu().numpy(), train.labels.cpu().numpy())
    result = deepcopy(network)
    head = classifier(result.model)
    # A class without a training sample has no decision of its own and must never be chosen.
    head.weight.data.zero_()
    head.bias.data.fill_(-1e6)
    rows = torch.from_numpy(svm.classes_)
    head.weight.data[rows] = torch.from_numpy(svm.coef_).to(head.weight) / scale
    head.bias.data[rows] = torch.from_numpy(svm.intercept_).to(head.bias)
    return result
