"""What is wrong with the data, as far as they and the model show: labels that are probably wrong, images that stand twice."""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from assay.data.batch import TensorSplit
from assay.scorecard.subject import Looked, Subject, plug
from assay.scorecard.values import Skipped, Value, mean
from assay.training.network import Samples

METRICS = {
    "suspect_labels": "Labels probably wrong [0 to 1, neither is better]: share of test images that confident learning flags",
    "duplicates": "Test images seen in training [0 to 1, lower is better]: share of test images with a training image of nearly "
    "the same pixels",
    "twins": "Test images that stand twice [0 to 1, lower is better]: share of test images with an earlier one of nearly the "
    "same pixels",
}
SUSPECT = 24  # images kept to look at
THUMBNAIL = 16  # pixels
ALIKE = 0.995  # correlation of thumbnails


def labels(subject: Subject) -> Iterator[Value | Skipped]:
    """Confident learning on the test labels, which the model was not trained on. Keeps the most suspicious images."""
    rows = torch.arange(subject.count)
    if len(subject.labels.unique()) < 2:
        yield Skipped("suspect_labels", "the data have one class, so no label can be another")
        return
    suspicion = plug("scores/confident_learning")(Samples(Looked(subject.logits), rows, subject.labels))
    yield mean("suspect_labels", suspicion > 0)
    order = suspicion.argsort(descending=True, stable=True)[: min(SUSPECT, int((suspicion > 0).sum()))]
    subject.pictures |= {"suspect": order.numpy(force=True), "suspect_answers": subject.logits[order].argmax(1).numpy(force=True)}


def duplicates(subject: Subject) -> Iterator[Value | Skipped]:
    """Images alike in their thumbnails, whichever model is asked."""
    own = thumbnails(subject.world.test, subject.count)
    yield mean("twins", _alike(own, own, earlier=True))
    if not len(subject.world.train):
        yield Skipped("duplicates", "the data have no training images; a folder needs train/ beside val/")
        return
    yield mean("duplicates", _alike(own, thumbnails(subject.world.train, len(subject.world.train)), earlier=False))


def thumbnails(split: TensorSplit, count: int) -> Tensor:
    """(N, D) small images of zero mean and unit length; zeros for one of a single colour."""
    parts = [
        F.interpolate(images, (THUMBNAIL, THUMBNAIL), mode="bilinear", antialias=True).flatten(1)
        for images in split.images[:count].split(256)
    ]
    flat = torch.cat(parts).double()
    return F.normalize(flat - flat.mean(1, keepdim=True), dim=1)


def _alike(first: Tensor, second: Tensor, earlier: bool) -> np.ndarray:
    """(N,) whether a row of the first is like one of the second, like an earlier one where the two are the same."""
    like = first @ second.T > ALIKE
    return (like.tril(-1) if earlier else like).any(1).double().numpy(force=True)
