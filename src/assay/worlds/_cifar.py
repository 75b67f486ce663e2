"""Reading CIFAR's binary version: records of label bytes, then 32 x 32 red, green and blue values. No pickle is ever loaded."""

from pathlib import Path

import numpy as np

from assay.datasets import Dataset
from assay.errors import DataError

SIDE = 32
PIXELS = 3 * SIDE * SIDE


def read_records(path: Path, label_bytes: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (N, 32, 32, 3) uint8 and labels (N, label_bytes) uint8 of one file; DataError for a file of another length."""
    content = np.fromfile(path, np.uint8)
    if len(content) == 0 or len(content) % (label_bytes + PIXELS):
        raise DataError(f"{path}: {len(content)} bytes are not records of {label_bytes + PIXELS}; retrieve the data set again")
    records = content.reshape(-1, label_bytes + PIXELS)
    pixels = records[:, label_bytes:].reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    return pixels, records[:, :label_bytes]


def class_names(path: Path) -> tuple[str, ...]:
    """One name a line."""
    return tuple(line.strip() for line in path.read_text().splitlines() if line.strip())


def read_cifar10(data: Dataset, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and labels of CIFAR-10's train or test split."""
    names = [f"data_batch_{number}.bin" for number in range(1, 6)] if part == "train" else ["test_batch.bin"]
    parts = [read_records(data.file(f"cifar-10-batches-bin/{name}"), 1) for name in names]
    return np.concatenate([pixels for pixels, _ in parts]), np.concatenate([labels[:, 0] for _, labels in parts])
