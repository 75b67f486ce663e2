"""Real data sets at test size, in the exact formats that their publishers use."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

TRAIN, TEST = 200, 100
WNIDS = [f"n{1440764 + 6851 * number:08}" for number in range(10)]
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CORRUPTIONS = ("gaussian_noise", "motion_blur", "fog", "jpeg_compression")
Files = dict[str, bytes]


def generator(name: str) -> np.random.Generator:
    return np.random.default_rng([ord(letter) for letter in name])


def cifar10() -> Files:
    """data_batch_1.bin to data_batch_5.bin and test_batch.bin: records of a label byte and 3 x 32 x 32 bytes."""
    files = {f"data_batch_{number}.bin": _records(f"batch {number}", TRAIN // 5, 10) for number in range(1, 6)}
    files |= {"test_batch.bin": _records("test", TEST, 10), "batches.meta.txt": ("\n".join(CIFAR10) + "\n\n").encode()}
    return {f"cifar-10-batches-bin/{name}": content for name, content in files.items()}


def _records(name: str, count: int, classes: int) -> bytes:
    labels = np.arange(count)[:, None] % classes
    return np.hstack([labels, generator(name).integers(0, 256, (count, 3072))]).astype(np.uint8).tobytes()


def cifar100() -> Files:
    """Records of a coarse label, a fine label, and the pixels."""
    files = {}
    for part, count in (("train", TRAIN), ("test", TEST)):
        fine = np.arange(count)[:, None] % 100
        pixels = generator(f"cifar100 {part}").integers(0, 256, (count, 3072))
        files[f"{part}.bin"] = np.hstack([fine // 5, fine, pixels]).astype(np.uint8).tobytes()
    for kind, count in (("coarse", 20), ("fine", 100)):
        files[f"{kind}_label_names.txt"] = "".join(f"{kind}_{number}\n" for number in range(count)).encode()
    return {f"cifar-100-binary/{name}": content for name, content in files.items()}


def cifar10_c() -> Files:
    """One array a corruption, (5 * test, 32, 32, 3), severity after severity, and their labels."""
    labels = np.tile(np.arange(TEST) % 10, 5).astype(np.uint8)
    arrays = {name: generator(name).integers(0, 256, (5 * TEST, 32, 32, 3), np.uint8) for name in CORRUPTIONS}
    return {f"CIFAR-10-C/{name}.npy": _npy(array) for name, array in {**arrays, "labels": labels}.items()}


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def mnist(name: str = "mnist") -> Files:
    """Four gzipped IDX files."""
    files = {}
    for prefix, count in (("train", TRAIN), ("t10k", TEST)):
        pixels = generator(f"{name} {prefix}").integers(0, 256, (count, 28, 28), np.uint8)
        files[f"{prefix}-images-idx3-ubyte.gz"] = idx_gz(pixels)
        files[f"{prefix}-labels-idx1-ubyte.gz"] = idx_gz((np.arange(count) % 10).astype(np.uint8))
    return files


def idx_gz(array: np.ndarray) -> bytes:
    header = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
    return gzip.compress(header + array.tobytes(), mtime=0)


def jpeg(name: str, mode: str = "RGB") -> bytes:
    """A picture of a size and content of its own, smooth enough to survive compression."""
    draw = generator(name)
    width, height = draw.integers(20, 48, 2)
    small = draw.integers(0, 256, (4, 5, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC).convert(mode).save(buffer, "JPEG")
    return buffer.getvalue()


def _images(names: list[str]) -> Files:
    return {name: jpeg(name) for name in names}


def validation_names() -> dict[str, list[str]]:
    """Names of the validation images by class."""
    numbers = np.arange(1, TEST + 1).reshape(10, -1, order="F")
    return {wnid: [f"ILSVRC2012_val_{n:08}.JPEG" for n in row] for wnid, row in zip(WNIDS, numbers, strict=True)}


def imagenet() -> Files:
    train = [f"train/{wnid}/{wnid}_{number}.JPEG" for wnid in WNIDS for number in range(TRAIN // 10)]
    val = [f"val/{wnid}/{name}" for wnid, names in validation_names().items() for name in names]
    files = _images([*train, *val])
    files[train[0]] = jpeg(train[0], "CMYK")
    files[train[33]] = jpeg(train[13], "L")
    return files


def imagenet_v2() -> Files:
    return _images(
        [f"imagenetv2-matched-frequency-format-val/{number}/{number}a{n}.jpeg" for number in range(10) for n in "bcde"]
    )


def imagenet_a() -> Files:
    return {
        "imagenet-a/README.txt": b"about",
        **_images([f"imagenet-a/{WNIDS[n]}/0.{n}{m}.jpg" for n in (1, 5) for m in range(9)]),
    }


def imagenet_r() -> Files:
    return _images([f"imagenet-r/{WNIDS[n]}/art_{m}.jpg" for n in (0, 8) for m in range(9)])


def imagenet_sketch() -> Files:
    return _images([f"sketch/{wnid}/sketch_{number}.JPEG" for wnid in WNIDS for number in range(4)])


def imagenet_c() -> Files:
    names = [f"{wnid}/{name}" for wnid, names in validation_names().items() for name in names]
    return _images([f"{corruption}/3/{name}" for corruption in CORRUPTIONS for name in names])


DATASETS: dict[str, Callable[[], Files]] = {
    "cifar10": cifar10,
    "cifar100": cifar100,
    "cifar10-c": cifar10_c,
    "mnist": mnist,
    "fashion_mnist": lambda: mnist("fashion_mnist"),
    "kmnist": lambda: mnist("kmnist"),
    "imagenet": imagenet,
    "imagenet-v2": imagenet_v2,
    "imagenet-a": imagenet_a,
    "imagenet-r": imagenet_r,
    "imagenet-sketch": imagenet_sketch,
    "imagenet-c": imagenet_c,
}


def write(folder: Path) -> None:
    """All data sets, unpacked below the folder."""
    for name, make in DATASETS.items():
        for path, content in make().items():
            target = folder / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


def tar(files: Files, mode: str = "w:gz") -> bytes:
    """A tar archive of the files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def zipped(files: Files) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def imagenet_archives() -> Files:
    """ImageNet as its publisher packs it: a tar of one tar a class, the validation images flat, and the development kit."""
    files = imagenet()
    train = {wnid: {Path(n).name: c for n, c in files.items() if n.startswith(f"train/{wnid}/")} for wnid in WNIDS}
    val = {Path(name).name: content for name, content in files.items() if name.startswith("val/")}
    return {
        "ILSVRC2012_devkit_t12.tar.gz": tar(_kit()),
        "ILSVRC2012_img_val.tar": tar(dict(sorted(val.items())), "w"),
        "ILSVRC2012_img_train.tar": tar({f"{wnid}.tar": tar(members, "w") for wnid, members in train.items()}, "w"),
    }


def _kit() -> Files:
    """The classes with numbers in an order of their own, beside an inner node of the hierarchy, and the validation labels."""
    order = [WNIDS[n] for n in (3, 1, 4, 0, 5, 9, 2, 6, 8, 7)]
    kind = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("num_children", "O")]
    rows = [(number, wnid, f"class {wnid}", 0) for number, wnid in enumerate(order, 1)] + [(11, "n00001740", "entity", 10)]
    buffer = io.BytesIO()
    savemat(buffer, {"synsets": np.array(rows, dtype=kind)[:, None]})
    label_of = {name: order.index(wnid) + 1 for wnid, names in validation_names().items() for name in names}
    labels = "".join(f"{label_of[name]}\n" for name in sorted(label_of))
    data = {"meta.mat": buffer.getvalue(), "ILSVRC2012_validation_ground_truth.txt": labels.encode()}
    return {f"ILSVRC2012_devkit_t12/data/{name}": content for name, content in data.items()}
