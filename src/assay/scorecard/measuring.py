"""Measuring one group of metrics on one model, and keeping what came out.

<folder>/values.json   the numbers with their intervals, and what does not apply
<folder>/arrays.npz    "rows/<key>" and "draws/<key>", by which models are compared; "pictures/<name>", which images to show
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from assay.data.batch import TensorSplit, TensorWorld
from assay.errors import StudyError
from assay.evidence.tables import pack_arrays, read_arrays
from assay.scorecard.folding import fold
from assay.scorecard.groups import Group
from assay.scorecard.loading import Loaded
from assay.scorecard.names import places
from assay.scorecard.probing import noise
from assay.scorecard.subject import Answers, Bounded, Subject
from assay.scorecard.values import Skipped, Value
from assay.storage.files import read_json, write_atomic

NO_GRADIENTS = "gradients of the logits do not reach the image"
ANSWERS = {"test_logits": "test", "test_features": "test", "train_features": "train"}


@dataclass(frozen=True)
class Measured:
    """What a group found: values, what does not apply, and arrays to look at, by name."""

    group: str
    values: tuple[Value, ...]
    skipped: tuple[Skipped, ...]
    pictures: dict[str, np.ndarray]

    def save(self, folder: Path, about: dict[str, Any]) -> None:
        arrays = {f"pictures/{name}": array for name, array in self.pictures.items()}
        arrays |= {f"rows/{value.key}": value.rows for value in self.values if value.rows is not None}
        arrays |= {f"draws/{value.key}": value.draws for value in self.values if value.draws is not None}
        write_atomic(folder / "arrays.npz", pack_arrays({_file_name(name): array for name, array in arrays.items()}))
        shown = [{k: v for k, v in value.__dict__.items() if k not in ("rows", "draws")} for value in self.values]
        text = {"group": self.group, "values": shown, "skipped": [each.__dict__ for each in self.skipped], "about": about}
        write_atomic(folder / "values.json", json.dumps(text, indent=1))

    @classmethod
    def read(cls, folder: Path) -> "Measured":
        """What was saved; EvidenceError where it is missing or harmed."""
        text = read_json(folder / "values.json")
        arrays = {name.replace("%2F", "/"): array for name, array in read_arrays(folder / "arrays.npz").items()}
        values = [Value(**each) for each in text["values"]]
        values = [replace(v, rows=arrays.get(f"rows/{v.key}"), draws=arrays.get(f"draws/{v.key}")) for v in values]
        pictures = {name.partition("/")[2]: array for name, array in arrays.items() if name.startswith("pictures/")}
        return cls(text["group"], tuple(values), tuple(Skipped(**each) for each in text["skipped"]), pictures)


def _file_name(name: str) -> str:
    """A name in an archive; a coordinate such as 8/255 holds a stroke that is no folder."""
    kind, _, key = name.partition("/")
    return f"{kind}/{key.replace('/', '%2F')}"


def measurable(loaded: Loaded, outputs: int, classes: Sequence[str], shape: tuple[int, int, int], batch: int) -> Bounded:
    """The model behind its normalisation, with names for its logits: its own, or the classes of the data in their order."""
    names = loaded.names if loaded.names is not None else tuple(classes)
    if len(names) != outputs:
        places(classes, loaded.names, outputs, loaded.name)  # raises
    mean, std = loaded.preparation.mean, loaded.preparation.std
    network = Bounded(loaded.model, shape=shape, classes=names, mean=mean, std=std)
    network.batch = batch
    fold(network.model, noise(loaded, shape))
    return network


def relabelled(world: TensorWorld, network: Bounded, loaded: Loaded) -> tuple[TensorWorld, str]:
    """The world with the model's numbers of its classes as labels, and how these were matched."""
    found, said = places(world.classes, loaded.names, len(network.classes), loaded.name)
    numbers = torch.tensor(found, device=world.test.labels.device)

    def split(part: TensorSplit) -> TensorSplit:
        return replace(part, labels=numbers[part.labels] if len(part.labels) else part.labels)

    extra = {name: split(part) for name, part in world.extra.items()}
    return TensorWorld(split(world.train), split(world.test), network.classes, extra), said


def measure_group(
    group: Group, network: Bounded, world: TensorWorld, test: Answers, train: Answers, count: int, counted: dict[str, Any]
) -> Measured:
    """Run a group on the first `count` test images. counted: of the model at first sight, for its cost."""
    torch.manual_seed(0)  # what a model draws for itself
    subject = Subject(network, world, test, train, min(count, len(world.test)), name=group.name)
    subject.counted = counted
    if group.gradients and not counted["differentiable"]:
        return Measured(group.name, (), tuple(Skipped(name, NO_GRADIENTS) for name in group.metrics), {})
    found = list(group.measure(subject))
    values = tuple(each for each in found if isinstance(each, Value))
    unknown = {value.metric for value in values} - group.metrics.keys()
    if unknown:
        raise StudyError(f"group {group.name}: gives '{min(unknown)}', which its METRICS do not declare")
    return Measured(group.name, values, tuple(each for each in found if isinstance(each, Skipped)), subject.pictures)


def save_answers(folder: Path, test: Answers, train: Answers) -> None:
    """Keep what a model made of test and training images, for the jobs of all groups."""
    folder.mkdir(parents=True, exist_ok=True)
    empty = torch.zeros(0, 0)
    found = {"test_logits": test.logits, "test_features": test.features, "train_features": train.features}
    for name, tensor in found.items():
        np.save(folder / f"{name}.npy", (empty if tensor is None else tensor).cpu().numpy())


def read_answers(folder: Path) -> tuple[Answers, Answers]:
    """The answers to test and training images; of the latter the features alone."""
    held: dict[str, Tensor | None] = {name: torch.from_numpy(np.load(folder / f"{name}.npy")) for name in ANSWERS}
    held = {name: tensor if tensor.numel() else None for name, tensor in held.items()}
    return Answers(held["test_logits"], held["test_features"]), Answers(torch.zeros(0, 0), held["train_features"])
