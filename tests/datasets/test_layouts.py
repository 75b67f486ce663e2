"""Copies of real data sets as people have them: each is told what it is, and doing what is said makes it right."""

import re
import subprocess
from pathlib import Path

import pytest
import tiny_datasets
from tiny_datasets import Files

from assay import datasets
from assay.datasets.retrieving import retrieve
from assay.errors import DataError

NAMES = {name: wnid for wnid, names in tiny_datasets.validation_names().items() for name in names}
KAGGLE = "ILSVRC/Data/CLS-LOC/"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("ASSAY_DATASETS", str(tmp_path))
    return tmp_path


def lay_out(root: Path, files: Files) -> None:
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)


def flat(files: Files) -> Files:
    """All validation images in one folder."""
    return {re.sub("^val/n[0-9]+/", "val/", path): content for path, content in files.items()}


def solution() -> bytes:
    """Kaggle's table: classes and boxes of each image, of which there may be several."""
    rows = [f"{name.removesuffix('.JPEG')},{wnid} 111 108 441 253 {wnid} 1 2 3 4 " for name, wnid in NAMES.items()]
    return "\n".join(["ImageId,PredictionString", *rows, ""]).encode()


def adopt(name: str, **options) -> None:
    retrieve(name, say=lambda line: None, track=False, **options)


def refused(name: str, **options) -> str:
    with pytest.raises(DataError) as error:
        adopt(name, **options)
    assert "\n" not in str(error.value)
    assert not datasets.marker(name).exists()
    return str(error.value)


def read_as_published(name: str, files: Files) -> None:
    """What is read of the copy is what the publisher's has, besides what else lies in it."""
    found = datasets.retrieved(name)
    assert {(path, len(content)) for path, content in files.items()} <= set(found.listing())
    for path, content in files.items():
        assert (found.root / path).read_bytes() == content


def test_kaggles_copy_of_imagenet_and_a_flat_val_are_made_right_by_what_is_said(home):
    files = tiny_datasets.imagenet()
    lay_out(home / "imagenet", {f"{KAGGLE}{path}": content for path, content in flat(files).items()})
    lay_out(home / "imagenet", {"LOC_val_solution.csv": solution()})
    said = refused("imagenet")
    assert "imagenet: is imagenet as Kaggle has it; it has no train/n????????/*.JPEG; bring its folders up, in it: mv " in said
    subprocess.run(said.partition("in it: ")[2], shell=True, cwd=home / "imagenet", check=True)
    assert "with all validation images in one folder" in refused("imagenet")
    adopt("imagenet", arranged=True)
    read_as_published("imagenet", files)


def test_sorting_says_what_it_needs_and_goes_on_where_it_stopped(home):
    files = tiny_datasets.imagenet()
    lay_out(home / "imagenet", flat(files))
    assert "has neither ILSVRC2012_devkit_t12/ nor LOC_val_solution.csv" in refused("imagenet", arranged=True)
    lay_out(home / "imagenet", {"LOC_val_solution.csv": solution().replace(b"n01440764 ", b"../../up ")})
    assert "'../../up' is no WordNet id" in refused("imagenet", arranged=True)
    lay_out(home / "imagenet", {"LOC_val_solution.csv": solution()})
    first = min(NAMES)
    (home / "imagenet/val" / NAMES[first]).mkdir()
    (home / "imagenet/val" / first).rename(home / "imagenet/val" / NAMES[first] / first)
    last = home / "imagenet/val" / max(NAMES)
    content = last.read_bytes()
    last.unlink()
    assert f"{len(NAMES) - 1} validation images, {len(NAMES)} labels in LOC_val_solution.csv" in refused(
        "imagenet", arranged=True
    )
    last.write_bytes(content)
    adopt("imagenet", arranged=True)
    read_as_published("imagenet", files)


@pytest.mark.parametrize("name", ["val", "images"])
def test_a_validation_folder_of_another_name(home, name):
    files = tiny_datasets.imagenet()
    moved = {re.sub("^val/", "validation/", path): content for path, content in files.items()}
    lay_out(
        home / "imagenet", moved if name == "val" else {re.sub("/n[0-9]+/I", "/I", path): each for path, each in moved.items()}
    )
    said = refused("imagenet")
    assert "with another name for val/" in said
    subprocess.run(said.partition("in it: ")[2], shell=True, cwd=home / "imagenet", check=True)
    if name == "val":
        adopt("imagenet")
        read_as_published("imagenet", files)
    else:
        assert "in one folder" in refused("imagenet")


def test_packed_classes(home):
    files = tiny_datasets.imagenet()
    classes: dict[str, Files] = {}
    for path, content in files.items():
        if path.startswith("train/"):
            classes.setdefault(path.split("/")[1], {})[path.split("/")[2]] = content
    packed = {f"train/{wnid}.tar": tiny_datasets.tar(inner, "w") for wnid, inner in classes.items()}
    lay_out(home / "imagenet", packed | {path: content for path, content in files.items() if path.startswith("val/")})
    said = refused("imagenet")
    subprocess.run(said.partition("in it: ")[2], shell=True, cwd=home / "imagenet", check=True)
    adopt("imagenet")
    read_as_published("imagenet", files)


@pytest.mark.parametrize("linked", [False, True])
def test_a_copy_one_folder_too_deep(home, linked):
    files = tiny_datasets.imagenet()
    place = home / "disk of ours" if linked else home / "imagenet"
    lay_out(place, {f"2012/images/{path}": content for path, content in files.items()})
    if linked:
        (home / "imagenet").symlink_to(place)
    said = refused("imagenet")
    assert "is imagenet in a folder of its own, 2012/images" in said
    subprocess.run(said.partition("name that one: ")[2], shell=True, check=True)
    adopt("imagenet")
    read_as_published("imagenet", files)


def test_a_copy_without_its_first_folder(home):
    files = tiny_datasets.cifar10_c()
    lay_out(home / "cifar10-c", {path.partition("/")[2]: content for path, content in files.items()})
    said = refused("cifar10-c")
    assert "is cifar10-c without its folder CIFAR-10-C; it has no CIFAR-10-C/fog.npy; move all that is in it " in said
    arrays = list((home / "cifar10-c").iterdir())
    subprocess.run(said.partition("into that: ")[2], shell=True, check=True)
    for path in arrays:
        path.rename(path.parent / "CIFAR-10-C" / path.name)
    adopt("cifar10-c")
    read_as_published("cifar10-c", files)


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("cifar10", ["cifar-10-batches-py/data_batch_1", "cifar-10-batches-py/test_batch", "cifar-10-batches-py/batches.meta"]),
        ("cifar10", ["data_batch_1", "test_batch"]),
        ("cifar100", ["cifar-100-python/train", "cifar-100-python/test"]),
    ],
)
def test_cifar_for_python(home, name, files):
    lay_out(home / name, dict.fromkeys(files, b"\x80\x04."))
    said = refused(name)
    assert f"is {name} in the version for Python, whose pickles are not read; it has no " in said
    assert said.endswith(f"assay retrieve {name}")


@pytest.mark.parametrize(("ending", "advice"), [(".bmp", "bring a copy with the .JPEG files"), (".jpeg", "rename them: find ")])
def test_images_with_another_ending(home, ending, advice):
    files = tiny_datasets.imagenet()
    lay_out(home / "imagenet", {path.replace(".JPEG", ending): content for path, content in files.items()})
    said = refused("imagenet")
    assert f"is imagenet with files that end in {ending}" in said
    assert advice in said
    if ending == ".jpeg":
        subprocess.run(said.partition("rename them: ")[2], shell=True, check=True)
        adopt("imagenet")
        read_as_published("imagenet", files)


def test_who_cannot_fetch_it_is_not_told_to(home):
    lay_out(home / "imagenet", {"train/n01440764/images/a.JPEG": b"", "val/images/b.JPEG": b""})
    assert "retrieve" not in refused("imagenet")
    lay_out(home / "mnist", {"train-images-idx3-ubyte": b""})
    assert refused("mnist").endswith("or take it away and run assay retrieve mnist, which fetches 0.012 GB")
