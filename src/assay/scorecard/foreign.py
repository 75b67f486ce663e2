"""How well a model's scores tell its own images from images of other kinds: noise, textures, other worlds."""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from assay.data.batch import whole
from assay.errors import AssayError, in_a_line
from assay.scorecard.subject import Looked, Subject, plug
from assay.scorecard.values import Skipped, Value, of_sets
from assay.training.network import Samples

METRICS = {
    "auroc": "Area under the ROC curve [0 to 1, higher is better]: chance that an own image scores above an outside one, by "
    "score and outside set (x)",
    "mean_auroc": "Mean area under the ROC curve [0 to 1, higher is better]: the same of the maximum softmax probability, mean "
    "over outside sets",
    "fpr95": "False positives at 95% true ones [0 to 1, lower is better]: share of outside images accepted where 95% of own ones "
    "are, by score and outside set (x)",
}
LARGEST_DRAWN = 128  # pixels at which an outside world is drawn; it is enlarged to the model's
OUTSIDE = {
    "textures": {"train": 3},
    "photos": {"train": 9},
    "fractals": {"train": 16},
    "shapes": {"train": 10},
    "mnist": {"train": 10},
}
ODIN = {"temperature": 1000.0, "eps": 0.0014}  # the paper's


def ood(subject: Subject) -> Iterator[Value | Skipped]:
    """Every score of a single image there is, against every outside set that is no world of the model's own classes."""
    own = {name: rows.numpy(force=True) for name, rows in _scores(subject, subject.images, subject.logits).items()}
    areas = []
    for name, outside in _outside(subject):
        if isinstance(outside, Skipped):
            yield outside
            continue
        with torch.no_grad():
            logits = subject.each(subject.network, outside)
        for score, rows in _scores(subject, outside, logits).items():
            yield from _compared(f"{score}, {name}", own[score], rows.numpy(force=True))
            if score == "msp":
                areas.append((own[score], rows.numpy(force=True)))
    yield of_sets("mean_auroc", plug("metrics/auroc"), areas)


def _outside(subject: Subject) -> Iterator[tuple[str, Tensor | Skipped]]:
    """Outside sets by name: noise of the own images' mean and spread, and worlds that share no class by name."""
    images = subject.images
    noise = torch.randn(images.shape, generator=subject.generator("noise"), device=subject.device)
    yield "noise", (images.mean((0, 2, 3), keepdim=True) + images.std((0, 2, 3), keepdim=True) * noise).clamp(0, 1)
    side, known = images.shape[-1], set(map(str.lower, subject.world.classes))
    for name, given in OUTSIDE.items():
        try:
            world = subject.make(plug(f"worlds/{name}", size=min(side, LARGEST_DRAWN), test=max(len(images), 20), **given))
        except AssayError as error:
            yield name, Skipped("auroc", f"{name}: {in_a_line(error)}")
            continue
        if known & set(map(str.lower, world.classes)):
            yield name, Skipped("auroc", f"{name}: has classes of the model's own, so its images are not outside")
            continue
        yield name, fitted(whole(world.test.images)[: len(images)], images.shape[1], side)


def fitted(images: Tensor, channels: int, side: int) -> Tensor:
    """Images (N, C, H, W) in so many channels, grey repeated or averaged, of so many pixels."""
    if images.shape[1] != channels:
        images = images.expand(-1, 3, -1, -1) if channels == 3 else images.mean(1, keepdim=True)
    if images.shape[-1] == side:
        return images
    return F.interpolate(images, (side, side), mode="bilinear", antialias=True, align_corners=False).clamp(0, 1)


def _scores(subject: Subject, images: Tensor, logits: Tensor) -> dict[str, Tensor]:
    """Scores (N,) by name, high for own images. Those of logits alone are taken from the known ones."""
    rows = torch.arange(len(logits))
    labels = logits.argmax(1)
    found = {"msp": plug("scores/msp")(Samples(Looked(logits), rows, labels))}
    if subject.counted["differentiable"]:
        odin = plug("scores/odin", **ODIN)
        found["odin"] = subject.each(lambda *part: odin(Samples(subject.network, *part)), images, labels)
    return found


def _compared(x: str, own: np.ndarray, outside: np.ndarray) -> Iterator[Value]:
    yield of_sets("auroc", plug("metrics/auroc"), [(own, outside)], x)
    yield of_sets("fpr95", plug("metrics/fpr95"), [(own, outside)], x)
