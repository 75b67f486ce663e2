"""Confident learning: how much more probable another class is than the label, against the number of wrong labels it counts.

"Confident Learning: Estimating Uncertainty in Dataset Labels", Northcutt, Jiang and Chuang 2021; prior work that "Identifying
Mislabeled Data using the Area Under the Margin Ranking" is compared with here. The confident joint counts samples of label i
that the network confidently takes for class j: p_j is at least the mean p_j of samples labelled j, and the largest such. Its
off-diagonal count n is the number of wrong labels. That is the paper's count; the authors' library cleanlab counts fewer where it
prunes by the off-diagonal, since it drops samples whose likeliest class of all is their label. Samples are ranked by
max_{k != y} p_k - p_y and the n first are called mislabelled (the library's ranking by normalised margin with the count of
off-diagonals; the paper's other pruning rules are not here). Probabilities should come from a network that was not trained on the
samples, as in `worlds/fold`.
"""

import torch
from torch import Tensor

from assay.measuring.evaluate import predict
from assay.training.network import Samples


def confident_learning(samples: Samples) -> Tensor:
    """Margin of the likeliest other class over the label minus a cut that n samples exceed, shape (N,). High: mislabelled."""
    probabilities = predict(samples.network, samples.images).double().softmax(1)
    own = probabilities.gather(1, samples.labels[:, None]).squeeze(1)
    others = probabilities.scatter(1, samples.labels[:, None], -1.0).amax(1)
    suspicion = others - own
    count = int((confident_class(probabilities, samples.labels) != samples.labels).sum())
    # Half-way between the last one counted and the next, so exactly `count` lie above 0 unless they tie.
    ranked = torch.cat([suspicion.sort(descending=True).values, suspicion.new_tensor([-1.0])])
    above = ranked[count - 1] if count else suspicion.new_tensor(1.0)
    return suspicion - (above + ranked[count]) / 2


def confident_class(probabilities: Tensor, labels: Tensor) -> Tensor:
    """The class of each sample in the confident joint, its own label where no class is confident; shape (N,)."""
    classes = probabilities.shape[1]
    means = torch.stack(
        [probabilities[labels == k, k].mean() if (labels == k).any() else probabilities.new_tensor(2.0) for k in range(classes)]
    )
    confident = probabilities >= means
    best = torch.where(confident, probabilities, -1.0).argmax(1)
    return torch.where(confident.any(1), best, labels)
