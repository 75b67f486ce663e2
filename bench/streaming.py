"""How fast photographs are decoded: `python bench/streaming.py` prints images a second, by threads and by processes.

Photographs of 500 x 375 pixels, as in ImageNet, are read at 224 x 224 (shorter side to 256, centre cut out).
"""

import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import skimage.data
import torch
from PIL import Image

from assay.data.batch import TensorSplit, to_tensors
from assay.data.stream import Stream
from assay.data.world import Split, World
from assay.worlds._collection import centre

COUNT, BATCH, SIZE, SHORTER = 512, 64, 224, 256
READ = partial(centre, shorter=SHORTER, size=SIZE)


def write_photographs(folder: Path) -> np.ndarray:
    """JPEGs cut at random from two photographs; their names."""
    draw = np.random.default_rng(0)
    sources = [Image.fromarray(skimage.data.astronaut()), Image.fromarray(skimage.data.coffee())]
    names = np.array([f"{number:04}.jpg" for number in range(COUNT)], dtype=object)
    for number, name in enumerate(names):
        left, top = draw.integers(0, 100, 2).tolist()
        cut = sources[number % 2].crop((left, top, left + 400, top + 300))
        cut.resize((500, 375), Image.Resampling.BICUBIC).save(folder / name, quality=90)
    return names


def rate(work: Callable[[], None]) -> float:
    """Images a second, the better of two runs."""
    times = []
    for _ in range(2):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return COUNT / min(times)


def read_all(paths: list[Path]) -> np.ndarray:
    return np.stack([READ(path) for path in paths])


def with_processes(workers: int, paths: list[Path]) -> float:
    parts = [paths[start : start + BATCH] for start in range(0, COUNT, BATCH)]
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(read_all, [paths[:1]] * workers))  # started before the clock
        return rate(lambda: list(pool.map(read_all, parts)))


def through(split: TensorSplit) -> None:
    for batch in split.batches(torch.randperm(COUNT).split(BATCH)):
        batch.sum()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        names = write_photographs(Path(folder))
        stream = Stream("photographs", Path(folder), names, READ, (3, SIZE, SIZE), "")
        labels = np.zeros(COUNT, np.int64)
        print(f"{np.mean([Path(folder, name).stat().st_size for name in names]) / 1000:.0f} kB a photograph")
        for workers in (1, 2):
            os.environ["ASSAY_WORKERS"] = str(workers)
            streamed = to_tensors(World(Split(stream, labels), Split(stream, labels), ("a",)), torch.device("cpu")).train
            print(f"{workers} threads: {rate(lambda split=streamed: through(split)):.0f} images/s")
            print(f"{workers} processes: {with_processes(workers, [Path(folder, name) for name in names]):.0f} images/s")
        held = TensorSplit(streamed.images[:], torch.from_numpy(labels), {})
        print(f"in memory: {rate(lambda: through(held)):.0f} images/s")


if __name__ == "__main__":
    main()
