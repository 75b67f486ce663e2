"""Images in folders: what is read is what timm reads, whatever the file; what is none is counted or said."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from assay.data.seeds import Draw
from assay.errors import DataError
from assay.training import shim  # noqa: F401  (before timm)
from assay.worlds._files import listed, read
from assay.worlds.folder import folder

from timm.data import create_transform  # isort: skip

DATA = Path(__file__).parents[2] / "data"
WAY = {"size": 32, "crop": 0.875, "interpolation": "bicubic", "mode": "center", "channels": 3}


def picture(path: Path, shape=(40, 50, 3), seed=0, mode=None, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("mode", ["center", "squash"])
@pytest.mark.parametrize("name", ["coffee.png", "rocket.png", "chelsea.png"])
def test_pixels_are_those_of_timms_own_evaluation(name, interpolation, mode):
    way = {**WAY, "size": 96, "crop": 0.9, "interpolation": interpolation, "mode": mode}
    theirs = create_transform(
        (3, 96, 96), is_training=False, use_prefetcher=True, interpolation=interpolation, crop_pct=0.9, crop_mode=mode
    )
    with Image.open(DATA / name) as image:
        expected = np.asarray(theirs(image.convert("RGB")))
    assert np.array_equal(read(DATA / name, **way).transpose(2, 0, 1), expected)


def test_a_folder_a_class_and_train_beside_val(tmp_path):
    for name in ("b/1.png", "b/2.JPG", "a/3.webp"):
        picture(tmp_path / "plain" / name)
        picture(tmp_path / "split/train" / name)
        picture(tmp_path / "split/val" / name)
    plain = folder(Draw("world"), path=str(tmp_path / "plain"), size=8)
    assert plain.classes == ("a", "b")
    assert (plain.test.labels.tolist(), len(plain.train)) == ([0, 1, 1], 0)
    assert plain.test.images[:].shape == (3, 3, 8, 8)
    split = folder(Draw("world"), path=str(tmp_path / "split"), size=8, train=2, test=2)
    assert sorted(split.train.labels) == sorted(split.test.labels) == [0, 1]
    assert split.test.images.files[0].startswith("val/")


def test_hidden_and_stray_files_are_left_out_and_counted(tmp_path):
    picture(tmp_path / "a/1.png")
    picture(tmp_path / "a/deeper/2.png")
    picture(tmp_path / "loose.png")
    for name in ("a/.DS_Store", ".git/x.png", "a/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = listed(tmp_path)
    assert (found.parts["test"], found.hidden, found.stray) == (["a/1.png"], 2, 3)


@pytest.mark.parametrize(
    ("file", "said"),
    [("a/b/c/1.png", "folders of folders of folders"), ("1.png", "no folder of a class"), ("a/1.txt", "holds no images")],
)
def test_a_folder_without_images_of_classes_says_what_it_is_instead(tmp_path, file, said):
    if file.endswith(".png"):
        picture(tmp_path / file)
    else:
        (tmp_path / "a").mkdir()
        (tmp_path / file).write_text("")
    with pytest.raises(DataError, match=said):
        listed(tmp_path)


def test_a_missing_folder_is_said(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        folder(Draw("world"), path=str(tmp_path / "none"))


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "RGBA", "LA", "1", "YCbCr"])
def test_every_mode_becomes_three_channels(tmp_path, mode):
    suffix = ".jpg" if mode in ("CMYK", "YCbCr") else ".png"
    assert read(picture(tmp_path / f"x{suffix}", mode=mode), **WAY).shape == (32, 32, 3)


def test_sixteen_bits_are_scaled_and_not_cut_off_at_white(tmp_path):
    deep = np.linspace(0, 65535, 40 * 40).reshape(40, 40).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    Image.fromarray((deep / 257).round().astype(np.uint8)).save(tmp_path / "eight.png")
    assert np.array_equal(read(tmp_path / "deep.png", **WAY), read(tmp_path / "eight.png", **WAY))
    Image.fromarray(deep.astype(np.float32)).save(tmp_path / "float.tiff")
    with pytest.raises(DataError, match="floating point"):
        read(tmp_path / "float.tiff", **WAY)


def test_an_image_stands_as_its_camera_says(tmp_path):
    upright = picture(tmp_path / "upright.png")
    with Image.open(upright) as image:
        exif = image.getexif()
        exif[0x0112] = 6  # to be turned right by a quarter
        image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(read(tmp_path / "turned.png", **WAY), read(upright, **WAY))


def test_the_digest_is_of_names_and_bytes(tmp_path):
    def digest(name: str, seed: int) -> str:
        root = tmp_path / f"{name}{seed}"
        picture(root / "a" / name, seed=seed)
        return folder(Draw("world"), path=str(root), size=8).test.images.digest()

    assert digest("1.png", 0) == digest("1.png", 0)
    assert len({digest("1.png", 0), digest("2.png", 0), digest("1.png", 1)}) == 3
