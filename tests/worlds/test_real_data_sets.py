"""Worlds of real data sets, read from tiny data in the publishers' formats, against torchvision and against records read by
hand."""

import gzip
import shutil
import struct
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_datasets import TEST, TRAIN, WNIDS

from assay.data.batch import TensorSplit, to_tensors
from assay.data.stream import Stream, whole
from assay.datasets import needed
from assay.datasets.retrieving import finish
from assay.errors import DataError, StudyError
from assay.language.plugs import describe
from assay.language.recipes import Recipe
from assay.training import shim  # noqa: F401  (before torchvision)
from assay.training.trainer import train
from assay.worlds._collection import centre
from assay.worlds._imagenet import View, photograph

# isort: split
from torchvision.datasets import ImageFolder
from torchvision.datasets.mnist import read_image_file, read_label_file
from torchvision.transforms import v2 as transforms

ALL = {"train": TRAIN, "test": TEST}


def sorted_by_source(split):
    return split.take(np.argsort(split.factors["source"]))


def test_cifar10_is_its_records(make, tiny_datasets):
    world = make("cifar10", **ALL)
    content = (tiny_datasets / "cifar10/cifar-10-batches-bin/data_batch_2.bin").read_bytes()
    split = sorted_by_source(world.train)
    for record in (0, 17, 39):
        label, *pixels = struct.unpack_from("3073B", content, 3073 * record)
        assert split.labels[40 + record] == label
        assert (split.images[40 + record] * 255).round().astype(int).reshape(-1).tolist() == pixels
    assert world.classes[:3] == ("airplane", "automobile", "bird")
    assert len(world.classes) == 10


def test_cifar100_has_both_labels(make, tiny_datasets):
    fine, coarse = make("cifar100", **ALL), make("cifar100", labels="coarse", **ALL)
    content = (tiny_datasets / "cifar100/cifar-100-binary/test.bin").read_bytes()
    records = [struct.unpack_from("3074B", content, 3074 * row) for row in range(100)]
    assert sorted_by_source(fine.test).labels.tolist() == [record[1] for record in records]
    assert sorted_by_source(coarse.test).labels.tolist() == [record[0] for record in records]
    assert sorted_by_source(fine.test).factors["coarse"].tolist() == [record[0] for record in records]
    assert (len(fine.classes), len(coarse.classes)) == (100, 20)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "kmnist"])
def test_idx_files_are_read_as_torchvision_reads_them(make, tiny_datasets, tmp_path, name):
    world = make("idx", name=name, **ALL)
    for part, prefix in (("train", "train"), ("test", "t10k")):
        for kind in ("images-idx3", "labels-idx1"):
            packed = tiny_datasets / name / f"{prefix}-{kind}-ubyte.gz"
            (tmp_path / f"{prefix}-{kind}").write_bytes(gzip.decompress(packed.read_bytes()))
        split = sorted_by_source(world.splits()[part])
        assert np.array_equal(split.images[:, 0], read_image_file(tmp_path / f"{prefix}-images-idx3").numpy() / np.float32(255))
        assert np.array_equal(split.labels, read_label_file(tmp_path / f"{prefix}-labels-idx1").numpy())


def test_idx_repeats_grey_for_networks_of_three_channels(make):
    images = make("idx", channels=3).train.images
    assert images.shape == (64, 3, 28, 28)
    assert (images == images[:, :1]).all()


def test_corrupted_splits_are_the_test_split_corrupted(make, tiny_datasets):
    world = make("cifar10_c", corruptions=["fog", "motion_blur"], severities=[1, 4])
    assert list(world.extra) == ["fog-1", "fog-4", "motion_blur-1", "motion_blur-4"]
    rows = world.test.factors["source"]
    array = np.load(tiny_datasets / "cifar10-c/CIFAR-10-C/motion_blur.npy")
    split = world.extra["motion_blur-4"]
    wanted = array[3 * len(array) // 5 + rows].transpose(0, 3, 1, 2) / np.float32(255)
    assert np.array_equal(split.images, wanted)
    assert np.array_equal(split.labels, world.test.labels)
    assert np.array_equal(split.factors["source"], rows)


@pytest.mark.parametrize("size", [16, 24])
def test_imagenet_is_read_as_torchvision_reads_it(make, tiny_datasets, size):
    """Every image, CMYK and grey ones included, against ImageFolder with the usual evaluation transform."""
    usual = transforms.Compose([transforms.Resize(round(size / 0.875)), transforms.CenterCrop(size), transforms.ToImage()])
    world = make("imagenet", **ALL, size=size)
    for part, folder in (("train", "train"), ("test", "val")):
        oracle = ImageFolder(tiny_datasets / "imagenet" / folder, usual)
        split = sorted_by_source(world.splits()[part])
        assert isinstance(split.images, Stream)
        assert split.labels.tolist() == oracle.targets
        wanted = torch.stack([image for image, _ in oracle]).numpy() / np.float32(255)
        assert np.array_equal(whole(split.images), wanted)
        assert list(world.classes) == oracle.classes


def test_variants_map_their_folders_to_the_classes(make):
    world = make("imagenet", size=16, variants=["v2", "a", "r", "sketch"], train=64, test=100)
    seen = {name: set(split.labels.tolist()) for name, split in world.extra.items()}
    assert seen == {"v2": set(range(10)), "a": {1, 5}, "r": {0, 8}, "sketch": set(range(10))}
    split = world.extra["v2"]
    assert all(f"/{label}/" in file for file, label in zip(split.images.files, split.labels, strict=True))


def test_corrupted_imagenet_is_paired_with_the_validation_images(make):
    world = make("imagenet_c", corruptions=["fog"], size=16, train=64, test=50)
    names, corrupted = ([file.rsplit("/")[-1] for file in split.images.files] for split in (world.test, world.extra["fog-3"]))
    assert names == corrupted
    assert np.array_equal(world.test.labels, world.extra["fog-3"].labels)


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "idx", "imagenet"])
def test_classes_are_balanced_from_the_first_row_on(make, name):
    world = make(name, train=150)
    for count in (50, 150):
        counts = np.bincount(world.train.labels[:count], minlength=len(world.classes))
        assert counts.max() - counts.min() <= 1
    rows = world.train.factors["source"]
    assert len(set(rows.tolist())) == 150


def test_a_scarce_class_gives_all_it_has(tiny_datasets, make, monkeypatch, tmp_path):
    shutil.copytree(tiny_datasets, tmp_path / "few")
    monkeypatch.setenv("ASSAY_DATASETS", str(tmp_path / "few"))
    scarce = tmp_path / "few/imagenet/train" / sorted(p.name for p in (tmp_path / "few/imagenet/train").iterdir())[4]
    for file in sorted(scarce.iterdir())[3:]:
        file.unlink()
    finish("imagenet", {}, lambda line: None)
    counts = np.bincount(make("imagenet", size=16, train=150).train.labels)
    assert counts[4] == 3
    assert np.delete(counts, 4).min() >= 16


@pytest.mark.parametrize("kind", ["uniform", "class", "instance"])
def test_label_noise_leaves_the_truth_as_a_factor(make, kind):
    plain, noisy = make("cifar10", **ALL), make("cifar10", label_noise=0.4, noise_kind=kind, **ALL)
    assert np.array_equal(noisy.train.factors["clean_label"], plain.train.labels)
    assert 0.2 < (noisy.train.labels != plain.train.labels).mean() < 0.6
    assert np.array_equal(noisy.test.labels, plain.test.labels)
    assert np.array_equal(noisy.train.images, plain.train.images)


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("cifar10", {"train": 201}, ["train = 201", "at most 200 images", "lower train"]),
        ("idx", {"test": 101}, ["test = 101", "at most 100"]),
        ("imagenet", {"train": 999}, ["train = 999", "at most 200"]),
    ],
)
def test_more_images_than_there_are_is_refused(make, name, parameters, words):
    with pytest.raises(StudyError) as error:
        make(name, **parameters)
    assert str(error.value).startswith(f"world {name}: ")
    assert all(word in str(error.value) for word in words)


DAMAGE = {
    "cifar10/cifar-10-batches-bin/data_batch_3.bin": ("cifar10", "are not records of 3073"),
    "cifar100/cifar-100-binary/test.bin": ("cifar100", "are not records of 3074"),
    "mnist/t10k-images-idx3-ubyte.gz": ("idx", "not readable as gzip"),
    "cifar10-c/CIFAR-10-C/fog.npy": ("cifar10_c", "not a plain array"),
}


@pytest.mark.parametrize("path", DAMAGE)
def test_truncated_files_are_named_in_one_line(path, make, tiny_datasets, tmp_path, monkeypatch):
    world, said = DAMAGE[path]
    for name in needed([{"plug": f"worlds/{world}", "parameters": defaults(world)}]):
        shutil.copytree(tiny_datasets / name, tmp_path / name)
        for suffix in (".json", ".index"):
            shutil.copy(tiny_datasets / f"{name}{suffix}", tmp_path)
    monkeypatch.setenv("ASSAY_DATASETS", str(tmp_path))
    content = (tmp_path / path).read_bytes()
    (tmp_path / path).write_bytes(content[: len(content) // 2 + 1])
    with pytest.raises(DataError, match=said) as error:
        make(world)
    assert str(tmp_path / path) in str(error.value)
    assert "\n" not in str(error.value)


def test_arrays_that_would_need_pickle_are_refused(make, tiny_datasets, tmp_path, monkeypatch):
    shutil.copytree(tiny_datasets, tmp_path / "all")
    monkeypatch.setenv("ASSAY_DATASETS", str(tmp_path / "all"))
    np.save(tmp_path / "all/cifar10-c/CIFAR-10-C/fog.npy", np.array([print], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"fog\.npy: not a plain array"):
        make("cifar10_c")


def defaults(world: str) -> dict:
    return {name: parameter.default for name, parameter in describe("worlds", world).parameters.items()}


def test_a_world_names_the_data_sets_it_needs():
    def spec(world: str, **given) -> dict:
        return {"plug": f"worlds/{world}", "parameters": {**defaults(world), **given}}

    assert needed([spec("shapes")]) == []
    assert needed([spec("idx", name="kmnist")]) == ["kmnist"]
    assert needed([spec("imagenet")]) == ["imagenet"]
    wrapped = {"plug": "worlds/random_labels", "parameters": {"of": spec("imagenet", variants=["a", "v2"])}}
    assert needed([wrapped, spec("cifar10")]) == ["cifar10", "imagenet", "imagenet-a", "imagenet-v2"]


def test_training_from_disk_is_training_from_memory(make, monkeypatch):
    """The same weights, bit for bit, given the same normalisation (a stream's is computed from a sample)."""
    monkeypatch.setattr(TensorSplit, "statistics", lambda split: (torch.full((3,), 0.4), torch.full((3,), 0.3)))
    streamed = make("imagenet", size=16)
    held = make("imagenet", size=16)
    for split in (held.train, held.test):
        object.__setattr__(split, "images", whole(split.images))
    recipe = Recipe(plain_recipe())
    networks = [train(recipe, 0, world=to_tensors(world, torch.device("cpu"))).network for world in (streamed, held)]
    for ours, theirs in zip(*(network.state_dict().values() for network in networks), strict=True):
        assert torch.equal(ours, theirs)


def plain_recipe() -> dict:
    def spec(plug: str, **given) -> dict:
        return {"plug": plug, "parameters": {**{n: p.default for n, p in describe(*plug.split("/")).parameters.items()}, **given}}

    return {
        "world": spec("worlds/imagenet"),
        "model": spec("models/linear"),
        "augment": [spec("augment/flip")],
        "objective": spec("objectives/cross_entropy"),
        "optimizer": spec("optimizers/sgd"),
        "schedule": spec("schedules/cosine"),
        "surgery": [],
        "budget": {"epochs": 2, "batch": 16},
        "record": [],
        "start": None,
        "draws": {"world": 0, "init": 0, "order": 0, "augment": 0},
    }


def test_a_picture_of_many_pixels_is_refused_by_name(make, tiny_datasets, tmp_path, monkeypatch):
    """Pillow's guard against decompression bombs ends in a line like any other unreadable file."""
    world = make("imagenet", size=16)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(DataError, match="cannot be read as an image"):
        whole(world.train.images)


def copied(tiny_datasets, tmp_path, monkeypatch, change) -> Path:
    """All data sets in a place of their own, changed there and then adopted as a laboratory's copies are."""
    shutil.copytree(tiny_datasets, tmp_path / "all")
    monkeypatch.setenv("ASSAY_DATASETS", str(tmp_path / "all"))
    change(tmp_path / "all")
    for marker in (tmp_path / "all").glob("*.json"):
        finish(marker.stem, {}, lambda line: None)
    return tmp_path / "all"


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (lambda fog: fog / 255, r"fog\.npy: holds float64 of shape \(500, 32, 32, 3\), expected uint8 of \(N, 32, 32, 3\)"),
        (lambda fog: fog.transpose(0, 3, 1, 2), r"fog\.npy: holds uint8 of shape \(500, 3, 32, 32\)"),
        (lambda fog: fog[..., 0], r"fog\.npy: holds uint8 of shape \(500, 32, 32\)"),
    ],
)
def test_corrupted_images_of_another_form_are_refused(make, tiny_datasets, tmp_path, monkeypatch, array, said):
    def change(root):
        path = root / "cifar10-c/CIFAR-10-C/fog.npy"
        np.save(path, array(np.load(path)))

    copied(tiny_datasets, tmp_path, monkeypatch, change)
    with pytest.raises(DataError, match=said):
        make("cifar10_c", corruptions=["fog"])


def into_a_folder_of_images(root):
    for folder in list((root / "imagenet/train").iterdir()):
        (folder / "images").mkdir()
        for image in list(folder.glob("*.JPEG")):
            image.rename(folder / "images" / image.name)


def named_by_words(root):
    (root / "imagenet/train" / WNIDS[0]).rename(root / "imagenet/train/tench")


def without_a_class_of_val(root):
    shutil.rmtree(root / "imagenet/val" / WNIDS[3])


def flat_validation(root):
    for image in list((root / "imagenet/val").glob("*/*.JPEG")):
        image.rename(root / "imagenet/val" / image.name)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (into_a_folder_of_images, r"/images/.*\.JPEG: expected train/<WordNet id>/<image>"),
        (named_by_words, r"train/tench/.*: expected train/<WordNet id>/<image>"),
        (without_a_class_of_val, rf"class '{WNIDS[3]}' is in train/ alone"),
        (flat_validation, r"val/ILSVRC2012_val_.*: expected val/<WordNet id>/<image>"),
    ],
)
def test_photographs_outside_the_folders_of_their_classes_are_refused(make, tiny_datasets, tmp_path, monkeypatch, change, said):
    copied(tiny_datasets, tmp_path, monkeypatch, change)
    with pytest.raises(DataError, match=said) as caught:
        make("imagenet")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("read", [partial(centre, shorter=16, size=16), partial(photograph, view=View(16))])
def test_pixels_of_sixteen_bits_are_refused_by_name(tmp_path, read):
    """Pillow turns them white without a word."""
    Image.fromarray(np.full((40, 40), 30000, np.uint16)).save(tmp_path / "x-ray.png")
    with pytest.raises(DataError, match=r"x-ray\.png: pixels of mode I;16 are not of 8 bits a channel"):
        read(tmp_path / "x-ray.png")
    for mode in ("L", "LA", "P", "RGB", "RGBA"):
        Image.new(mode, (40, 40)).save(tmp_path / "fine.png")
        assert read(tmp_path / "fine.png").shape == (16, 16, 3)
