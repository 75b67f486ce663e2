"""What arrived: hostile and broken archives, full disks, copies that are there, later damage, packages."""

import hashlib
import io
import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import tiny_datasets
from retrieval_cases import ARCHIVE, CONTENT, arrived, refused
from tiny_datasets import tar

from assay import datasets
from assay.datasets import retrieving
from assay.datasets.retrieving import retrieve
from assay.errors import DataError


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    """A tar of an honest file and one more member."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        honest = tarfile.TarInfo("photos/a.bin")
        archive.addfile(honest)
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, link
        archive.addfile(info)
    return buffer.getvalue()


def zip_member(name: str, mode: int = 0o100644) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        archive.writestr(info, "../../escaped")
    return buffer.getvalue()


HOSTILE = {
    "parent": ("tar", member("photos/../../escaped")),
    "absolute": ("tar", member("/tmp/escaped-from-assay")),
    "symlink": ("tar", member("photos/link", tarfile.SYMTYPE, "a.bin")),
    "symlink out": ("tar", member("photos/link", tarfile.SYMTYPE, "/etc")),
    "hard link": ("tar", member("photos/link", tarfile.LNKTYPE, "photos/a.bin")),
    "pipe": ("tar", member("photos/pipe", tarfile.FIFOTYPE)),
    "device": ("tar", member("photos/device", tarfile.CHRTYPE)),
    "new line": ("tar", member("photos/a\n0\tb")),
    "inner parent": ("tar-of-tars", tar({"class.tar": member("../../../escaped")}, "w")),
    "zip parent": ("zip", zip_member("../../escaped")),
    "zip absolute": ("zip", zip_member("/tmp/escaped-from-assay")),
    "zip symlink": ("zip", zip_member("photos/link", 0o120777)),
    "zip backslash": ("zip", zip_member("..\\escaped")),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_archives_that_would_write_elsewhere_are_refused(kind, offer, bring, place):
    form, content = HOSTILE[kind]
    offer("photos", {"photos.archive": (form, content)})
    refused(bring, "photos.archive: member", "link or device" if "link" in kind or kind in ("pipe", "device") else "would leave")
    assert not (place / "photos").exists()
    assert not (place / "photos.json").exists()
    assert not list(place.glob(".*.unpacking"))
    assert not list(place.parent.rglob("escaped*"))
    assert not Path("/tmp/escaped-from-assay").exists()


@pytest.mark.parametrize(
    ("form", "content"),
    [("tar", tar({"photos/a.bin": CONTENT})[:-50_000]), ("tar", b"not an archive"), ("zip", b"PK not an archive"), ("tar", b"")],
)
def test_broken_archives_are_named(form, content, offer, bring, place):
    offer("photos", {"photos.archive": (form, content)})
    refused(bring, "photos.archive: broken or not a")
    assert not (place / "photos.json").exists()


def test_without_a_published_checksum_the_first_copy_counts_for_everybody(offer, bring, place, shelf, monkeypatch, tmp_path):
    offer("photos", {"photos.tar": ("tar", ARCHIVE)}, checksums=False)
    said, _ = bring()
    assert any("no checksum is published" in line and hashlib.sha256(ARCHIVE).hexdigest() in line for line in said)
    lock = tmp_path / "config" / "datasets.lock.json"
    assert json.loads(lock.read_text()) == {"photos/photos.tar": hashlib.sha256(ARCHIVE).hexdigest()}
    monkeypatch.setenv("ASSAY_DATASETS", str(tmp_path / "second machine"))
    bring()
    monkeypatch.setenv("ASSAY_DATASETS", str(tmp_path / "third machine"))
    shelf.corrupted = 99
    refused(bring, "datasets.lock.json says", hashlib.sha256(ARCHIVE).hexdigest())


def test_too_little_space_is_said_before_the_first_byte(offer, bring, shelf):
    offer("photos", {"photos.tar": ("tar", ARCHIVE)}, file={"bytes": 10**18})
    refused(bring, "needs 2300000000.0 GB", "GB are free", "ASSAY_DATASETS")
    assert not shelf.requests


def test_a_disk_that_fills_up_is_said_and_the_download_goes_on(offer, bring, place, shelf):
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "none", str(place)], capture_output=True).returncode:
        pytest.skip("mounting a small disk in memory needs root")
    try:
        offer("photos", {"photos.tar": ("tar", ARCHIVE)}, file={"bytes": None})
        refused(bring, "No space left on device")
        subprocess.run(["mount", "-o", "remount,size=10m", str(place)], check=True)
        bring()
        assert arrived(place)
        assert shelf.requests[-1][2] == 206
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_folder_that_cannot_be_written_is_named(photos, bring, place, monkeypatch):
    place.parent.joinpath("file").write_text("")
    monkeypatch.setenv("ASSAY_DATASETS", str(place.parent / "file" / "datasets"))
    refused(bring, "file/datasets", "Not a directory")


def test_a_copy_that_is_there_is_taken_as_it_is(photos, bring, place, tmp_path, shelf):
    copy = tmp_path / "shared" / "photos"
    copy.mkdir(parents=True)
    (copy / "a.bin").write_bytes(CONTENT)
    place.mkdir()
    (place / "photos").symlink_to(copy)
    said, _ = bring()
    assert not shelf.requests
    assert any("not there to be checked" in line for line in said)
    assert datasets.retrieved("photos").listing() == [("a.bin", len(CONTENT))]


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (["photos-py/a.bin"], "it has no b.bin; lay out like that what it has, for example photos-py/a.bin, or take it away"),
        (["train/cat/images/a.jpg", "b.bin"], "it has no train/*/*.jpg; lay out like that what it has, for example "),
        ([".hidden/a.jpg"], "it has no b.bin; nor any file: lay one out like that, or take it away"),
    ],
)
def test_a_copy_in_another_layout_is_not_taken(offer, bring, place, files, found):
    offer("photos", {"photos.tar": ("tar", b"")}, entry={"layout": ["train/*/*.jpg", "b.bin"]})
    for file in files:
        (place / "photos" / file).parent.mkdir(parents=True, exist_ok=True)
        (place / "photos" / file).write_bytes(CONTENT)
    refused(bring, "photos: is no copy of photos as it is read here; ", found)
    assert not datasets.marker("photos").exists()
    (place / "photos/train/cat").mkdir(parents=True, exist_ok=True)
    for file in ("train/cat/a.jpg", "b.bin"):
        (place / "photos" / file).write_bytes(CONTENT)
    bring()
    assert datasets.marker("photos").exists()


def test_a_copy_used_as_downloaded_is_checked(offer, bring, place):
    offer("photos", {"a.bin": ("file", CONTENT)})
    (place / "photos").mkdir(parents=True)
    (place / "photos" / "a.bin").write_bytes(CONTENT[:-1])
    refused(bring, "a.bin: md5 is")


@pytest.mark.parametrize("damage", ["file", "size", "index", "marker", "table"])
def test_later_damage_is_noticed_and_says_what_to_remove(damage, photos, offer, bring, place):
    bring()
    file = place / "photos" / "photos" / "a.bin"
    if damage == "file":
        file.unlink()
    elif damage == "size":
        file.write_bytes(CONTENT[:-1])
    elif damage == "index":
        (place / "photos.index").write_text("1\tother\n")
    elif damage == "marker":
        (place / "photos.json").write_text("{}")
    else:
        offer("photos", {"photos.tar": ("tar", tar({"other": b""}))})
    assert "remove" in refused(bring)


def test_a_missing_data_set_says_how_to_get_it(photos, place):
    with pytest.raises(DataError, match=r"^data set photos is not in .*: assay retrieve photos$"):
        datasets.retrieved("photos")
    with pytest.raises(DataError, match="unknown data set 'photo'; did you mean 'photos'"):
        datasets.retrieved("photo")


def test_imagenet_is_placed_by_hand_and_arranged_by_its_development_kit(offer, bring, place, shelf):
    forms = {"ILSVRC2012_devkit_t12.tar.gz": ("tar", ""), "ILSVRC2012_img_val.tar": ("tar", "val")}
    forms |= {"ILSVRC2012_img_train.tar": ("tar-of-tars", "train")}
    archives = tiny_datasets.imagenet_archives()
    offer("photos", {name: (form, archives[name]) for name, (form, _) in forms.items()})
    about = datasets.table().datasets["photos"]
    files = [file.model_copy(update={"addresses": (), "into": forms[file.name][1]}) for file in about.files]
    table = datasets.table().model_copy(
        update={"datasets": {"photos": about.model_copy(update={"files": files, "by_hand": "log in", "arrange": "imagenet"})}}
    )
    datasets.table = lambda: table  # the fixture's patch restores it
    refused(
        bring, "log in, place ILSVRC2012_devkit_t12.tar.gz, ", f"in {place / 'archives' / 'photos'}, then: assay retrieve photos"
    )
    for name, content in archives.items():
        datasets.archives("photos").mkdir(parents=True, exist_ok=True)
        (datasets.archives("photos") / name).write_bytes(content)
    bring()
    wanted = tiny_datasets.imagenet()
    found = {path: datasets.retrieved("photos").file(path).read_bytes() for path, _ in datasets.retrieved("photos").listing()}
    assert {path: content for path, content in found.items() if not path.startswith("ILSVRC2012_devkit")} == wanted


def test_archives_are_tracked_by_dvc_where_the_repository_is(photos, place, tmp_path, monkeypatch):
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet"], cwd=tmp_path, check=True)
    monkeypatch.setattr(retrieving, "WORK", tmp_path)
    said = []
    retrieve("photos", said.append)
    assert any("tracked by DVC" in line for line in said), said
    assert "nfiles: 1" in (place / "archives" / "photos.dvc").read_text()
    status = subprocess.run([sys.executable, "-m", "dvc", "status"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "up to date" in status.stdout
