"""What a group of metrics sees: a model on a world, what it answered, and as many images at once as memory has room for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from assay.data.batch import TensorSplit, TensorWorld, whole
from assay.language.plugs import describe, load
from assay.measuring.evaluate import batched
from assay.measuring.measurable import Measurable, ModelArm


def plug(name: str, **given: Any) -> Callable:
    """A plug by "kind/name" with all its parameters bound, defaults where none are given, as protocols get it."""
    kind, own = name.split("/")
    parameters = {each.name: each.default for each in describe(kind, own).parameters.values() if not each.required}
    return partial(load(kind, own), **{**parameters, **given})


class Bounded(Measurable):
    """A classifier that sees at most `batch` images at once where no gradient is asked for, however many it is given."""

    batch = 32

    def forward(self, images: Tensor) -> Tensor:
        images = images.contiguous(memory_format=torch.channels_last)  # corruptions and attacks give them in any order
        if torch.is_grad_enabled() or len(images) <= self.batch:
            return super().forward(images)
        return torch.cat([super(Bounded, self).forward(part) for part in images.split(self.batch)])

    @torch.no_grad()
    def answer(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits (B, K) and features (B, D) of at most `batch` images by one pass; None for features that it has not."""
        if hasattr(self.model, "forward_head") and hasattr(self.model, "forward_features"):
            seen = self.model.forward_features(self.normalise(images))
            logits = self.model.forward_head(seen)
            if logits.isnan().any():
                raise self._error("gives logits that are NaN; look at its weights and normalisation")
            return logits, self.model.forward_head(seen, pre_logits=True).flatten(1)
        with _last_linear_sees(self.model) as given:
            logits = self(images)
        return logits, given[-1] if given and given[-1].ndim == 2 else None


@contextmanager
def _last_linear_sees(model: nn.Module) -> Iterator[list[Tensor]]:
    """Collects what linear layers are given, the last one's last."""
    given: list[Tensor] = []
    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    handles = [layer.register_forward_pre_hook(lambda module, inputs: given.append(inputs[0])) for layer in layers]
    try:
        yield given
    finally:
        for handle in handles:
            handle.remove()


@dataclass(frozen=True)
class Answers:
    """What a model makes of a split: logits (N, K), and features (N, D) where it has any."""

    logits: Tensor
    features: Tensor | None


def answers(network: Bounded, split: TensorSplit) -> Answers:
    """The model's answers to all images, each image seen once."""
    parts = [network.answer(images) for images in split.images.split(network.batch)]
    if not parts:
        return Answers(torch.zeros(0, len(network.classes)), None)
    logits, features = zip(*parts, strict=True)
    return Answers(torch.cat(logits), None if features[0] is None else torch.cat(features))


class Looked(nn.Module):
    """A network whose images are numbers of rows, and whose answers to them are known."""

    def __init__(self, logits: Tensor):
        super().__init__()
        self.logits = logits

    def forward(self, rows: Tensor) -> Tensor:
        return self.logits[rows]


class Subject(ModelArm):
    """A model on a world, with its answers. count: images of the test split that the group at hand looks at, from the first on;
    the split's order is balanced over the classes from the first image on. pictures: arrays to look at, which a group keeps.
    counted: what was counted at the first look at the model."""

    def __init__(self, model: Bounded, world: TensorWorld, test: Answers, train: Answers, count: int, *, name: str = "model"):
        super().__init__(model, world, name=name)
        self.test, self.train, self.count = test, train, count
        self.pictures: dict[str, Any] = {}
        self.counted: dict[str, Any] = {}

    @property
    def labels(self) -> Tensor:
        return self.world.test.labels[: self.count]

    @property
    def logits(self) -> Tensor:
        return self.test.logits[: self.count]

    @property
    def images(self) -> Tensor:
        """(count, C, H, W); DataError where they take more memory than allowed."""
        return whole(self.world.test.images[: self.count])

    def factor(self, name: str) -> Tensor | None:
        """A factor of the images looked at, None where the world has it not."""
        values = self.world.test.factors.get(name)
        return None if values is None else values[: self.count]

    def each(self, function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
        """The function of all rows, as many at once as the model can take with gradients."""
        return batched(function, *tensors, size=self.network.batch)

    def parts(self, size: int) -> Iterator[Tensor]:
        """The images looked at, so many at once, decoded as they are asked for."""
        return self.world.test.batches(torch.arange(self.count).split(size))

    @torch.no_grad()
    def answer(self, images: Tensor) -> Tensor:
        """(B,) the likeliest class of each image."""
        return self.each(self.network, images).argmax(1)

    def right(self, images: Tensor) -> Tensor:
        """(B,) bool, whether images made of those looked at are answered as labelled."""
        return self.answer(images) == self.labels
