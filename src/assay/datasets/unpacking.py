"""Archives of strangers: unpacked below one folder, regular files only, or refused."""

import csv
import gzip
import lzma
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from assay.errors import DataError

SOLUTION = "LOC_val_solution.csv"  # Kaggle's table of the validation images' classes and boxes
BROKEN = (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, lzma.LZMAError, zlib.error, EOFError)


def unpack(archive: Path, form: str, target: Path) -> None:
    """Unpack an archive ("tar", "tar-of-tars" or "zip"; a "file" is copied) into the folder `target`.

    DataError when a member would leave the folder or is no regular file (link, device, pipe), or the archive is broken; what
    was unpacked so far stays, so unpack where nothing is taken for finished.
    """
    target.mkdir(parents=True, exist_ok=True)
    try:
        if form == "file":
            shutil.copyfile(archive, target / archive.name)
        elif form == "zip":
            _unzip(archive, target)
        else:
            with tarfile.open(archive) as outer:
                _untar(archive, outer, target, nested=form == "tar-of-tars")
    except BROKEN as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{archive}: broken or not a {form} archive ({reason}); remove it and retrieve again") from None


def _untar(archive: Path, tar: tarfile.TarFile, target: Path, nested: bool) -> None:
    for member in tar:
        if not (member.isreg() or member.isdir()):
            raise _refused(archive, member.name, "is a link or device")
        _check_name(archive, member.name)
        if nested and member.name.endswith(".tar"):
            with tarfile.open(fileobj=tar.extractfile(member)) as inner:
                _untar(archive, inner, target / PurePosixPath(member.name).stem, nested=False)
        else:
            tar.extract(member, target, filter="data")


def _unzip(archive: Path, target: Path) -> None:
    with zipfile.ZipFile(archive) as zipped:
        for member in zipped.infolist():
            mode = member.external_attr >> 16
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _refused(archive, member.filename, "is a link or device")
            _check_name(archive, member.filename)
            zipped.extract(member, target)


def _check_name(archive: Path, name: str) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or not name.isprintable():
        raise _refused(archive, name, "would leave the folder or has an unprintable name")


def _refused(archive: Path, member: str, why: str) -> DataError:
    return DataError(f"{archive}: member {member!r} {why}; nothing was taken from this archive, get it from another address")


def arrange(kind: str, folder: Path) -> None:
    """What a data set needs after unpacking, by the name the table gives it."""
    if kind == "imagenet":
        arrange_validation(folder)


def arrange_validation(folder: Path) -> None:
    """Sort ImageNet's validation images into a folder a class, val/<wnid>/, by the development kit's ground truth, or by
    the table of Kaggle's copy, if that is there. What is sorted stays, so that it goes on after an end on the way."""
    images, labels = sorted((folder / "val").glob("*.JPEG")), _validation_labels(folder)
    names = {image.name for image in (*images, *(folder / "val").glob("*/*.JPEG"))}
    if names != labels.keys():
        source = SOLUTION if (folder / SOLUTION).exists() else "the development kit"
        raise DataError(f"{folder}: {len(names)} validation images, {len(labels)} labels in {source}; get both again")
    for image in images:
        target = folder / "val" / labels[image.name]
        target.mkdir(exist_ok=True)
        image.rename(target / image.name)


def _validation_labels(folder: Path) -> dict[str, str]:
    """The class of each validation image, by the file's name."""
    if (folder / SOLUTION).exists():
        with open(folder / SOLUTION, newline="") as file:
            found = {f"{row['ImageId']}.JPEG": row["PredictionString"].split(maxsplit=1)[0] for row in csv.DictReader(file)}
        for wnid in found.values():
            _check_wnid(wnid, folder / SOLUTION)
        return found
    kit = folder / "ILSVRC2012_devkit_t12"
    if not kit.is_dir():
        raise DataError(f"{folder}: has neither {kit.name}/ nor {SOLUTION}, which say each image's class; put one of them there")
    return {f"ILSVRC2012_val_{number:08}.JPEG": wnid for number, wnid in enumerate(validation_wnids(kit / "data"), 1)}


def _check_wnid(wnid: str, source: Path) -> None:
    if not re.fullmatch(r"n\d{8}", wnid):
        raise DataError(f"{source}: '{wnid}' is no WordNet id; get the file again")


def validation_wnids(kit: Path) -> Iterator[str]:
    """The class of each validation image in order of its number, as a WordNet id such as n01440764."""
    from scipy.io import loadmat

    synsets = loadmat(kit / "meta.mat", squeeze_me=True)["synsets"]
    wnid_of = {int(synset["ILSVRC2012_ID"]): str(synset["WNID"]) for synset in synsets}
    for line in (kit / "ILSVRC2012_validation_ground_truth.txt").read_text().split():
        wnid = wnid_of[int(line)]
        _check_wnid(wnid, kit / "meta.mat")
        yield wnid


def remove(folder: Path) -> None:
    """Remove a half-unpacked folder, if there is one."""
    shutil.rmtree(folder, ignore_errors=True)
