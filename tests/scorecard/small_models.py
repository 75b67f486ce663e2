"""What this project and other libraries are both asked about."""

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import torch
from photographs import LITE0, written
from torch import Tensor

from assay.data.batch import whole
from assay.scorecard.data import data_for
from assay.scorecard.images import draw, opened
from assay.scorecard.loading import Loaded, load
from assay.scorecard.measuring import measurable, relabelled
from assay.scorecard.subject import Bounded, plug

CLASSES, COUNT = 12, 400
SEVERITY, SHOWN = 3, ("gaussian_noise", "jpeg_compression")


def logits() -> Tensor:
    """(N, K) of a classifier that is right more often than not, and too sure."""
    values = np.random.default_rng(0).normal(size=(COUNT, CLASSES))
    values[np.arange(COUNT), labels()] += 1.5
    return torch.from_numpy(3 * values).float()


def labels() -> Tensor:
    return torch.from_numpy(np.random.default_rng(1).integers(0, CLASSES, COUNT))


def features() -> tuple[Tensor, Tensor]:
    """Logits of own and of outside images."""
    generator = np.random.default_rng(2)
    return tuple(torch.from_numpy(scale * generator.normal(size=(300, CLASSES))).float() for scale in (3.0, 2.0))


@cache
def loaded() -> Loaded:
    return load("tf_efficientnet_lite0", str(LITE0))


@cache
def photographs():
    """The bundled photographs, drawn and decoded, with ImageNet's numbers of their classes."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        draw(data_for(str(written(root / "photographs")), loaded()), root / "kept", False, lambda line: None)
        world, _ = opened(root / "kept", torch.device("cpu"))
        world, _ = relabelled(world, lite0(), loaded())
        return whole(world.test.images), world.test.labels, world


@cache
def lite0() -> Bounded:
    return measurable(loaded(), 1000, (), (3, 224, 224), 4)


def negatives() -> Tensor:
    """The photographs with light and dark exchanged, as outside images."""
    return 1 - photographs()[0]


def corrupted_photographs() -> dict[str, tuple[Tensor, Tensor]]:
    images, truth, _ = photographs()
    shown = {"clean": images}
    for name in SHOWN:
        shown[name] = plug(f"corruptions/{name}")(images, SEVERITY, torch.Generator().manual_seed(SEVERITY))
    return {name: (changed, truth) for name, changed in shown.items()}
