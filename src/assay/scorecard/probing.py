"""A first look at a model: whether it can be measured at all, what its passes cost, and how much memory they take."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from assay.errors import StudyError, in_a_line
from assay.scorecard.loading import Loaded

PROBED = 2  # images
TRIES = 3
BATCH = 32  # images at once, where memory has room for them
SHARE = 0.5  # of the memory that is free, for what a pass leaves behind
LIBRARIES = 600 * 2**20  # bytes of a job before it loads anything


@dataclass(frozen=True)
class Probe:
    """outputs: logits an image. forward, backward: core seconds an image for a pass without gradients, and with them and back.
    kept: bytes an image of all activations. weights: bytes. parameters: how many. macs: multiply-accumulates an image.
    differentiable: whether gradients of the logits reach the image."""

    outputs: int
    forward: float
    backward: float
    kept: int
    weights: int
    parameters: int
    macs: int
    differentiable: bool = True

    def batch(self, free: int) -> int:
        """Images at once, a power of two of at most BATCH; 0 where not even one has room."""
        sizes = (2**power for power in range(BATCH.bit_length() - 1, -1, -1))
        return next((size for size in sizes if self.memory(size) <= SHARE * free), 0)

    def memory(self, batch: int) -> int:
        """Bytes of a process that attacks so many images at once."""
        return LIBRARIES + 2 * self.weights + batch * self.kept

    @property
    def counted(self) -> dict[str, int]:
        """What groups are told of a model: what it costs, wherever it runs, and whether it has gradients."""
        costs = {"parameters": self.parameters, "macs": self.macs, "activations": self.kept, "weights": self.weights}
        return {**costs, "differentiable": self.differentiable}


def probe(loaded: Loaded, shape: tuple[int, int, int]) -> Probe:
    """Show a model two images of noise (C, H, W). StudyError where it cannot take them, or gives no row of numbers for each."""
    model, images = loaded.model, noise(loaded, shape)
    sizes: list[int] = []
    with _sizes_of_outputs(model, sizes), torch.no_grad():
        logits = _shown(loaded, images)
    _check(loaded, logits, images)
    parameters = list(model.parameters())
    weights = sum(tensor.numel() * tensor.element_size() for tensor in (*parameters, *model.buffers()))
    image = images.numel() * images.element_size()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(images[:1].clone())
    forward, backward = _seconds(model, images)
    return Probe(
        outputs=logits.shape[1],
        forward=forward,
        backward=backward or forward,
        kept=(image + sum(sizes)) // PROBED,
        weights=weights,
        parameters=sum(tensor.numel() for tensor in parameters),
        macs=counter.get_total_flops() // 2,
        differentiable=backward is not None,
    )


def noise(loaded: Loaded, shape: tuple[int, int, int]) -> Tensor:
    """(PROBED, C, H, W) images of uniform noise, normalised as the model wants it."""
    images = torch.rand(PROBED, *shape, generator=torch.Generator().manual_seed(0))
    mean, std = (torch.tensor(values).reshape(1, -1, 1, 1) for values in (loaded.preparation.mean, loaded.preparation.std))
    return (images - mean) / std


def _shown(loaded: Loaded, images: Tensor):
    try:
        return loaded.model(images.clone())  # some models change what they are given
    except (MemoryError, torch.OutOfMemoryError):
        raise StudyError(f"model {loaded.name}: {PROBED} images take more memory than there is; use a larger machine") from None
    except Exception as error:  # somebody else's code
        shape = tuple(images.shape[1:])
        raise StudyError(
            f"model {loaded.name}: cannot take images of {shape} ({in_a_line(error)}); set --size, or --channels"
        ) from None


def _check(loaded: Loaded, logits, images: Tensor) -> None:
    if not isinstance(logits, Tensor):
        raise StudyError(f"model {loaded.name}: gives a {type(logits).__name__}; wrap it so that it returns its logits alone")
    if logits.ndim != 2 or len(logits) != len(images):
        raise StudyError(
            f"model {loaded.name}: gives {tuple(logits.shape)} for {len(images)} images: feature maps, not logits; give it a"
            " classifier"
        )
    if logits.isnan().any():
        raise StudyError(f"model {loaded.name}: gives logits that are NaN for images of noise; look at its weights")
    if logits.shape[1] < 2:
        raise StudyError(f"model {loaded.name}: gives one logit an image; a classifier has one for each of two classes or more")
    again = _shown(loaded, images)
    if not torch.allclose(again, logits, rtol=1e-3, atol=1e-4):
        raise StudyError(f"model {loaded.name}: answers the same images differently each time; take the randomness out of it")


@contextmanager
def _sizes_of_outputs(model: nn.Module, sizes: list[int]) -> Iterator[None]:
    """Collect the bytes that each module without children gives."""

    def note(module: nn.Module, inputs: tuple, output) -> None:
        if isinstance(output, Tensor):
            sizes.append(output.numel() * output.element_size())

    leaves = [
        module for module in model.modules() if not any(module.children()) and not isinstance(module, torch.jit.ScriptModule)
    ]
    handles = [module.register_forward_hook(note) for module in leaves]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _seconds(model: nn.Module, images: Tensor) -> tuple[float, float | None]:
    """Core seconds an image, forward alone, and forward with gradients and back to the image, None where they do not get there;
    the least of a few tries, since the first ones prepare what later ones use."""

    def forward() -> None:
        with torch.no_grad():
            model(images.clone())

    def back() -> None:
        given = images.clone().requires_grad_(True)
        torch.autograd.grad(model(given * 1).square().sum(), given)

    try:
        return _least(forward) / PROBED, _least(back) / PROBED
    except RuntimeError:  # PyTorch's for what does not depend on the image in a way that has a gradient
        return _least(forward) / PROBED, None


def _least(work: Callable[[], None]) -> float:
    """Core seconds, whatever else the machine does."""
    seconds = []
    for _ in range(TRIES):
        begun = time.process_time()
        work()
        seconds.append(time.process_time() - begun)
    return min(seconds)


def free_memory() -> int:
    """Bytes that a new process can have, as the kernel estimates it."""
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return int(lines["MemAvailable"].split()[0]) * 1024


def batch_within(loaded: Loaded, found: Probe, free: int) -> int:
    """Images that the model can be shown at once. StudyError where there is no room for one."""
    batch = found.batch(free)
    if batch == 0:
        raise StudyError(
            f"model {loaded.name}: one image with gradients needs {found.memory(1) / 2**30:.1f} GiB and"
            f" {free / 2**30:.1f} GiB are free, of which it may take {SHARE:.0%}; use a larger machine or --size"
        )
    return batch
