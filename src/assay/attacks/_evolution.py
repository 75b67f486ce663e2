"""Images evolved, or climbed to, until a network is sure of what they show: a champion for each class, all classes at once.

A genome is a dictionary of tensors whose first axis counts individuals; an encoding starts genomes, varies them, and draws them
as images. Evolution keeps the best genome found for each class (an archive of elites): every child may become the champion of
any class, so a search stuck at one class goes on by way of another.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from assay.attacks._ball import steepest
from assay.attacks._gradient import input_gradient
from assay.measuring.evaluate import predict

Genomes = dict[str, Tensor]
GOAL = 0.9999  # confidence at which the search may stop, once all classes have it
MUTATED_PIXELS = 0.1
POLYNOMIAL_STRENGTH = 15


class Encoding(Protocol):
    """How an image is written as a genome."""

    def start(self, count: int, generator: torch.Generator) -> Genomes: ...

    def vary(self, genomes: Genomes, generator: torch.Generator) -> Genomes: ...

    def images(self, genomes: Genomes) -> Tensor: ...


@dataclass(frozen=True)
class Direct:
    """A number in [0, 1] for each pixel and channel, changed one in ten by polynomial mutation. shape: (C, H, W)."""

    shape: tuple[int, int, int]

    def start(self, count: int, generator: torch.Generator) -> Genomes:
        return {"pixels": static(self.shape, count, generator)}

    def vary(self, genomes: Genomes, generator: torch.Generator) -> Genomes:
        pixels = genomes["pixels"]
        chosen, place = (torch.rand(pixels.shape, generator=generator, device=pixels.device) for _ in range(2))
        moved = (pixels + polynomial(place)).clamp(0, 1)
        return {"pixels": torch.where(chosen < MUTATED_PIXELS, moved, pixels)}

    def images(self, genomes: Genomes) -> Tensor:
        return genomes["pixels"]


def polynomial(place: Tensor) -> Tensor:
    """Polynomial mutation's step in (-1, 1) for numbers uniform in [0, 1): density proportional to (1 - |step|) ** strength."""
    power = 1 / (POLYNOMIAL_STRENGTH + 1)
    return torch.where(place < 0.5, (2 * place) ** power - 1, 1 - (2 - 2 * place) ** power)


@dataclass(frozen=True)
class Cppn:
    """A compositional pattern-producing network: pixels as a function of place, whose wiring and activations evolve.

    Inputs are x, y (from -1 to 1), the distance from the centre, and 1. Of `hidden` nodes each may read the inputs and the
    nodes before it, an output (one a channel) everything. Genomes start with outputs that read inputs alone. A child's
    connections appear and vanish, its weights move and its nodes change between sine, sigmoid, Gaussian and identity.
    """

    shape: tuple[int, int, int]
    hidden: int = 6

    def start(self, count: int, generator: torch.Generator) -> Genomes:
        size = (count, self.hidden + self.shape[0], 4 + self.hidden)
        draw = {"generator": generator, "device": generator.device}
        wired = self._outputs_on_inputs(generator.device) & (torch.rand(size, **draw) < 0.7)
        return {
            "weight": 2 * torch.randn(size, **draw),
            "wired": wired,
            "activation": torch.randint(4, size[:2], **draw),
        }

    def vary(self, genomes: Genomes, generator: torch.Generator) -> Genomes:
        weight, wired, activation = genomes["weight"], genomes["wired"], genomes["activation"]
        draw = {"generator": generator, "device": generator.device}
        moves = torch.randn(weight.shape, **draw) * (torch.rand(weight.shape, **draw) < 0.3)
        toggled = (torch.rand(weight.shape, **draw) < 0.04) & self._allowed(generator.device)
        redrawn = torch.rand(activation.shape, **draw) < 0.05
        other = torch.randint(4, activation.shape, **draw)
        return {"weight": weight + moves, "wired": wired ^ toggled, "activation": torch.where(redrawn, other, activation)}

    def images(self, genomes: Genomes) -> Tensor:
        weight = torch.where(genomes["wired"], genomes["weight"], 0)
        values = torch.zeros((len(weight), weight.shape[2], self.shape[1] * self.shape[2]), device=weight.device)
        values[:, :4] = self._inputs(weight.device)
        outputs = []
        for node in range(weight.shape[1]):
            total = torch.einsum("ns,nsp->np", weight[:, node], values)
            answer = activated(total, genomes["activation"][:, node])
            if node < self.hidden:
                values[:, 4 + node] = answer
            else:
                outputs.append((0.5 + 0.5 * answer).clamp(0, 1))
        return torch.stack(outputs, dim=1).reshape(-1, *self.shape)

    def _inputs(self, device: torch.device) -> Tensor:
        """(4, H * W) x, y, distance from the centre, 1."""
        y, x = torch.meshgrid(*(torch.linspace(-1, 1, side, device=device) for side in self.shape[1:]), indexing="ij")
        return torch.stack([x, y, (x**2 + y**2).sqrt(), torch.ones_like(x)]).flatten(1)

    def _allowed(self, device: torch.device) -> Tensor:
        """(nodes, sources) whether a node may read a source: a node reads nodes before it, nothing reads outputs."""
        node = torch.arange(self.hidden + self.shape[0], device=device)[:, None]
        source = torch.arange(4 + self.hidden, device=device)[None]
        return source < 4 + node

    def _outputs_on_inputs(self, device: torch.device) -> Tensor:
        node = torch.arange(self.hidden + self.shape[0], device=device)[:, None]
        source = torch.arange(4 + self.hidden, device=device)[None]
        return (node >= self.hidden) & (source < 4)


def activated(total: Tensor, kind: Tensor) -> Tensor:
    """(N, P) sums through each row's activation: 0 sine, 1 sigmoid from -1 to 1, 2 Gaussian from -1 to 1, 3 identity."""
    choices = torch.stack([total.sin(), total.tanh(), 2 * (-(total**2)).exp() - 1, total])
    return choices[kind, torch.arange(len(kind), device=kind.device)]


@dataclass(frozen=True)
class Fresh:
    """No evolution, the control: each child is drawn anew, whatever its parent. drawn: makes (N, C, H, W) images."""

    drawn: Callable[[int, torch.Generator], Tensor]

    def start(self, count: int, generator: torch.Generator) -> Genomes:
        return {"pixels": self.drawn(count, generator)}

    def vary(self, genomes: Genomes, generator: torch.Generator) -> Genomes:
        return self.start(len(genomes["pixels"]), generator)

    def images(self, genomes: Genomes) -> Tensor:
        return genomes["pixels"]


def static(shape: tuple[int, ...], count: int, generator: torch.Generator) -> Tensor:
    """(count, *shape) uniform in [0, 1), pixel by pixel."""
    return torch.rand((count, *shape), generator=generator, device=generator.device)


def shuffled_pixels(images: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """`count` of the images (N, C, H, W) drawn with repetition, the pixels of each in random order."""
    rows = torch.randint(len(images), (count,), generator=generator, device=images.device)
    order = torch.rand((count, 1, images[0, 0].numel()), generator=generator, device=images.device).argsort(2)
    return images[rows].flatten(2).gather(2, order.expand(-1, images.shape[1], -1)).reshape(count, *images.shape[1:])


def evolve(
    network: nn.Module,
    encoding: Encoding,
    classes: int,
    generations: int,
    children: int,
    generator: torch.Generator,
    runs: int = 1,
) -> Tensor:
    """The champions of the first `classes` classes in each of `runs` separate searches, (runs, classes, C, H, W).

    children: images tried a generation and run. A search is over after `generations`, or once the network gives every champion of
    every run a probability of 99.99%.
    """
    genomes = encoding.start(runs * children, generator)
    champions, best = genomes, torch.full((runs, classes), float("-inf"), device=generator.device, dtype=torch.float64)
    for generation in range(generations):
        if generation:
            parents = torch.randint(classes, (runs, children), generator=generator, device=generator.device)
            genomes = encoding.vary(_take(champions, _flat(parents, classes)), generator)
        champions, best = _select(champions, best, genomes, _confidences(network, encoding.images(genomes), classes))
        if best.min() > GOAL:
            break
    return encoding.images(champions).unflatten(0, (runs, classes))


def _confidences(network: nn.Module, images: Tensor, classes: int) -> Tensor:
    return predict(network, images).double().softmax(1)[:, :classes]


def _select(champions: Genomes, best: Tensor, genomes: Genomes, confidences: Tensor) -> tuple[Genomes, Tensor]:
    """Champions after a generation: for each run and class the child with the most confidence, where it beats the one so far."""
    runs = len(best)
    children = len(confidences) // runs
    found, child = confidences.unflatten(0, (runs, children)).max(1)
    rows = _flat(child, children)
    if not best.isfinite().any():
        return _take(genomes, rows), found
    better = (found > best).flatten()
    return {key: _where(better, value[rows], champions[key]) for key, value in genomes.items()}, torch.maximum(found, best)


def _flat(index: Tensor, width: int) -> Tensor:
    """Rows (runs * M,) of a table of `width` rows a run for an index (runs, M) into each run's part."""
    return (index + width * torch.arange(len(index), device=index.device)[:, None]).flatten()


def _take(genomes: Genomes, rows: Tensor) -> Genomes:
    return {key: value[rows] for key, value in genomes.items()}


def _where(condition: Tensor, one: Tensor, other: Tensor) -> Tensor:
    return torch.where(condition.reshape(-1, *[1] * (one.ndim - 1)), one, other)


def climb(network: nn.Module, start: Tensor, targets: Tensor, steps: int, length: float, decay: float) -> Tensor:
    """Images (N, C, H, W) moved from `start` by `steps` steps of gradient ascent towards targets (N,) with an L2 penalty.

    A step of Euclidean `length` along the gradient of the target's log-probability, then the image shrinks by `decay` of itself
    (the gradient of the penalty) and is cut to [0, 1].
    """
    images = start
    for _ in range(steps):
        downhill = steepest(input_gradient(network, images, targets), "l2")
        images = ((1 - decay) * images - length * downhill).clamp(0, 1)
    return images.detach()
