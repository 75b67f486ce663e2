"""Robustness to common corruptions and to slow perturbations, as multiples of a reference network's errors and flips.

The measures of "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (P095): mean corruption error and
relative mean corruption error on corrupted test images (ImageNet-C), flip probability and mean flip rate on films of
perturbed ones (ImageNet-P, corruptions/_sequences.py). The first two, with one strength for each corruption, are also those of
"MNIST-C: A Robustness Benchmark for Computer Vision" (P090), which sets them beside accuracy under attack. Ratios to the
reference are shares here (1: as the reference) and percents in the papers; those whose denominator rests on a few images or flips
of the reference can be left out. Not here: the paper's top-5 distance.
"""

from collections.abc import Callable, Iterator
from typing import Annotated, Literal, NamedTuple

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

from assay.corruptions._imagenet_c import IMAGENET_C
from assay.corruptions._sequences import SEQUENCES, UNORDERED
from assay.data.batch import TensorSplit, whole
from assay.errors import StudyError
from assay.language.plugs import Parent, Plug
from assay.measuring.arm import Arm
from assay.measuring.evaluate import batched, predict
from assay.metrics.flip_probability import flip_probability
from assay.metrics.mce import mce
from assay.metrics.relative_mce import relative_mce
from assay.metrics.top1 import top1
from assay.protocols._corrupted import error, errors_under
from assay.protocols._masking import masking
from assay.training.network import Trained

METRICS = {
    "top1": "Test accuracy [0 to 1, higher is better]: share of clean test images classified correctly",
    "corrupted_error": "Corrupted error [0 to 1, lower is better]: error on corrupted test images, mean over corruptions and "
    "severities, not normalised",
    "error": "Error by corruption [0 to 1, lower is better]: the same by corruption (x), mean over severities",
    "mce": "Mean corruption error [reference is 1, lower is better]: corrupted error as a multiple of the reference network's,"
    " corruption by corruption, their mean; the reference has 1",
    "relative_mce": "Relative mean corruption error [reference is 1, lower is better]: what corruption adds to the clean error"
    " as a multiple of what it adds to the reference's, likewise",
    "ratios": "Ratios that count [count, neither is better]: corruptions or perturbations whose ratio rests on enough of the "
    "reference to count, by the mean's name (x)",
    "flip_probability": "Flip probability [0 to 1, lower is better]: chance that the answer changes from frame to frame of a "
    "film, by perturbation (x) or their mean",
    "mfr": "Mean flip rate [reference is 1, lower is better]: flip probability as a multiple of the reference network's, "
    "perturbation by perturbation, their mean",
    "adversarial": "Accuracy under attack [0 to 1, higher is better]: share of attacked test images classified correctly",
    "masking": "Sign of masked gradients [0 to 1, lower is better]: error under the attack made on the reference, above that "
    "under the attack on the network itself; or 0",
}


def common_corruptions(
    arm: Arm,
    *,
    reference: Annotated[Trained, Parent()],
    corruptions: list[Annotated[Callable, Plug("corruptions")]] = IMAGENET_C,
    severities: list[Annotated[int, Ge(1), Le(5)]] | dict[str, Annotated[int, Ge(1), Le(5)]] = (1, 2, 3, 4, 5),
    images: Annotated[int, Ge(1)] | None = None,
    perturbations: list[
        Literal[
            "gaussian_noise",
            "shot_noise",
            "motion_blur",
            "zoom_blur",
            "snow",
            "brightness",
            "translate",
            "rotate",
            "tilt",
            "scale",
        ]
    ] = (),
    frames: Annotated[int, Ge(2)] = 16,
    films: Annotated[int, Ge(1)] = 64,
    at_least: Annotated[int, Ge(1)] | None = None,
    attack: Annotated[Callable, Plug("attacks")] | None = None,
) -> Iterator[tuple]:
    """Measure an arm beside the reference network, on the same corrupted images.

    severities: for all corruptions, or one for each by name. images: how many test images are corrupted, None for all of them.
    perturbations: films to show, of `frames` frames, each of the first `films` test images. at_least: images that the reference
    must err on (mce), must lose to a corruption (relative_mce), and flips it must have (mfr), all severities or frames together,
    for a ratio to count; where none does, "ratios" says so and the mean is the one ratio that rests on most. None counts all, and
    takes a reference that has none to have one. attack: made on all test images.
    """
    test = arm.world.test
    yield "top1", top1(predict(arm.network, test.images), test.labels)
    yield from _corrupted(arm, reference.network, (test, corruptions, severities, images), at_least)
    if perturbations:
        yield from _perturbed(arm, reference.network, (test, perturbations, frames, films), at_least)
    if attack is not None:
        right = _attacked(arm, attack, test)
        yield "adversarial", right
        yield "masking", masking(arm, attack, test.images, test.labels, 1 - right, reference.network)


def _corrupted(arm: Arm, reference: nn.Module, shown: tuple, at_least: int | None) -> Iterator[tuple]:
    names, own, own_clean = _errors(arm, arm.network, *shown)
    _, errors, clean = arm.once(_errors, reference, *shown)
    for name, found in zip(names, own, strict=True):
        yield "error", name, sum(found) / len(found)
    own, errors = torch.tensor(own).double(), torch.tensor(errors).double()
    test, _, _, images = shown
    count = len(test.labels[:images])
    one_image = 1 / count  # the least a reference can be said to have lost
    yield "corrupted_error", own.mean().item()
    erred, lost = (_counting(count * seen.sum(1), at_least) for seen in (errors, errors - clean))
    if at_least is not None:
        yield "ratios", "mce", len(erred.enough)
        yield "ratios", "relative_mce", len(lost.enough)
    yield "mce", mce(own[erred.taken], errors[erred.taken], least=one_image)
    yield "relative_mce", relative_mce(own[lost.taken], own_clean, errors[lost.taken], clean, least=one_image)


class _Counting(NamedTuple):
    """Places of the ratios that rest on enough of the reference, and of those that a mean is taken over."""

    enough: list[int]
    taken: list[int]


def _counting(counts: Tensor, at_least: int | None) -> _Counting:
    """Of ratios with so many images or flips of the reference below them, counts (R,), whole up to rounding."""
    enough = [place for place, count in enumerate(counts.round().tolist()) if at_least is None or count >= at_least]
    return _Counting(enough, enough or [int(counts.argmax())])


def _errors(
    arm: Arm,
    network: nn.Module,
    test: TensorSplit,
    corruptions: list[Callable],
    severities: list[int] | dict[str, int],
    images: int | None,
) -> tuple[list[str], list[list[float]], float]:
    """Names of the corruptions, the network's errors at each severity of each, and its error on clean images."""
    clean, labels = test.images[:images], test.labels[:images]
    names = [corruption.func.__name__ for corruption in corruptions]
    errors = [
        errors_under(arm, network, corruption, clean, labels, _levels(severities, name))
        for name, corruption in zip(names, corruptions, strict=True)
    ]
    return names, errors, error(network, clean, labels)


def _levels(severities: list[int] | dict[str, int], corruption: str) -> list[int]:
    if not isinstance(severities, dict):
        return list(severities)
    if corruption not in severities:
        raise StudyError(
            f"protocol common_corruptions: severities: none for {corruption}, only for {', '.join(severities)}; give it one"
        )
    return [severities[corruption]]


def _perturbed(arm: Arm, reference: nn.Module, shown: tuple, at_least: int | None) -> Iterator[tuple]:
    test, _, frames, films = shown
    steps = len(test.labels[:films]) * (frames - 1)
    one_flip = 1 / steps  # what a network that never flips is taken to have
    own, flips = _flips(arm, arm.network, *shown), arm.once(_flips, reference, *shown)
    for name, found in own.items():
        yield "flip_probability", name, found
    yield "flip_probability", sum(own.values()) / len(own)
    counting = _counting(steps * torch.tensor(list(flips.values())).double(), at_least)
    if at_least is not None:
        yield "ratios", "mfr", len(counting.enough)
    kept = [list(own)[place] for place in counting.taken]
    yield "mfr", sum(max(own[name], one_flip) / max(flips[name], one_flip) for name in kept) / len(kept)


def _flips(
    arm: Arm, network: nn.Module, test: TensorSplit, perturbations: list[str], frames: int, films: int
) -> dict[str, float]:
    """The network's flip probability in the films of each perturbation."""
    images, found = test.images[:films], {}
    for name in perturbations:
        shown = SEQUENCES[name](images, frames, arm.generator("film", name)).flatten(0, 1)
        answers = predict(network, shown).argmax(1).unflatten(0, (frames, -1))
        found[name] = flip_probability(answers, against="first" if name in UNORDERED else "previous")
    return found


def _attacked(arm: Arm, attack: Callable, test: TensorSplit) -> float:
    generator = arm.generator("attack")

    def answer(images: Tensor, labels: Tensor) -> Tensor:
        return predict(arm.network, attack(arm.network, images, labels, generator))

    return top1(batched(answer, whole(test.images), test.labels), test.labels)
