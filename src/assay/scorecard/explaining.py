"""How good maps of the model's reasons are: what erasing pixels in their order does, how stable they are, where they point."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from assay.errors import StudyError, in_a_line
from assay.measuring.evaluate import batched
from assay.scorecard.subject import Subject, plug
from assay.scorecard.values import Skipped, Value, mean

METRICS = {
    "insertion": "Insertion [0 to 1, higher is better]: area under the answer's probability as pixels come back, hottest first, "
    "by method (x)",
    "deletion": "Deletion [0 to 1, lower is better]: area under the answer's probability as pixels go, by method (x)",
    "stability": "Stability [-1 to 1, higher is better]: rank correlation of a map with that of the image under slight noise, by "
    "method (x)",
    "pointing": "Pointing game [0 to 1, higher is better]: share of images whose hottest pixel lies on the object, by method (x)",
}
PATH = 16  # images that integrated gradients shows the model at once for each one explained
METHODS: dict[str, dict] = {
    "gradient": {},
    "gradient_x_input": {},
    "integrated_gradients": {"steps": PATH},
    "grad_cam": {},
    "random_map": {},  # the floor
}
STEPS = 8  # portions in which pixels are erased
NOISE = 0.02  # standard deviation, in the [0, 1] pixel range
SHOWN = 6  # images whose maps are kept


def attributions(subject: Subject) -> Iterator[Value | Skipped]:
    """Maps of the model's own answers by every method that works on it."""
    images, answers = subject.images, subject.logits.argmax(1)
    noise = torch.randn(images.shape, generator=subject.generator("stability"), device=subject.device)
    moved, mask = (images + NOISE * noise).clamp(0, 1), subject.factor("mask")
    if mask is None:
        yield Skipped("pointing", "the data have no masks of objects; worlds such as shapes have")
    for name, given in METHODS.items():
        method = plug(f"attributions/{name}", **given)
        try:
            at_once = max(1, subject.network.batch // given.get("steps", 1))
            heat, again = (_heat(subject, method, shown, answers, at_once) for shown in (images, moved))
        except (StudyError, RuntimeError) as error:
            yield Skipped("insertion", f"{name}: {in_a_line(error)}")
            continue
        yield from _faithful(subject, name, images, answers, heat)
        yield mean("stability", plug("metrics/rank_correlation")(heat.numpy(force=True), again.numpy(force=True)), name)
        if mask is not None:
            point = plug("metrics/pointing")
            yield mean("pointing", np.array([point(heat[[row]], mask[[row]]) for row in range(len(heat))]), name)
        subject.pictures[f"map {name}"] = heat[:SHOWN].numpy(force=True)


def _heat(subject: Subject, method: Callable, images: Tensor, answers: Tensor, at_once: int) -> Tensor:
    """(N, H, W), not negative: absolute values summed over channels of a map of each channel, positive ones of a map of one."""
    maps = batched(lambda *part: method(subject.network, *part), images, answers, size=at_once).detach()
    return maps.clamp(min=0).sum(1) if maps.shape[1] == 1 else maps.abs().sum(1)


def _faithful(subject: Subject, name: str, images: Tensor, answers: Tensor, heat: Tensor) -> Iterator[Value]:
    network = nn.Sequential(subject.network)  # metrics take what has a shape for an array
    for metric in ("insertion", "deletion"):
        measure = plug(f"metrics/{metric}", steps=STEPS)
        parts = zip(images.split(1), answers.split(1), heat[:, None].split(1), strict=True)
        yield mean(metric, np.array([measure(network, *part) for part in parts]), name)
