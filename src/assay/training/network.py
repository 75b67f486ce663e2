"""A trained network: a model with its input normalisation, its weights on disk, and what was recorded while it trained."""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from assay.data.batch import DeviceStream, TensorWorld


class Network(nn.Module):
    """A model that takes images in [0, 1]: normalisation is part of it, so attacks and attributions work in pixel space.

    `network(images) -> logits`, `network.features(images) -> (B, D)` is what the classifier sees, `network.model` is the bare
    architecture. A model that takes latents instead of images (a generator) sets `takes_latents = True` and is not normalised.
    A model that has published weights to start from offers `start_pretrained()`, which loads them into it and returns mean and
    spread (C,) of the images they expect; the trainer calls it once, before the first step.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: nn.Module, mean: Tensor, std: Tensor):
        super().__init__()
        self.model = model
        self.register_buffer("mean", mean.reshape(1, -1, 1, 1))
        self.register_buffer("std", std.reshape(1, -1, 1, 1))

    def normalise(self, images: Tensor) -> Tensor:
        """Zero mean and unit spread by the training split's channel statistics."""
        return images if getattr(self.model, "takes_latents", False) else (images - self.mean) / self.std

    def forward(self, images: Tensor) -> Tensor:
        return self.model(self.normalise(images))

    def features(self, images: Tensor) -> Tensor:
        """The representation just before the classifier, shape (B, D)."""
        return self.model.forward_head(self.model.forward_features(self.normalise(images)), pre_logits=True)


@dataclass(frozen=True)
class Trained:
    """A trained network as protocols, teachers and pools get it, in evaluation mode, gradients off for its parameters.

    records: what the trainer recorded on the way, e.g. "loss" (epochs,), "margins" (epochs, N). recipe: its canonical data.
    objective: the objective's own trained tensors by name (projector, discriminator), empty for plain losses.
    images_per_second: how fast this process's part of the training went, and snapshots: the network's weights by the share of the
    training they were kept at; known right after it. The store gives them one by one (`NetworkStore.snapshots`).
    """

    network: Network
    records: dict[str, Tensor] = field(default_factory=dict)
    recipe: dict = field(default_factory=dict)
    objective: dict[str, Tensor] = field(default_factory=dict)
    images_per_second: float = 0.0
    snapshots: dict[str, dict[str, Tensor]] = field(default_factory=dict)


@dataclass(frozen=True)
class Bench:
    """What surgery works with besides the network: its training world, a seeded generator, and the device."""

    world: TensorWorld
    generator: torch.Generator
    device: torch.device


@dataclass(frozen=True)
class Samples:
    """What scores work with: a network, images (N, C, H, W) or a stream, their labels (N,), and the records of the training."""

    network: Network
    images: Tensor | DeviceStream
    labels: Tensor
    records: dict[str, Tensor] = field(default_factory=dict)
