"""`assay.measure`: everything that applies to a model in memory, as a table."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from assay.data.batch import TensorSplit, TensorWorld
from assay.data.seeds import Draw
from assay.errors import StudyError
from assay.scorecard.groups import Group, chosen
from assay.scorecard.loading import Loaded, Preparation, of_timm
from assay.scorecard.measuring import Measured, measurable, measure_group, relabelled
from assay.scorecard.planning import within
from assay.scorecard.probing import batch_within, free_memory, probe
from assay.scorecard.subject import answers
from assay.worlds._collection import drawn_rows

COLUMNS = ("group", "metric", "x", "value", "low", "high", "images", "interval", "note")


def measure(
    model: nn.Module,
    images: Tensor | np.ndarray,
    labels: Tensor | np.ndarray,
    *,
    only: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    train: tuple[Tensor | np.ndarray, Tensor | np.ndarray] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    minutes: float | None = None,
) -> pd.DataFrame:
    """Measure a classifier on images (N, C, H, W), floats in [0, 1] or bytes, with labels (N,) that number its logits.

    only: names of groups of metrics, all if not given. classes: names of the logits. train: training images and labels, for
    what is judged by them. mean, std: (C,) of the normalisation before the model; that of timm's configuration where the model
    has one, else none. minutes: what it may take, in which case fewer images are looked at.

    Returns a row a number: group, metric, x, value, low and high (95% interval), images, interval (its kind), note (why a
    metric does not apply). The model is left as it is. StudyError for what cannot be measured.
    """
    shown, first = _images(images), _labels(labels)
    if len(shown) == 0 or len(shown) != len(first):
        raise StudyError(f"measure: {len(shown)} images and {len(first)} labels; give one label for each of at least one image")
    loaded = _loaded(model, shown.shape[1], mean, std)
    was_training = model.training
    try:
        model.eval()
        found = probe(loaded, tuple(shown.shape[1:]))
    finally:
        model.train(was_training)
    names = tuple(map(str, classes)) if classes is not None else tuple(map(str, range(found.outputs)))
    if not 0 <= int(first.min()) <= int(first.max()) < found.outputs:
        raise StudyError(
            f"measure: labels from {first.min()} to {first.max()} for {found.outputs} logits; number the classes from 0"
        )
    test = _ordered(shown, first)
    bank = _ordered(_images(train[0]), _labels(train[1])) if train else _ordered(shown[:0], first[:0])
    network = measurable(loaded, found.outputs, names, tuple(shown.shape[1:]), batch_within(loaded, found, free_memory()))
    world, _ = relabelled(TensorWorld(bank, test, names, {}), network, loaded)
    groups = chosen(list(only) if only else None)
    counts = within(groups, [found], len(test), len(bank), minutes)
    own, seen = answers(network, world.test), answers(network, world.train)
    results = (measure_group(group, network, world, own, seen, counts[group.name], found.counted) for group in groups)
    return pd.DataFrame(
        [row for result, group in zip(results, groups, strict=True) for row in rows(result, group)], columns=COLUMNS
    )


def rows(measured: Measured, group: Group) -> list[dict[str, Any]]:
    """A group's numbers, and why others do not apply, as rows of a table."""
    found = [{"group": group.name, **{k: v for k, v in value.__dict__.items() if k in COLUMNS}} for value in measured.values]
    found += [{"group": group.name, "metric": each.metric, "note": each.reason} for each in measured.skipped]
    return found


def _images(images: Tensor | np.ndarray) -> Tensor:
    tensor = torch.as_tensor(images)
    if tensor.ndim != 4:
        raise StudyError(f"measure: images of shape {tuple(tensor.shape)} (wanted: N, C, H, W)")
    if tensor.dtype == torch.uint8:
        tensor = tensor / 255
    if not tensor.is_floating_point() or (tensor.numel() and not 0 <= float(tensor.min()) <= float(tensor.max()) <= 1):
        raise StudyError("measure: pixels are to be floats in [0, 1], or bytes; undo the normalisation and give mean and std")
    return tensor.float()


def _labels(labels: Tensor | np.ndarray) -> Tensor:
    tensor = torch.as_tensor(labels)
    if tensor.ndim != 1 or tensor.is_floating_point():
        raise StudyError(f"measure: labels of shape {tuple(tensor.shape)}, {tensor.dtype} (wanted: (N,) whole numbers)")
    return tensor.long()


def _ordered(images: Tensor, labels: Tensor) -> TensorSplit:
    """In an order that is balanced over the classes from the first image on."""
    order = torch.from_numpy(drawn_rows("images", "test", Draw("world", 0, 0), labels.numpy(), len(labels)))
    return TensorSplit(images[order].contiguous(memory_format=torch.channels_last), labels[order], {})


def _loaded(model: nn.Module, channels: int, mean: Sequence[float] | None, std: Sequence[float] | None) -> Loaded:
    own = of_timm(model) if hasattr(model, "pretrained_cfg") and mean is None and std is None else None
    if own is None or len(own.mean) != channels:
        neutral = ((0.0,) * channels, (1.0,) * channels)
        own = Preparation(channels=channels, mean=tuple(mean or neutral[0]), std=tuple(std or neutral[1]))
    return Loaded(type(model).__name__, model, own)
