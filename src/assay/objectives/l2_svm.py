"""L2-SVM: squared hinge loss of one-against-rest decisions, plus the squared weights of the classifier.

"An Architecture Combining Convolutional Neural Network (CNN) and Support Vector Machine (SVM) for Image Classification"
(P331), after "Deep Learning using Linear Support Vector Machines", Tang 2013:

    mean(w^2) + C * mean(max(0, 1 - t * s)^2)

with targets t = +1 for the label's class and -1 for the others, scores s the network's outputs, and w the weights of its last
linear layer (the bias is free). Both terms are means, over weights and over samples and classes, as in the author's program,
where the paper's equation has sums: a solver of 1/2 |w|^2 + C' * sum finds the same w at C' = C * features / (2 * samples).
Soft targets become t = 2 * target - 1.
"""

from typing import Annotated

from annotated_types import Gt
from torch import Tensor, nn

from assay.data.batch import Batch
from assay.models._classifier import classifier


def l2_svm(network: nn.Module, batch: Batch, *, c: Annotated[float, Gt(0)] = 1.0) -> Tensor:
    """c: the paper's C; large values put few errors before a wide margin. StudyError without a linear classifier."""
    signs = 2 * batch.targets - 1
    hinge = (1 - signs * network(batch.images)).clamp_min(0).square().mean()
    return classifier(network.model).weight.square().mean() + c * hinge
