"""The worlds of a study as its page shows them: a strip of training images, and the sizes of splits, classes and factors."""

import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from assay.errors import EvidenceError
from assay.evidence.tables import read_arrays
from assay.language.plugs import find
from assay.language.recipes import Recipe
from assay.report.words import number
from assay.storage.files import read_json

SAMPLES, WIDTH = 12, 640  # at most this many images, and pixels, in a row
TILE, LOWEST, GAP = 48, 16, 4  # pixels: a small image's longer side, a signal's height, the space between two
COLOURS = 127  # a palette keeps the file at a few kB; one more entry is transparent


@dataclass(frozen=True)
class WorldView:
    """A world's card, ready to be shown.

    plug: the world's, as "worlds/name". written: the world as a study would write it. labels: what training is told of each
    image in the strip, with the truth where they differ. span: least and greatest pixel value if any leaves [0, 1], which the
    strip is scaled by; else None.
    """

    name: str
    plug: str
    written: Any
    classes: list[str]
    splits: dict[str, dict[str, Any]]
    labels: list[str]
    span: tuple[float, float] | None
    picture: bytes

    @property
    def alt(self) -> str:
        """The strip in words."""
        height, width = self.splits["train"]["image"][1:]
        name = self.plug.split("/")[1]
        return f"{len(self.labels)} training images of the world {name}, {height} by {width} pixels: {', '.join(self.labels)}."

    @property
    def scaling(self) -> str:
        """How pixel values were changed to be seen; empty if they were not."""
        if self.span is None:
            return ""
        return f"Pixel values from {number(self.span[0])} to {number(self.span[1])} are drawn from black to white."


def read_world(folder: Path) -> WorldView:
    """Read a world's card and samples; EvidenceError if they are missing or damaged."""
    card, samples = read_json(folder / "card.json"), read_arrays(folder / "samples.npz")
    try:
        images = samples["images"][: fitting(*samples["images"].shape[2:])]
        low, high = float(images.min()), float(images.max())
        span = (low, high) if low < 0 or high > 1 else None
        return WorldView(
            name=folder.name,
            plug=card["world"]["plug"],
            written=written(card["world"]),
            classes=card["classes"],
            splits={split: card["splits"][split] for split in dict.fromkeys(("train", "test", *card["splits"]))},
            labels=labels(samples, card["classes"])[: len(images)],
            span=span,
            picture=strip((images - low) / (high - low) if span else images),
        )
    except (KeyError, IndexError, ValueError) as error:
        raise EvidenceError(
            f"{folder}: card and samples disagree ({error!r}); delete the folder and run snakemake again"
        ) from None


def written(spec: Any) -> Any:
    """Canonical data in the words of a study file: `shapes`, or `{shapes: {label_noise: 0.4}}` where it leaves defaults.

    Another network is written as its name.
    """
    if isinstance(spec, list):
        return [written(item) for item in spec]
    if isinstance(spec, dict) and "recipe" in spec:
        return Recipe(spec["recipe"]).name
    if not isinstance(spec, dict) or "plug" not in spec:
        return spec
    defaults = _defaults(spec["plug"])
    chosen = {key: written(value) for key, value in spec["parameters"].items()}
    chosen = {key: value for key, value in chosen.items() if key not in defaults or value != defaults[key]}
    name = spec["plug"].split("/")[1]
    return {name: chosen} if chosen else name


@cache
def _defaults(plug: str) -> dict[str, Any]:
    """The defaults of a plug's parameters; none of one that is not there, as a card may be of another checkout."""
    kind, name = plug.split("/")
    declared = find(kind)[name].parameters if name in find(kind) else {}
    return {parameter.name: parameter.default for parameter in declared.values()}


def labels(samples: dict[str, np.ndarray], classes: list[str]) -> list[str]:
    """The class each sample is given, and the true one where that is known to be another."""
    given = samples["labels"]
    truth = samples.get("clean_label", given)
    return [classes[a] if a == b else f"{classes[a]} (in truth {classes[b]})" for a, b in zip(given, truth, strict=True)]


def fitting(height: int, width: int) -> int:
    """How many images of this size a row takes."""
    return max(1, min(SAMPLES, (WIDTH + GAP) // (width * enlarged(height, width) + GAP)))


def enlarged(height: int, width: int) -> int:
    """The whole number by which images of this size are enlarged."""
    return max(1, TILE // max(height, width))


def strip(images: np.ndarray) -> bytes:
    """A PNG of (N, C, H, W) images in [0, 1] side by side, enlarged without smoothing; grey unless there are three channels."""
    if images.shape[1] != 3:
        images = images.mean(axis=1, keepdims=True).repeat(3, axis=1)
    across = enlarged(*images.shape[2:])
    down = max(across, LOWEST // images.shape[2])
    tiles = (images * 255).round().astype(np.uint8).transpose(0, 2, 3, 1)
    count, height, width, _ = tiles.shape
    # Colours are chosen before pixels are enlarged: the same colours, from fewer pixels.
    picture = Image.fromarray(tiles.reshape(count * height, width, 3))
    picture = picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE)
    palette = picture.getpalette()
    clear = len(palette) // 3
    places = np.array(picture).reshape(count, height, width).repeat(down, axis=1).repeat(across, axis=2)
    spaced = np.full((height * down, count, width * across + GAP), clear, np.uint8)
    spaced[:, :, : width * across] = places.transpose(1, 0, 2)
    drawn = Image.fromarray(spaced.reshape(height * down, -1)[:, :-GAP], "P")
    drawn.putpalette([*palette, 0, 0, 0])
    stream = io.BytesIO()
    drawn.save(stream, "PNG", optimize=True, transparency=clear)
    return stream.getvalue()
