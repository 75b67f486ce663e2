"""Worlds: images, labels and every ground-truth factor that made them. Numpy only: looking at data imports no torch."""

from dataclasses import dataclass, field

import numpy as np

from assay.data.stream import Stream


@dataclass(frozen=True)
class Split:
    """One part of a world.

    images: (N, C, H, W) float32 in [0, 1], an array or a stream from disk. labels: (N,) int64, as training sees them (label
    noise included). factors: arrays with first axis N, such as "clean_label" (N,), "group" (N,), "mask" (N, H, W), "boxes"
    (N, K, 4) in pixels.
    """

    images: np.ndarray | Stream
    labels: np.ndarray
    factors: dict[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray) -> "Split":
        """The given rows of images, labels and every factor; of a stream, no image is decoded."""
        images = self.images.select(rows) if isinstance(self.images, Stream) else self.images[rows]
        return Split(images, self.labels[rows], {name: value[rows] for name, value in self.factors.items()})


@dataclass(frozen=True)
class World:
    """A train and a test split with the names of the classes; `extra` holds further named splits."""

    train: Split
    test: Split
    classes: tuple[str, ...]
    extra: dict[str, Split] = field(default_factory=dict)

    def splits(self) -> dict[str, Split]:
        """All splits by name."""
        return {"train": self.train, "test": self.test, **self.extra}
