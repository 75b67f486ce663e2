"""Retrieval against a real server with real faults: what ends up on disk is right, or nothing counts and one line says why."""

import gzip
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tiny_datasets
from tiny_datasets import tar

from assay import datasets
from assay.datasets import retrieving
from assay.datasets.retrieving import retrieve
from assay.errors import DataError
from assay.storage.files import read_json

CONTENT = np.random.default_rng(0).integers(0, 256, 200_000, np.uint8).tobytes()
ARCHIVE = tar({"photos/a.bin": CONTENT, "photos/b.bin": b"b"}, "w")


@pytest.fixture
def bring():
    """Retrieve a data set without waiting; returns (what was said, pauses asked for)."""

    def run(name: str = "photos", **options):
        said, pauses = [], []
        retrieve(name, said.append, **{"track": False, "pause": pauses.append, **options})
        return said, pauses

    return run


@pytest.fixture
def photos(offer):
    """A data set of one archive."""
    offer("photos", {"photos.tar": ("tar", ARCHIVE)})


def arrived(place: Path) -> bool:
    return (place / "photos" / "photos" / "a.bin").read_bytes() == CONTENT and (place / "photos.json").exists()


def refused(bring, *words: str) -> str:
    """The one line that retrieving ends with."""
    with pytest.raises(DataError) as error:
        bring()
    text = str(error.value)
    assert "\n" not in text
    for word in words:
        assert word in text, text
    return text


def assert_nothing_counts(place: Path) -> None:
    left = {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}
    assert not [path for path in left if not path.startswith(".") and not path.endswith(".part.json")], left


@pytest.mark.parametrize("form", ["tar", "tar.gz", "zip", "file"])
def test_each_form_arrives_and_is_described(form, offer, bring, place):
    files = {"photos/a.bin": CONTENT}
    content = {"tar": tar(files, "w"), "tar.gz": tar(files), "zip": tiny_datasets.zipped(files), "file": CONTENT}[form]
    name = "a.bin" if form == "file" else f"photos.{form}"
    offer("photos", {name: (form.removesuffix(".gz"), content)})
    bring()
    path = "a.bin" if form == "file" else "photos/a.bin"
    here = datasets.retrieved("photos")
    assert here.listing() == [(path, len(CONTENT))]
    assert here.file(path).read_bytes() == CONTENT
    assert read_json(place / "photos.json")["archives"][name]["sha256"] == hashlib.sha256(content).hexdigest()


def test_a_second_retrieval_asks_nobody_and_changes_nothing(photos, bring, place, shelf):
    bring()
    marker = (place / "photos.json").read_bytes()
    asked = len(shelf.requests)
    bring()
    assert len(shelf.requests) == asked
    (place / "photos.json").unlink()  # as after `snakemake --forceall`
    bring()
    assert len(shelf.requests) == asked
    assert (place / "photos.json").read_bytes() == marker


@pytest.mark.parametrize("tags", [{"/photos/photos.tar": "v1"}, {}])
def test_a_dropped_connection_goes_on_where_it_was(tags, photos, bring, place, shelf):
    shelf.tags, shelf.cuts = tags, [70_000, 50_000]
    bring()
    assert arrived(place)
    assert [request[1:] for request in shelf.requests] == [(None, 200), ("bytes=70000-", 206), ("bytes=120000-", 206)]


def test_a_server_without_ranges_starts_anew(photos, bring, place, shelf):
    shelf.ranges, shelf.cuts = False, [70_000]
    bring()
    assert arrived(place)
    assert [status for _, _, status in shelf.requests] == [200, 200]


@pytest.mark.parametrize("heeds_if_range", [True, False])
@pytest.mark.parametrize("tagged", [True, False])
def test_a_file_that_changed_in_between_is_not_mixed_with_the_old_one(heeds_if_range, tagged, photos, bring, place, shelf):
    shelf.heeds_if_range = heeds_if_range
    part = datasets.archives("photos") / "photos.tar.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 70_000)
    part.with_name("photos.tar.part.json").write_text('{"version": "\\"old\\"", "total": 90000}')
    if tagged:
        shelf.tags = {"/photos/photos.tar": "new"}
    bring()
    assert arrived(place)


def test_a_part_of_unknown_origin_is_not_continued(photos, bring, place, shelf):
    part = datasets.archives("photos") / "photos.tar.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 70_000)
    bring()
    assert arrived(place)
    assert shelf.requests == [("/photos/photos.tar", None, 200)]


def test_a_part_longer_than_the_file_is_dropped(photos, bring, place, shelf):
    shelf.tags = {"/photos/photos.tar": "v1"}
    part = datasets.archives("photos") / "photos.tar.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * (len(ARCHIVE) + 1))
    part.with_name("photos.tar.part.json").write_text('{"version": "\\"v1\\"", "total": null}')
    bring()
    assert arrived(place)


def test_without_a_length_the_end_is_the_end(photos, bring, place, shelf):
    shelf.lengths = False
    bring()
    assert arrived(place)


def test_a_corrupt_transfer_is_made_again_once(photos, bring, place, shelf):
    shelf.corrupted = 1
    said, _ = bring()
    assert arrived(place)
    assert any("once more from the start" in line for line in said)


def test_lasting_corruption_is_refused_before_unpacking(photos, bring, place, shelf):
    shelf.corrupted = 99
    refused(bring, "md5 is", "config/datasets.yaml says", hashlib.md5(ARCHIVE).hexdigest())
    assert_nothing_counts(place)


def test_a_truncated_file_that_claims_to_be_whole_is_refused_unseen(photos, bring, place, shelf):
    shelf.files["/photos/photos.tar"] = ARCHIVE[:-10_000]
    refused(bring, f"offers {len(ARCHIVE) - 10_000} bytes", f"says {len(ARCHIVE)}")
    assert_nothing_counts(place)


def test_a_server_that_sends_without_end_is_stopped(photos, bring, place, shelf):
    shelf.lengths = False
    shelf.files["/photos/photos.tar"] = ARCHIVE * 20
    refused(bring, "sends more than")
    assert sum(path.stat().st_size for path in place.rglob("*.part")) <= len(ARCHIVE)


def test_redirects_are_followed_and_loops_end(photos, bring, place, shelf):
    shelf.files["/elsewhere/file"] = shelf.files.pop("/photos/photos.tar")
    shelf.redirects = {"/photos/photos.tar": f"{shelf.address}/step", "/step": "/elsewhere/file"}
    bring()
    assert arrived(place)


def test_a_loop_of_redirects_ends_in_a_line(photos, bring, place, shelf):
    shelf.redirects = {"/photos/photos.tar": "/photos/photos.tar"}
    refused(bring, "gave up after", "redirects")


def test_a_busy_server_is_asked_again_when_it_says(photos, bring, place, shelf):
    shelf.statuses = [503, 500]
    _, pauses = bring()
    assert arrived(place)
    assert pauses[0] == 7
    assert len(pauses) == 2


def test_pauses_grow_and_end(photos, bring, shelf):
    shelf.statuses = [500] * 50
    pauses = []
    with pytest.raises(DataError, match=r"gave up after 5 attempts \(status 500\)"):
        retrieve("photos", lambda line: None, False, pauses.append)
    assert pauses == [2, 4, 8, 16]


def test_a_stalled_connection_is_given_up_and_continued(photos, bring, place, shelf, monkeypatch):
    monkeypatch.setattr(retrieving, "TIMEOUT", (5, 0.3))
    shelf.stalls = [65_536]
    bring()
    assert arrived(place)
    assert len(shelf.requests) == 2


def test_the_next_address_is_tried(offer, bring, place, shelf):
    addresses = {"addresses": [f"{shelf.address}/gone", "http://127.0.0.1:1/nobody", f"{shelf.address}/photos/photos.tar"]}
    offer("photos", {"photos.tar": ("tar", ARCHIVE)}, file=addresses)
    said, _ = bring()
    assert arrived(place)
    assert any("answers 404" in line for line in said)


def test_no_address_works(photos, bring, place, shelf):
    shelf.files.clear()
    refused(bring, "photos.tar could not be retrieved", "answers 404")
    assert_nothing_counts(place)


def test_a_killed_process_goes_on_where_it_was(offer, place, shelf):
    offer("photos", {"photos.tar": ("tar", ARCHIVE)})
    shelf.tags, shelf.pause = {"/photos/photos.tar": "v1"}, 0.05
    table = datasets.table().model_dump_json()
    code = (
        "import sys; from assay import datasets; from assay.datasets import retrieving\n"
        "table = datasets.Table.model_validate_json(sys.argv[1])\n"
        "retrieving.CHUNK = 4096; datasets.table = lambda: table; retrieving.retrieve('photos', track=False)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, table], stdout=subprocess.DEVNULL)
    part = datasets.archives("photos") / "photos.tar.part"
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size > 20_000):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (place / "photos.json").exists()
    shelf.pause = 0
    retrieve("photos", lambda line: None, track=False)
    assert arrived(place)
    assert shelf.requests[-1][1].startswith("bytes=")
    assert shelf.requests[-1][2] == 206


def test_two_at_once_download_once(photos, place, shelf):
    shelf.pause = 0.02
    said = []
    threads = [threading.Thread(target=retrieve, args=("photos", said.append, False)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert arrived(place)
    assert len(shelf.requests) == 1
    assert any("another process is retrieving it" in line for line in said)


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


def zipped(content: bytes, name: str, when: int) -> bytes:
    """As gzip itself writes it."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename=name, mode="wb", fileobj=buffer, mtime=when) as file:
        file.write(content)
    return buffer.getvalue()


@pytest.fixture
def packaged(offer, tmp_path):
    """A data set that a distribution's package holds, its header stripped; the published bytes, and the package's file."""
    published = zipped(CONTENT, "images", 1504176606)
    copy = tmp_path / "usr" / "images.gz"
    copy.parent.mkdir()
    copy.write_bytes(zipped(CONTENT, "", 0))
    installed = {"package": "dataset-images", "path": str(copy), "time": 1504176606}
    offer("photos", {"images.gz": ("file", published)}, file={"installed": installed})
    return published, copy


def test_an_installed_package_saves_the_download_and_its_file_gets_the_published_bytes(bring, packaged, place, shelf):
    published, copy = packaged
    assert copy.read_bytes() != published
    shelf.files.clear()
    said, _ = bring()
    assert "photos: images.gz is that of the package dataset-images" in said
    assert (place / "photos/images.gz").read_bytes() == published


def test_without_the_package_the_file_is_downloaded(bring, packaged, place):
    published, copy = packaged
    copy.unlink()
    said, _ = bring()
    assert not any("that of the package" in line for line in said)
    assert (place / "photos/images.gz").read_bytes() == published


@pytest.mark.parametrize("content", [zipped(b"another version", "", 0), zipped(CONTENT, "named", 0), b"no gzip", b""])
def test_another_version_of_the_package_is_refused_and_nothing_is_left(bring, packaged, place, content):
    packaged[1].write_bytes(content)
    refused(bring, "images.gz")
    assert not (place / "photos").exists()
    assert not list(place.rglob("images.gz"))
