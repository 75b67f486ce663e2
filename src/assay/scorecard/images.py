"""The images that models are shown: drawn and decoded once for a way of preparing them, kept, and read by every group of metrics.

<folder>/test.npy, train.npy, <split>.npy   (N, H, W, C) uint8 where images come from files, else (N, C, H, W) float32
<folder>/arrays.npz                         labels and factors, "<split>/label" and "<split>/<factor>"
<folder>/about.json                         classes, a digest of names and bytes, what was left out
"""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from assay.data.batch import DeviceStream, TensorSplit, TensorWorld
from assay.data.seeds import Draw
from assay.data.stream import Stream, workers
from assay.data.world import Split, World
from assay.errors import DataError, StudyError
from assay.evidence.tables import pack_arrays
from assay.storage.files import read_json, write_atomic
from assay.training.binding import bind
from assay.worlds._collection import drawn_rows
from assay.worlds._files import listed

NAMED = 20  # unreadable files that an error names


def draw(spec: dict[str, Any], folder: Path, skip_unreadable: bool, say: Callable[[str], None]) -> None:
    """Draw the data, decode every image and keep them in the folder. The rows of each split are in an order that is balanced
    over the classes from the first image on. DataError lists the files that cannot be read, unless they are to be skipped."""
    world = drawn(spec)
    arrays, skipped, digests = {}, [], {}
    for name, split in world.splits().items():
        ordered = split.take(drawn_rows("images", name, Draw("world", 0, 0), split.labels, len(split)))
        pixels, bad = _pixels(ordered)
        if bad and not skip_unreadable:
            raise _unreadable(bad)
        kept = ordered.take(np.array([row for row in range(len(ordered)) if row not in {row for row, _ in bad}], int))
        pixels = np.delete(pixels, [row for row, _ in bad], axis=0)
        skipped += [text for _, text in bad]
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / f"{name}.npy", _fitted(pixels, spec["size"], spec["channels"]))
        arrays |= {f"{name}/label": kept.labels, **{f"{name}/{key}": value for key, value in kept.factors.items()}}
        digests[name] = _digest(kept)
        say(f"{name}: {len(kept)} images" + (f", {len(bad)} unreadable ones skipped" if bad else ""))
    write_atomic(folder / "arrays.npz", pack_arrays(arrays))
    counts = {name: len(arrays[f"{name}/label"]) for name in digests}
    about = {"data": spec, "classes": world.classes, "images": counts, "digests": digests, "skipped": skipped}
    write_atomic(folder / "about.json", json.dumps({**about, **_left_out(spec)}, indent=1))


def drawn(spec: dict[str, Any]) -> World:
    """The world as it is shown to models; of files, none is decoded yet."""
    return bind({"plug": spec["plug"], "parameters": spec["parameters"]}, _refuse)(Draw("world", 0, 0))


def _refuse(recipe) -> None:
    raise StudyError(f"data: a world made by a trained network ({recipe.name}) cannot be drawn for other models")


def _pixels(split: Split) -> tuple[np.ndarray, list[tuple[int, str]]]:
    """The split's pixels, and the rows that cannot be read, each with its file and the reason."""
    if not isinstance(split.images, Stream):
        return split.images, []
    stream = split.images
    channels, height, width = stream.image
    pixels, bad = np.zeros((len(stream), height, width, channels), np.uint8), []

    def decode(row: int) -> None:
        try:
            pixels[row] = stream.read(stream.root / str(stream.files[row]))
        except Exception as error:  # Pillow raises errors of many families for files it cannot decode
            bad.append((row, f"{stream.files[row]}: {str(error).splitlines()[0]}"))

    with ThreadPoolExecutor(workers()) as pool:
        any(pool.map(decode, range(len(stream))))
    return pixels, sorted(bad)


def _unreadable(bad: list[tuple[int, str]]) -> DataError:
    texts = sorted(text for _, text in bad)
    more = f" and {len(texts) - NAMED} more" if len(texts) > NAMED else ""
    named = "; ".join(texts[:NAMED])
    return DataError(
        f"{len(texts)} files cannot be read as images: {named}{more}; mend them, or leave them out: --skip-unreadable"
    )


def _fitted(pixels: np.ndarray, size: int, channels: int) -> np.ndarray:
    """Pixels as the model takes them: grey repeated over channels, resized (bilinear, antialiased) where a world has no size."""
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.shape[1] == 1 and channels == 3:
        pixels = np.repeat(pixels, 3, axis=1)
    if pixels.shape[1] != channels:
        raise StudyError(f"data: images of {pixels.shape[1]} channels for a model of {channels}; use another world")
    if pixels.shape[2:] == (size, size) or not len(pixels):
        return np.ascontiguousarray(pixels, np.float32)
    return F.interpolate(torch.from_numpy(pixels), (size, size), mode="bilinear", antialias=True).clamp(0, 1).numpy()


def _digest(split: Split) -> str:
    """Of names and bytes of files; of images that are drawn, of their pixels."""
    images = split.images if not isinstance(split.images, Stream) else DeviceStream(split.images, torch.device("cpu"))
    held = torch.from_numpy(images) if isinstance(images, np.ndarray) else images
    return TensorSplit(held, torch.from_numpy(split.labels), {}).digest()


def _left_out(spec: dict[str, Any]) -> dict[str, int]:
    if spec["plug"] != "worlds/folder":
        return {}
    found = listed(Path(spec["parameters"]["path"]))
    return {"hidden": found.hidden, "stray": found.stray}


def opened(folder: Path, device: torch.device) -> tuple[TensorWorld, dict[str, Any]]:
    """The kept images as a world, those of files read from disk as they are asked for, and what about.json says of them."""
    about = read_json(folder / "about.json")
    with np.load(folder / "arrays.npz", allow_pickle=False) as held:
        arrays = {name: torch.from_numpy(held[name]).to(device) for name in held}
    splits = {name: _split(folder, name, about, arrays, device) for name in about["images"]}
    train, test = splits.pop("train"), splits.pop("test")
    return TensorWorld(train, test, tuple(about["classes"]), splits), about


def _split(folder: Path, name: str, about: dict, arrays: dict[str, torch.Tensor], device: torch.device) -> TensorSplit:
    pixels = np.load(folder / f"{name}.npy", mmap_mode="r")
    if pixels.dtype == np.uint8:
        _, height, width, channels = pixels.shape
        rows = np.array([str(row) for row in range(len(pixels))], dtype=object)
        read = partial(_row, pixels)
        stream = Stream("images", Path(), rows, read, (channels, height, width), about["digests"][name])
        images = DeviceStream(stream, device)
    else:
        images = torch.from_numpy(np.array(pixels)).to(device).contiguous(memory_format=torch.channels_last)
    factors = {key.partition("/")[2]: value for key, value in arrays.items() if key.startswith(f"{name}/")}
    return TensorSplit(images, factors.pop("label"), factors)


def _row(pixels: np.ndarray, path: Path) -> np.ndarray:
    return pixels[int(path.name)]
