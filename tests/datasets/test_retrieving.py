"""Retrieval against a real server with real faults: what ends up on disk is right, or nothing counts and one line says why."""

import gzip
import hashlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import tiny_datasets
from retrieval_cases import ARCHIVE, CONTENT, arrived, refused
from tiny_datasets import tar

from assay import datasets
from assay.datasets import retrieving
from assay.datasets.retrieving import retrieve
from assay.errors import DataError
from assay.storage.files import read_json


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
