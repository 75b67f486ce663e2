"""What augmentation and objectives see of one training step, and worlds as tensors, in memory or streamed from disk."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from assay.data.stream import Stream
from assay.errors import StudyError, unknown

STATISTICS_SAMPLE = 4096  # images that a stream's mean and spread are computed from, evenly spaced over its rows
LEAST_SPREAD = 1e-3  # a channel that is constant is not divided by zero


@dataclass(frozen=True)
class Batch:
    """A training batch on the device. Plugs return a changed copy (`dataclasses.replace`) and never alter it.

    images: (B, C, H, W) in [0, 1], what the network is trained on. labels: (B,) int64, as given (noise included).
    targets: (B, K) float, rows sum to 1; one-hot until an augmentation mixes them. index: (B,) row in the training split.
    original: the images before any augmentation. views: further augmented copies of the same samples, if an augmentation
    makes them. factors: the world's ground truth for these rows. progress: share of the training already done, in [0, 1).
    """

    images: Tensor
    labels: Tensor
    targets: Tensor
    index: Tensor
    original: Tensor
    progress: float = 0.0
    views: tuple[Tensor, ...] = ()
    factors: Mapping[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)

    def each(self, function: Callable[[Tensor], Tensor]) -> "Batch":
        """The batch whose tensors are what the function makes of these."""
        return replace(
            self,
            images=function(self.images),
            labels=function(self.labels),
            targets=function(self.targets),
            index=function(self.index),
            original=function(self.original),
            views=tuple(map(function, self.views)),
            factors={name: function(value) for name, value in self.factors.items()},
        )

    def apart(self, factor: str) -> list["Batch"]:
        """A batch for each environment, the rows with one value of this factor (B,), by ascending value; values that no row has
        are left out."""
        if factor not in self.factors:
            raise StudyError(f"a batch for each environment: {unknown('factor', factor, self.factors)}")
        values = self.factors[factor]
        return [self.each(lambda tensor, own=values == value: tensor[own]) for value in values.unique()]


class Rows(Mapping[str, Tensor]):
    """Rows of factors by name, taken when they are asked for: most steps ask for none, and a mask is as large as an image."""

    def __init__(self, factors: Mapping[str, Tensor], rows: Tensor):
        self.factors, self.rows = factors, rows

    def __getitem__(self, name: str) -> Tensor:
        return self.factors[name][self.rows]

    def __iter__(self) -> Iterator[str]:
        return iter(self.factors)

    def __len__(self) -> int:
        return len(self.factors)


@dataclass(frozen=True)
class DeviceStream:
    """Streamed images with the face of a tensor on the device: indexing and `split` decode what they are asked for. Indexing
    raises DataError for more than `assay.data.stream.memory_limit()`.

    On CUDA, pixels travel as bytes from pinned memory while the device computes.
    """

    stream: Stream
    device: torch.device

    @property
    def shape(self) -> torch.Size:
        return torch.Size(self.stream.shape)

    def __len__(self) -> int:
        return len(self.stream)

    def __getitem__(self, rows: int | slice | Tensor) -> Tensor:
        index = torch.arange(len(self))[rows.cpu() if isinstance(rows, Tensor) else rows]
        self.stream.check_fits(index.numel())
        images = next(self.batches([index.reshape(-1)]))
        return images if index.ndim else images[0]

    def batches(self, parts: Iterable[Tensor]) -> Iterator[Tensor]:
        """The images of each part's rows, in the order of the parts, decoded ahead."""
        rows = [part.cpu().numpy() for part in parts]  # all at once: reading from a GPU waits for the work queued on it
        return map(self._to_device, self.stream.pixels(rows, self._buffer))

    def split(self, size: int) -> Iterator[Tensor]:
        """All images in slices of `size` rows."""
        return self.batches(torch.arange(len(self)).split(size))

    def _buffer(self, shape: tuple[int, ...]) -> Tensor:
        return torch.empty(shape, dtype=torch.uint8, pin_memory=self.device.type == "cuda")

    def _to_device(self, pixels: Tensor) -> Tensor:
        """(B, H, W, C) bytes as (B, C, H, W) floats in [0, 1], which are in channels_last as they come."""
        images = pixels.permute(0, 3, 1, 2).to(self.device, non_blocking=True).float()
        # By a tensor: CUDA multiplies by the reciprocal of a Python number, which rounds otherwise than dividing does.
        return images.div_(torch.full((), 255.0, device=self.device))


@dataclass(frozen=True)
class TensorSplit:
    """A split of a world as tensors on the device; see `assay.data.world.Split`. Images may be streamed from disk."""

    images: Tensor | DeviceStream
    labels: Tensor
    factors: dict[str, Tensor]

    def __len__(self) -> int:
        return len(self.labels)

    def batches(self, parts: Iterable[Tensor]) -> Iterator[Tensor]:
        """The images of each part's rows, on the device, in the order of the parts."""
        if isinstance(self.images, Tensor):
            return (self.images[rows] for rows in parts)
        return self.images.batches(parts)

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each channel, (C,) each; of streamed images, over STATISTICS_SAMPLE of them."""
        return self._statistics

    @cached_property
    def _statistics(self) -> tuple[Tensor, Tensor]:
        if isinstance(self.images, Tensor):
            mean, std = self.images.mean((0, 2, 3)), self.images.std((0, 2, 3))
        else:
            mean, std = _sampled_statistics(self.images)
        return mean, std.clamp_min(LEAST_SPREAD)

    def digest(self) -> str:
        """A hash of images and labels; streamed images count by their files' names and the digest of the bytes behind them."""
        images = self.images.cpu().contiguous().numpy().tobytes() if isinstance(self.images, Tensor) else self._files()
        return hashlib.sha256(images + self.labels.cpu().numpy().tobytes()).hexdigest()[:16]

    def _files(self) -> bytes:
        return self.images.stream.digest().encode()


@dataclass(frozen=True)
class Epoch:
    """What a sampler chooses rows for: the epoch of this number, of `epochs` in all.

    split: the training split. sizes: how many rows each of its steps holds, as many in all as the split has.
    """

    split: TensorSplit
    number: int
    epochs: int
    sizes: tuple[int, ...]

    def values(self, factor: str) -> Tensor:
        """(N,) int64: the label, under that name, or a factor with one whole number a row; StudyError if there is no such."""
        if factor == "label":
            return self.split.labels
        whole = {name: value for name, value in self.split.factors.items() if value.ndim == 1 and not value.is_floating_point()}
        if factor not in whole:
            raise StudyError(f"sampler: {unknown('factor', factor, ('label', *whole))}")
        return whole[factor].long()

    def groups(self, factors: Iterable[str]) -> list[Tensor]:
        """The rows of each combination of these factors' values that occurs, by ascending values."""
        columns = torch.stack([self.values(name) for name in factors], 1)
        number = columns.unique(dim=0, return_inverse=True)[1]
        return [(number == each).nonzero().flatten() for each in range(int(number.max()) + 1)]


def whole(images: Tensor | DeviceStream) -> Tensor:
    """All images as one tensor; DataError when streamed ones take more memory than allowed."""
    return images[:]


def _sampled_statistics(images: DeviceStream) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel, in double precision, over evenly spaced rows."""
    count = min(STATISTICS_SAMPLE, len(images))
    rows = torch.arange(count) * len(images) // count
    sums = [torch.stack([b.double().sum((0, 2, 3)), b.double().square().sum((0, 2, 3))]) for b in images.batches(rows.split(256))]
    pixels = count * images.shape[2] * images.shape[3]
    mean, square = torch.stack(sums).sum(0) / pixels
    variance = (square - mean.square()).clamp_min(0) * pixels / (pixels - 1)
    return mean.float(), variance.sqrt().float()


@dataclass(frozen=True)
class TensorWorld:
    """A world as tensors on the device; see `assay.data.world.World`."""

    train: TensorSplit
    test: TensorSplit
    classes: tuple[str, ...]
    extra: dict[str, TensorSplit]


def to_tensors(world, device: torch.device) -> TensorWorld:
    """Copy a numpy world to the device; streamed images stay on disk."""

    def move(split) -> TensorSplit:
        factors = {name: torch.from_numpy(value).to(device) for name, value in split.factors.items()}
        return TensorSplit(_images(split.images, device), torch.from_numpy(split.labels).to(device), factors)

    return TensorWorld(move(world.train), move(world.test), world.classes, {k: move(v) for k, v in world.extra.items()})


def _images(images, device: torch.device) -> Tensor | DeviceStream:
    """Images in channels_last, which is what convolutions on CPU and GPU prefer."""
    if isinstance(images, Stream):
        return DeviceStream(images, device)
    tensor = torch.from_numpy(images).to(device)
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor
