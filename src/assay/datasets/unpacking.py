"""Archives of strangers: unpacked below one folder, regular files only, or refused."""

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
    """Sort ImageNet's validation images into a folder a class, val/<wnid>/, by the development kit's ground truth."""
    images = sorted((folder / "val").glob("*.JPEG"))
    labels = list(validation_wnids(folder / "ILSVRC2012_devkit_t12" / "data"))
    if len(images) != len(labels):
        raise DataError(f"{folder}: {len(images)} validation images, {len(labels)} labels in the development kit; get both again")
    for image, wnid in zip(images, labels, strict=True):
        (folder / "val" / wnid).mkdir(exist_ok=True)
        image.rename(folder / "val" / wnid / image.name)


def validation_wnids(kit: Path) -> Iterator[str]:
    """The class of each validation image in order of its number, as a WordNet id such as n01440764."""
    from scipy.io import loadmat

    synsets = loadmat(kit / "meta.mat", squeeze_me=True)["synsets"]
    wnid_of = {int(synset["ILSVRC2012_ID"]): str(synset["WNID"]) for synset in synsets}
    for line in (kit / "ILSVRC2012_validation_ground_truth.txt").read_text().split():
        wnid = wnid_of[int(line)]
        if not re.fullmatch(r"n\d{8}", wnid):
            raise DataError(f"{kit / 'meta.mat'}: '{wnid}' is no WordNet id; get the development kit again")
        yield wnid


def remove(folder: Path) -> None:
    """Remove a half-unpacked folder, if there is one."""
    shutil.rmtree(folder, ignore_errors=True)
