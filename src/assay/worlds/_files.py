"""Photographs in folders as people keep them: which files are images of which class, and how one is read for a network.

An image is read as timm evaluates networks: the shorter side resized to size / crop pixels, the centre of size x size cut out
(mode "center"), or both sides resized and the same centre cut out ("squash").
"""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from assay.data.stream import workers
from assay.errors import DataError, StudyError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
PARTS = {"train": ("train", "training"), "test": ("val", "validation", "test")}
DEEP = ("I", "I;16", "I;16B", "I;16L", "I;16N")  # Pillow's modes of 16-bit greys
INTERPOLATIONS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


@dataclass(frozen=True)
class Listing:
    """The images of a folder. parts: "train" and "test" to paths below root, sorted. classes: names of folders, sorted.

    hidden, stray: how many files were left out because their name, or a folder's, starts with a dot; because they are no
    images or do not lie in the folder of a class.
    """

    root: Path
    parts: dict[str, list[str]]
    classes: tuple[str, ...]
    hidden: int
    stray: int

    def labels(self, part: str) -> np.ndarray:
        """(N,) int64 of a part's images."""
        number = {name: place for place, name in enumerate(self.classes)}
        return np.array([number[class_of(file)] for file in self.parts[part]], np.int64)


def class_of(file: str) -> str:
    """The name of the folder that an image lies in."""
    return file.rpartition("/")[0].rpartition("/")[2]


def listed(root: Path) -> Listing:
    """The images of a folder with a folder for each class, or with train/ and val/ that hold such folders.

    DataError where there is no image of a class.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; give one with a folder of images for each class")
    found, hidden = [], 0
    for file in _below(root):
        if any(part.startswith(".") for part in file.split("/")):
            hidden += 1
        else:
            found.append(file)
    tops = {part: [top for top in names if (root / top).is_dir()] for part, names in PARTS.items()}
    if not tops["test"]:
        images = [file for file in found if file.count("/") == 1 and _is_image(file)]
        parts = {"train": [], "test": images}
    else:
        parts = {part: _in_classes(found, names[:1]) for part, names in tops.items()}
    kept = parts["train"] + parts["test"]
    if not parts["test"]:
        raise DataError(f"{root}: {_why_empty(found, bool(tops['test']))}")
    return Listing(root, parts, tuple(sorted({class_of(file) for file in kept})), hidden, len(found) - len(kept))


def _below(root: Path) -> Iterator[str]:
    """Every file's path from root, sorted; links to folders are not followed."""
    found = []
    for folder, _, files in os.walk(root):
        found += [Path(folder, file).relative_to(root).as_posix() for file in files]
    return iter(sorted(found))


def _is_image(file: str) -> bool:
    return file.lower().endswith(SUFFIXES)


def _in_classes(found: list[str], tops: list[str]) -> list[str]:
    return [file for file in found if file.count("/") == 2 and file.split("/")[0] in tops and _is_image(file)]


def _why_empty(found: list[str], split: bool) -> str:
    deep = next((file for file in found if file.count("/") > 1 + split and _is_image(file)), None)
    if deep:
        return f"holds folders of folders of folders ({deep}); give the one whose folders are the classes"
    flat = next((file for file in found if _is_image(file)), None)
    if flat:
        return f"its images lie in no folder of a class ({flat}); make one for each class"
    return f"holds no images ({', '.join(SUFFIXES)}) in the folders of classes; look at the path"


def digest_of(root: Path, files: list[str]) -> str:
    """A SHA-256 over the files' names and bytes."""

    def of(file: str) -> str:
        with open(root / file, "rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()

    with ThreadPoolExecutor(workers()) as pool:
        lines = [f"{name}\0{sha}" for name, sha in zip(files, pool.map(of, files), strict=True)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def read(path: Path, *, size: int, crop: float, interpolation: str, mode: str, channels: int) -> np.ndarray:
    """An image as (size, size, channels) uint8, cut as the module says.

    It is turned as its EXIF says; 16-bit greys are scaled to 8 bits; transparency is left out, as timm leaves it out. Raises
    what Pillow raises for a file that it cannot decode, DataError for pixels of floating point.
    """
    with Image.open(path) as opened:
        image = _eight_bits(path, ImageOps.exif_transpose(opened)).convert("RGB" if channels == 3 else "L")
    scaled = int(size / crop)
    image = image.resize(_sides(image.size, scaled, mode), INTERPOLATIONS[interpolation])
    left, top = (round((side - size) / 2) for side in image.size)
    return np.asarray(image.crop((left, top, left + size, top + size))).reshape(size, size, channels)


def _sides(sides: tuple[int, int], scaled: int, mode: str) -> tuple[int, int]:
    """Width and height to resize to, the shorter being `scaled`, rounded down as torchvision does."""
    if mode == "squash":
        return scaled, scaled
    width, height = sides
    return (scaled, int(scaled * height / width)) if width <= height else (int(scaled * width / height), scaled)


def _eight_bits(path: Path, image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise DataError(f"{path}: pixels of floating point have no known white; convert the image to 8 bits a channel")
    if image.mode not in DEEP:
        return image
    values = np.asarray(image).astype(np.int64)
    if values.max(initial=0) > 65535:
        raise DataError(f"{path}: pixels of more than 16 bits have no known white; convert the image to 8 bits a channel")
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))


def check_geometry(size: int, crop: float, interpolation: str, mode: str) -> None:
    """StudyError for a way of reading images that is not known here."""
    if interpolation not in INTERPOLATIONS or mode not in ("center", "squash"):
        raise StudyError(
            f"images: interpolation '{interpolation}', crop mode '{mode}' are not known"
            f" (allowed: {', '.join(INTERPOLATIONS)}; center, squash)"
        )
    if not 0 < crop <= 1 or size < 1:
        raise StudyError(f"images: {size} px from a crop of {crop} cannot be cut (allowed: at least 1 px, 0 < crop <= 1)")
