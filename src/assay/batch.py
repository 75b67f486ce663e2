"""What augmentation and objectives see of one training step."""

from dataclasses import dataclass, field

import torch
from torch import Tensor


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
    factors: dict[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class TensorSplit:
    """A split of a world as tensors on the device; see `assay.world.Split`."""

    images: Tensor
    labels: Tensor
    factors: dict[str, Tensor]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class TensorWorld:
    """A world as tensors on the device; see `assay.world.World`."""

    train: TensorSplit
    test: TensorSplit
    classes: tuple[str, ...]
    extra: dict[str, TensorSplit]


def to_tensors(world, device: torch.device) -> TensorWorld:
    """Copy a numpy world to the device; images in channels_last, which is what convolutions on CPU and GPU prefer."""

    def move(split) -> TensorSplit:
        images = torch.from_numpy(split.images).to(device)
        if images.ndim == 4:
            images = images.contiguous(memory_format=torch.channels_last)
        factors = {name: torch.from_numpy(value).to(device) for name, value in split.factors.items()}
        return TensorSplit(images, torch.from_numpy(split.labels).to(device), factors)

    return TensorWorld(move(world.train), move(world.test), world.classes, {k: move(v) for k, v in world.extra.items()})
