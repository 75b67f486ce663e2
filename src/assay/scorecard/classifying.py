"""How well a model classifies, and how far its probabilities can be trusted; both from its answers alone."""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from assay.scorecard.subject import Subject, plug
from assay.scorecard.values import Skipped, Value, mean, statistic

METRICS = {
    "top1": "Accuracy [0 to 1, higher is better]: share of test images whose likeliest class is the label",
    "top5": "Accuracy of five [0 to 1, higher is better]: share of test images with the label among the five likeliest classes",
    "balanced_top1": "Balanced accuracy [0 to 1, higher is better]: accuracy of each class that occurs, their mean",
    "class_top1": "Accuracy by class [0 to 1, higher is better]: accuracy on the images of a class (x)",
    "ece": "Calibration error [0 to 1, lower is better]: mean gap between confidence and accuracy over 15 bins of confidence",
    "classwise_ece": "Classwise calibration error [0 to 1, lower is better]: the gap of each class's probability, their mean",
    "rms_calibration_error": "RMS calibration error [0 to 1, lower is better]: root mean square gap over bins of 100 images",
    "brier": "Brier score [0 to 2, lower is better]: squared distance of the probabilities from the label, summed over classes",
    "nll": "Loss [nats, lower is better]: mean cross-entropy of the labels",
    "confidence": "Confidence [0 to 1, neither is better]: mean probability of the answer",
    "temperature": "Calibrating temperature [factor, neither is better]: what to divide logits by; above 1: overconfident",
    "scaled_ece": "Calibration error when scaled [0 to 1, lower is better]: ece with each half's logits divided by the "
    "temperature of the other half",
}
WRONG = 24  # images kept to look at
PAIRS = 10  # of classes that are taken for each other


def accuracy(subject: Subject) -> Iterator[Value | Skipped]:
    """Accuracy over all images and class by class. Keeps what is wrong with most confidence, and which classes are confused."""
    logits, labels = subject.logits, subject.labels
    answers = logits.argmax(1)
    right = answers == labels
    yield mean("top1", right)
    if logits.shape[1] > 5:
        yield mean("top5", (logits.topk(5).indices == labels[:, None]).any(1))
    else:
        yield Skipped("top5", f"the model has {logits.shape[1]} classes, of which five are all or nearly")
    classes = labels.unique().tolist()
    yield statistic("balanced_top1", _balanced, right.double().numpy(force=True), labels.numpy(force=True))
    for number in classes:
        yield mean("class_top1", right[labels == number], subject.world.classes[number])
    confidence = logits.double().softmax(1).amax(1)
    wrong = (confidence * ~right).argsort(descending=True, stable=True)[: min(WRONG, int((~right).sum()))]
    subject.pictures |= {
        "wrong": wrong.numpy(force=True),
        "wrong_answers": answers[wrong].numpy(force=True),
        "wrong_sure": confidence[wrong].numpy(force=True),
    }
    subject.pictures["confused"] = _confused(answers[~right], labels[~right])


def _balanced(right: np.ndarray, labels: np.ndarray) -> float:
    counts = np.bincount(labels)
    return float((np.bincount(labels, right)[counts > 0] / counts[counts > 0]).mean())


def _confused(answers: Tensor, labels: Tensor) -> np.ndarray:
    """(P, 3) label, answer and count of the pairs that are confused most often."""
    pairs, counts = torch.stack([labels, answers], 1).unique(dim=0, return_counts=True)
    order = counts.argsort(descending=True, stable=True)[:PAIRS]
    return torch.cat([pairs[order], counts[order, None]], 1).numpy(force=True)


def calibration(subject: Subject) -> Iterator[Value | Skipped]:
    """Calibration of the probabilities, before and after scaling by a temperature that other images chose."""
    logits, labels = subject.logits, subject.labels
    for name in ("ece", "classwise_ece", "rms_calibration_error", "brier"):
        yield statistic(name, plug(f"metrics/{name}"), logits, labels)
    yield mean("nll", F.cross_entropy(logits.double(), labels, reduction="none"))
    yield mean("confidence", logits.double().softmax(1).amax(1))
    if len(labels) < 4:
        yield Skipped("temperature", f"{len(labels)} images are too few to choose a temperature on one half for the other")
        return
    chosen = plug("metrics/temperature")
    even, odd = (torch.arange(len(labels)) % 2 == part for part in (0, 1))
    scaled = logits.double().clone()
    for one, other in ((even, odd), (odd, even)):
        scaled[one] /= chosen(logits[other], labels[other])
    yield Value("temperature", None, chosen(logits, labels), images=len(labels))
    yield statistic("scaled_ece", plug("metrics/ece"), scaled, labels)
