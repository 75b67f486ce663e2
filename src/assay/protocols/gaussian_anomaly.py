"""How well a Gaussian over a frozen network's features of good images tells those with a defect.

"Modeling the Distribution of Normal Data in Pre-Trained Deep Features for Anomaly Detection" (P123), sections III and IV: at each
level of the network the features are averaged over places, one Gaussian is fitted to those of the good training images with the
covariance shrunk as Ledoit and Wolf do, and an image's score is its Mahalanobis distance, summed over levels. Of the
covariance's principal components all count, or only those of most, or of least, variance. The paper takes components by the
share of variance that they hold, so that there are few of the one kind and most of the other; here both have as many. Beside it
stand the Euclidean distance from the mean, and the error of an autoencoder.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
import torch
from annotated_types import Gt, Le
from sklearn.covariance import LedoitWolf
from torch import Tensor

from assay.errors import StudyError
from assay.measuring.arm import Arm
from assay.measuring.evaluate import outputs, predict
from assay.metrics.auroc import auroc

METRICS = {
    "auroc": "Area under the ROC curve [0 to 1, higher is better]: chance that a defective test image scores above a good one",
    "auroc_level": "Area under the ROC curve by level [0 to 1, higher is better]: the same with the score of one level, x is its "
    "number from the input on (none for reconstruction)",
    "explained": "Variance rebuilt [share, higher is better]: 1 - error / variance over pixels of good test images "
    "(reconstruction alone)",
}
GOOD = 0  # the label of images without a defect
BATCH = 64


def gaussian_anomaly(
    arm: Arm,
    *,
    score: Literal["mahalanobis", "euclidean", "reconstruction"] = "mahalanobis",
    components: Literal["all", "top", "low"] = "all",
    share: Annotated[float, Gt(0), Le(0.5)] = 0.25,
    levels: list[str] = [  # noqa: B006  (read, never altered)
        "bn1",
        "blocks.0",
        "blocks.1",
        "blocks.2",
        "blocks.3",
        "blocks.4",
        "blocks.5",
        "blocks.6",
        "bn2",
    ],
) -> Iterator[tuple]:
    """Scores of the arm's test images, label 0 good; its training images are good ones. components: all, or a share of them with
    the most or the least variance. levels: modules whose outputs (B, C, H, W) are averaged over places; those of EfficientNet, if
    no others are named.

    Raises StudyError where a training image is not good.
    """
    train, test = arm.world.train, arm.world.test
    if (train.labels != GOOD).any():
        raise StudyError(f"protocol gaussian_anomaly: training images of label {train.labels.max()} (allowed: {GOOD}, good ones)")
    if score == "reconstruction":
        errors = (predict(arm.network, test.images) - test.images).square()
        good = test.images[test.labels == GOOD]
        variance = (good - good.mean((0, 2, 3), keepdim=True)).square().mean()
        yield "explained", 1 - (errors[test.labels == GOOD].mean() / variance).item()
        yield "auroc", _area(errors.mean((1, 2, 3)).cpu().numpy(), test.labels)
        return
    seen, asked = (level_means(arm.network, split.images, levels) for split in (train, test))
    distances = np.stack([distance(*each, score, components, share) for each in zip(seen, asked, strict=True)])
    for level, values in enumerate(distances, 1):
        yield "auroc_level", level, _area(values, test.labels)
    yield "auroc", _area(distances.sum(0), test.labels)


@torch.no_grad()
def level_means(network: torch.nn.Module, images: Tensor, levels: list[str]) -> list[np.ndarray]:
    """For each level, the means (N, C) over places of what it gives for the images."""
    parts = [outputs(network, batch, levels) for batch in images.split(BATCH)]
    return [torch.cat([part[level].mean((2, 3)) for part in parts]).double().cpu().numpy() for level in levels]


def distance(seen: np.ndarray, asked: np.ndarray, score: str, components: str, share: float) -> np.ndarray:
    """Distances of features asked about (M, C) from the mean of those seen (N, C), in units of their spread for mahalanobis."""
    centred = asked - seen.mean(0)
    if score == "euclidean":
        return np.linalg.norm(centred, axis=1)
    variances, axes = np.linalg.eigh(LedoitWolf().fit(seen).covariance_)  # the least variance first
    count = max(1, round(share * len(variances)))
    kept = {"all": slice(None), "low": slice(count), "top": slice(-count, None)}[components]
    return np.linalg.norm(centred @ axes[:, kept] / np.sqrt(variances[kept]), axis=1)


def _area(scores: np.ndarray, labels: Tensor) -> float:
    bad = (labels != GOOD).cpu().numpy()
    return auroc(scores[bad], scores[~bad])
