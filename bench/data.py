"""Write data/ from the installed packages: how its files were made. Not part of a run: worlds read data/ as committed.

usage: python bench/data.py [FOLDER]
"""

import shutil
import sys
from pathlib import Path

import numpy as np
import skimage
import sklearn
from PIL import Image
from sklearn.datasets import load_digits

from assay.evidence.tables import pack_arrays
from assay.storage.places import PROJECT
from assay.worlds import photos, stereo, textures

SKIMAGE = Path(skimage.__file__).parent / "data"
SKLEARN = Path(sklearn.__file__).parent / "datasets" / "images"


def write_data(folder: Path) -> None:
    """Pictures as PNG: those that are PNG already unchanged, JPEG decoded, so that no decoder matters. Arrays as NPZ."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*photos.INPUTS, *textures.INPUTS, *(name for name in stereo.INPUTS if name.endswith(".png"))):
        _picture(Path(name).stem, folder / name)
    bunch = load_digits()
    digits = {"images": bunch.images.astype(np.uint8), "labels": bunch.target.astype(np.uint8)}
    disparity = np.load(SKIMAGE / "motorcycle_disp.npz")
    (folder / "digits.npz").write_bytes(pack_arrays(digits))
    (folder / "faces.npz").write_bytes(pack_arrays({"images": np.load(SKIMAGE / "lfw_subset.npy")}))
    (folder / "motorcycle_disparity.npz").write_bytes(pack_arrays({"disparity": disparity[disparity.files[0]]}))
    shutil.copy(PROJECT / "src/assay/worlds/LICENSES.md", folder)


def _picture(stem: str, target: Path) -> None:
    source = next(path for parent in (SKLEARN, SKIMAGE) for path in parent.glob(f"{stem}.*") if path.suffix in (".png", ".jpg"))
    if source.suffix == ".png":
        shutil.copy(source, target)
    else:
        with Image.open(source) as image:
            image.save(target, optimize=True)


if __name__ == "__main__":
    write_data(Path(sys.argv[1]) if len(sys.argv) > 1 else PROJECT / "data")
