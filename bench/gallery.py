"""The picture gallery of docs/worlds.md: `python bench/gallery.py` writes docs/img/worlds.png, a strip of test images a world."""

from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from assay.data.seeds import Draw
from assay.language.plugs import find, load

# Each strip: the title, the world, and the parameters that show it at its best.
STRIPS = [
    ("shapes, 16 px", "shapes", {}),
    ("shapes, 32 px", "shapes", {"size": 32}),
    ("shapes, shortcut: colour", "shapes", {"size": 32, "shortcut": "colour", "test_correlation": 1.0, "classes": 4}),
    ("two_objects", "two_objects", {"size": 32}),
    ("urban_shapes", "urban_shapes", {"size": 32}),
    ("domains", "domains", {"size": 32, "test_styles": ["inverted", "sketch", "poster", "blurred", "washed", "grey"]}),
    ("pixel_shuffle", "pixel_shuffle", {}),
    ("defects", "defects", {}),
    ("dead_leaves", "dead_leaves", {}),
    ("fractals", "fractals", {"size": 32}),
    ("spectrum_noise", "spectrum_noise", {"size": 32}),
    ("frequency_cues", "frequency_cues", {"size": 32}),
    ("digits", "digits", {"train": 100, "test": 40}),
    ("mnist", "mnist", {}),
    ("fashion_mnist", "fashion_mnist", {}),
    ("emoji: openmoji", "emoji", {}),
    ("emoji: the others", "emoji", {"test_styles": ["noto", "twemoji", "fluent"]}),
    ("photos", "photos", {}),
    ("textures", "textures", {}),
    ("faces", "faces", {"train": 60, "test": 40}),
    ("stereo", "stereo", {}),
]
SHOWN = 12
TILE = 40
TITLE = 150


def strip(title: str, name: str, parameters: dict) -> Image.Image:
    """A title and the first test images, enlarged without smoothing."""
    make = load("worlds", name)
    declared = find("worlds")[name].parameters
    parameters = {"train": 24, "test": 24, **parameters}
    if "of" in declared:
        inner = {key: parameters.pop(key) for key in list(parameters) if key not in declared}
        make = partial(make, of=partial(load("worlds", "shapes"), **inner))
    images = make(Draw("gallery", 0), **parameters).test.images[:SHOWN]
    images = np.broadcast_to(images, (SHOWN, 3, *images.shape[2:]))
    picture = Image.new("RGB", (TITLE + SHOWN * (TILE + 2), TILE + 2), "white")
    ImageDraw.Draw(picture).text((4, TILE / 2 - 5), title, fill="black")
    for index, image in enumerate(images):
        tile = Image.fromarray((image.transpose(1, 2, 0) * 255).round().astype(np.uint8)).resize(
            (TILE, TILE), Image.Resampling.NEAREST
        )
        picture.paste(tile, (TITLE + index * (TILE + 2), 1))
    return picture


def main() -> None:
    strips = [np.asarray(strip(*entry)) for entry in STRIPS]
    path = Path(__file__).parents[1] / "docs" / "img" / "worlds.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    # A palette keeps the file small.
    Image.fromarray(np.concatenate(strips)).quantize(192, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1024:.0f} KB")


if __name__ == "__main__":
    main()
