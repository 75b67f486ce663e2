"""Images that stay on disk: decoded when asked for, by several threads, a bounded number of batches ahead. Without torch.

Threads, not processes: Pillow lets go of the interpreter lock while it decodes and resizes, and pixels need no pickling
(bench/streaming.py measures both).
"""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from assay.errors import DataError

AHEAD = 2  # batches decoded beyond the one in use
GIB = 2**30


@dataclass(frozen=True)
class Stream:
    """Images with the face of an (N, C, H, W) float32 array in [0, 1]; what is asked for is decoded, nothing is kept.

    name: whose images they are, for messages. root, files: their paths, the latter (N,) relative to the former. read: path to
    (H, W, C) uint8 pixels. image: (C, H, W). identity: a digest of the bytes behind the files.
    """

    name: str
    root: Path
    files: np.ndarray
    read: Callable[[Path], np.ndarray]
    image: tuple[int, int, int]
    identity: str

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (len(self.files), *self.image)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, rows: int | slice | np.ndarray) -> np.ndarray:
        """The images of these rows, decoded: (B, C, H, W), or (C, H, W) for one row's number.

        DataError when they take more memory than `memory_limit()`.
        """
        index = np.arange(len(self))[rows]
        self.check_fits(index.size)
        images = next(self.batches([np.atleast_1d(index)]))
        return images if np.ndim(index) else images[0]

    def select(self, rows: np.ndarray) -> "Stream":
        """The stream of these rows; nothing is decoded."""
        return replace(self, files=self.files[rows])

    def batches(self, parts: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The images of each part's rows, (B, C, H, W), in the order of the parts."""
        return map(in_unit_range, self.pixels(parts))

    def pixels(self, parts: Iterable[np.ndarray], allocate: Callable[[tuple], Any] = lambda shape: np.empty(shape, np.uint8)):
        """Yield each part's pixels, (B, H, W, C) uint8, in buffers that `allocate` makes (anything numpy can write to).

        At most AHEAD parts are decoded or being decoded besides the one yielded. DataError names a file that cannot be read.
        """
        pool, waiting = ThreadPoolExecutor(workers()), deque()
        try:
            for rows in parts:
                waiting.append(self._start(pool, rows, allocate))
                if len(waiting) > AHEAD:
                    yield _finished(*waiting.popleft())
            while waiting:
                yield _finished(*waiting.popleft())
        finally:
            pool.shutdown(cancel_futures=True)

    def check_fits(self, count: int) -> None:
        """Raise DataError unless so many images, decoded, stay within `memory_limit()`."""
        needed = count * 4 * int(np.prod(self.image))
        if needed > memory_limit():
            raise DataError(
                f"world {self.name}: {count} images are needed at once, {needed / GIB:.1f} GiB, and at most"
                f" {memory_limit() / GIB:.1f} GiB are allowed; lower the world's train, test or size, or raise ASSAY_MEMORY_GIB"
            )

    def digest(self) -> str:
        """A hash over the files' names, the bytes behind them, and the size they are read at; no image is read."""
        names = "\n".join(map(str, self.files))
        return hashlib.sha256(f"{self.identity}\n{self.image}\n{names}".encode()).hexdigest()

    def _start(self, pool: ThreadPoolExecutor, rows: np.ndarray, allocate: Callable) -> tuple[Any, list[Future]]:
        channels, height, width = self.image
        buffer = allocate((len(rows), height, width, channels))
        pixels = np.asarray(buffer)
        return buffer, [pool.submit(self._decode, pixels, place, row) for place, row in enumerate(rows)]

    def _decode(self, pixels: np.ndarray, place: int, row: int) -> None:
        path = self.root / str(self.files[row])
        try:
            pixels[place] = self.read(path)
        except Exception as error:  # Pillow raises errors of many families for files it cannot decode
            raise DataError(
                f"world {self.name}: {path}: cannot be read as an image ({error}); retrieve the data set again"
            ) from None


def _finished(buffer: Any, jobs: list[Future]) -> Any:
    for job in jobs:
        job.result()
    return buffer


def in_unit_range(pixels: np.ndarray) -> np.ndarray:
    """Pixels (B, H, W, C) uint8 as images (B, C, H, W) float32 in [0, 1]."""
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)).astype(np.float32) / np.float32(255)


def whole(images: np.ndarray | Stream) -> np.ndarray:
    """All images as one array; DataError when streamed ones take more memory than allowed."""
    return images[:]


def workers() -> int:
    """Decoding threads: ASSAY_WORKERS, else the cores this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return int(os.environ.get("ASSAY_WORKERS") or cores)


def memory_limit() -> int:
    """Bytes that streamed images may take when they are needed all at once: ASSAY_MEMORY_GIB, else 4 GiB."""
    return int(float(os.environ.get("ASSAY_MEMORY_GIB") or 4) * GIB)
