"""Accuracy of an averaged network, of an ensemble and of single networks, on own and on shifted test images.

The measures of "Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing inference
time" (P308): accuracy in distribution, accuracy averaged over shifted test sets (here corruptions), the logit ensemble as
reference, and the straight path between two networks, along which a soup of two is the middle.
"""

from collections.abc import Callable, Iterator
from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Ge, Le

from assay.errors import StudyError
from assay.language.plugs import Parent, Plug
from assay.measuring.arm import Arm
from assay.measuring.evaluate import predict
from assay.metrics.top1 import top1
from assay.protocols._corrupted import corrupted_images
from assay.surgery._averaging import soup
from assay.training.network import Trained

METRICS = {
    "top1": "Test accuracy [0 to 1, higher is better]: share of test images classified correctly",
    "loss": "Test loss [nats, lower is better]: mean cross-entropy on test images",
    "shifted": "Corrupted accuracy [0 to 1, higher is better]: share of corrupted test images classified correctly, mean over "
    "corruptions",
    "single": "Accuracy of single networks [0 to 1, higher is better]: mean over the pool of a single network's top1",
    "single_shifted": "Corrupted accuracy of single networks [0 to 1, higher is better]: mean over the pool of a single "
    "network's accuracy on corrupted images",
    "path": "Accuracy along the path [0 to 1, higher is better]: share of test images classified correctly at x of the way "
    "from the first network of the path to the second",
}
PATH_STEPS = 5


def soups(
    arm: Arm,
    *,
    pool: list[Annotated[Trained, Parent()]] = [],  # noqa: B006  (read, never altered)
    path: list[Annotated[Trained, Parent()]] = [],  # noqa: B006
    corruptions: list[Annotated[Callable, Plug("corruptions")]] = ("gaussian_noise", "defocus_blur", "fog"),
    severity: Annotated[int, Ge(1), Le(5)] = 3,
    images: Annotated[int, Ge(1)] = 512,
) -> Iterator[tuple]:
    """Measure the arm's network or, if a pool is given, the mean of its logits instead.

    path: two networks to walk between. images: how many test images are corrupted.
    """
    if len(path) not in (0, 2):
        raise StudyError(f"protocol soups: path names {len(path)} networks (allowed: none or 2); name both ends")
    test = arm.world.test
    networks = [member.network for member in pool] or [arm.network]
    shifted = [corrupted_images(arm, corruption, test.images[:images], severity) for corruption in corruptions]
    clean = torch.stack([predict(network, test.images) for network in networks])
    corrupted = [torch.stack([predict(network, changed) for network in networks]) for changed in shifted]
    yield "top1", top1(clean.mean(0), test.labels)
    yield "loss", F.cross_entropy(clean.mean(0), test.labels).item()
    yield "shifted", _mean(top1(logits.mean(0), test.labels[:images]) for logits in corrupted)
    if pool:
        yield "single", _mean(top1(own, test.labels) for own in clean)
        yield "single_shifted", _mean(top1(own, test.labels[:images]) for logits in corrupted for own in logits)
    if path:
        yield from _walk(arm, *(end.network for end in path))


def _walk(arm: Arm, first: torch.nn.Module, second: torch.nn.Module) -> Iterator[tuple[str, float, float]]:
    for step in torch.linspace(0, 1, PATH_STEPS).tolist():
        between = soup([first, second], arm.world.train.images, [1 - step, step])
        yield "path", step, top1(predict(between, arm.world.test.images), arm.world.test.labels)


def _mean(values: Iterator[float]) -> float:
    found = list(values)
    return sum(found) / len(found)
