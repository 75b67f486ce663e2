"""Streamed images equal the same images in memory, come in order whatever the number of threads, and never pile up."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from assay.data.batch import DeviceStream, TensorSplit, to_tensors, whole
from assay.data.stream import AHEAD, Stream
from assay.data.stream import whole as whole_array
from assay.data.world import Split, World
from assay.errors import DataError
from assay.measuring.evaluate import batched, predict

COUNT, SIDE = 23, 12
CPU = torch.device("cpu")


def read_png(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (COUNT, SIDE, SIDE, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def stream(tmp_path_factory, pixels):
    root = tmp_path_factory.mktemp("images")
    files = np.array([f"{row:02}.png" for row in range(COUNT)])
    for name, image in zip(files, pixels, strict=True):
        Image.fromarray(image).save(root / name)
    return Stream("pictures", root, files, read_png, (3, SIDE, SIDE), "digest of the archive")


@pytest.fixture(scope="module")
def in_memory(pixels):
    return pixels.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)


@pytest.fixture
def tensors(stream, in_memory):
    """The same split streamed and in memory."""
    labels = np.arange(COUNT) % 3
    worlds = [World(Split(images, labels), Split(images, labels), ("a", "b", "c")) for images in (stream, in_memory)]
    return [to_tensors(world, CPU).train for world in worlds]


@pytest.mark.parametrize("rows", [3, slice(2, 9), slice(None), np.array([5, 5, 0, 22]), np.arange(COUNT) % 4 == 1, slice(4, 4)])
def test_indexing_decodes_what_an_array_would_hold(stream, in_memory, rows):
    assert np.array_equal(stream[rows], in_memory[rows])
    assert stream[rows].dtype == np.float32
    assert stream.shape == in_memory.shape


def test_selecting_twice_is_selecting_from_the_selection(stream, in_memory):
    first, second = np.array([7, 3, 11, 0]), np.array([2, 0])
    assert np.array_equal(stream.select(first).select(second)[:], in_memory[first][second])


@pytest.mark.parametrize("workers", ["1", "2", "7"])
def test_order_does_not_depend_on_the_number_of_threads(stream, in_memory, monkeypatch, workers):
    monkeypatch.setenv("ASSAY_WORKERS", workers)
    slow_first = replace(stream, read=lambda path: (threading.Event().wait(0.02 if path.stem == "00" else 0), read_png(path))[1])
    parts = np.array_split(np.arange(COUNT), 6)
    found = list(slow_first.batches(parts))
    assert len(found) == 6
    assert np.array_equal(np.concatenate(found), in_memory)


def test_batches_of_a_tensor_split_are_those_in_memory(tensors):
    streamed, held = tensors
    parts = torch.randperm(COUNT, generator=torch.Generator().manual_seed(0)).tensor_split(4)
    for ours, theirs in zip(streamed.batches(parts), held.batches(parts), strict=True):
        assert torch.equal(ours, theirs)
        assert ours.is_contiguous(memory_format=torch.channels_last)


def test_device_stream_has_the_face_of_a_tensor(tensors):
    streamed, held = (split.images for split in tensors)
    assert streamed.shape == held.shape
    assert len(streamed) == len(held)
    for rows in (slice(0, 5), 4, torch.tensor([3, 1]), torch.arange(COUNT) < 2):
        assert torch.equal(streamed[rows], held[rows])
    assert torch.equal(whole(streamed), whole(held))
    assert torch.equal(
        batched(lambda images, row: images.sum((1, 2, 3)) + row, streamed, torch.arange(COUNT), size=4),
        batched(lambda images, row: images.sum((1, 2, 3)) + row, held, torch.arange(COUNT), size=4),
    )
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * SIDE * SIDE, 3))
    assert torch.equal(predict(network, streamed, size=7), predict(network, held, size=7))


def test_statistics_in_memory_are_torchs_and_streamed_ones_agree(tensors):
    streamed, held = tensors
    mean, std = held.statistics()
    assert torch.equal(mean, held.images.mean((0, 2, 3)))
    assert torch.equal(std, held.images.std((0, 2, 3)))
    for ours, theirs in zip(streamed.statistics(), (mean, std), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-6)
    constant = TensorSplit(torch.ones(4, 3, 2, 2), torch.zeros(4, dtype=torch.long), {})
    assert (constant.statistics()[1] > 0).all()


def test_no_more_batches_are_decoded_than_promised(stream, monkeypatch):
    monkeypatch.setenv("ASSAY_WORKERS", "4")
    allocated = []

    def allocate(shape):
        allocated.append(shape)
        return np.empty(shape, np.uint8)

    taken = stream.pixels(np.arange(COUNT).reshape(-1, 1), allocate)
    for used in range(1, 10):
        next(taken)
        assert len(allocated) <= used + AHEAD
    taken.close()
    assert len(allocated) < COUNT


@pytest.mark.parametrize("damage", ["truncated", "empty", "missing", "text"])
def test_a_file_that_cannot_be_decoded_is_named_in_one_line(stream, tmp_path, damage):
    for name in stream.files:
        (tmp_path / name).write_bytes((stream.root / name).read_bytes())
    victim = tmp_path / stream.files[9]
    content = victim.read_bytes()
    victim.unlink()
    if damage != "missing":
        victim.write_bytes({"truncated": content[: len(content) // 2], "empty": b"", "text": b"not an image"}[damage])
    broken = replace(stream, root=tmp_path)
    before = threading.active_count()
    with pytest.raises(DataError) as error:
        list(broken.batches(np.arange(COUNT).reshape(-1, 1)))
    assert str(victim) in str(error.value)
    assert "\n" not in str(error.value)
    assert threading.active_count() <= before  # one of an earlier test may have ended meanwhile


def test_too_many_images_at_once_are_refused_with_bytes_limit_and_fix(stream, monkeypatch):
    monkeypatch.setenv("ASSAY_MEMORY_GIB", str((4 * 3 * SIDE * SIDE * COUNT - 1) / 2**30))
    for images, ask in ((stream, whole_array), (DeviceStream(stream, CPU), whole)):
        with pytest.raises(DataError, match=r"pictures: 23 images .* GiB .*lower the world's train, test or size"):
            ask(images)
        assert len(images[: COUNT - 1]) == COUNT - 1


def test_digest_tells_files_and_bytes_apart_and_reads_no_image(stream, tmp_path):
    moved = replace(stream, root=tmp_path / "nowhere")
    assert moved.digest() == stream.digest()
    assert replace(stream, identity="other bytes").digest() != stream.digest()
    assert stream.select(np.arange(5)).digest() != stream.digest()
    assert replace(stream, image=(3, 6, 6)).digest() != stream.digest()
