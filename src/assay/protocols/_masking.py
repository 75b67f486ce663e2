"""Whether gradients are masked: nothing that is blind to a network may fool it more often than an attack that sees it.

As asked in "Obfuscated Gradients Give a False Sense of Security", Athalye et al. 2018, section 3.1.
"""

import inspect
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from assay.attacks.random_direction import random_direction
from assay.attacks.random_sign import random_sign
from assay.data.batch import whole
from assay.errors import StudyError
from assay.measuring.arm import Arm
from assay.measuring.evaluate import batched, predict

NOISES = 10


def masking(arm: Arm, attack: Callable, images: Tensor, labels: Tensor, error: float, source: nn.Module | None = None) -> float:
    """How far the arm's error under a blind attack on images (B, C, H, W) is above its `error` under `attack`; 0 if it is not.

    The blind one is the attack made on `source`, or without a source the best, image by image, of ten noises of its size.
    """
    if source is not None:
        blind = predict(arm.network, arm.once(_made, attack, source, images, labels, "blind")).argmax(1) != labels
    else:
        noise = noise_like(attack)
        noises = (_made(arm, noise, arm.network, images, labels, f"noise {number}") for number in range(NOISES))
        blind = torch.stack([predict(arm.network, made).argmax(1) != labels for made in noises]).any(0)
    return max(0.0, float(blind.double().mean()) - error)


def _made(arm: Arm, method: Callable, maker: nn.Module, images: Tensor, labels: Tensor, name: str) -> Tensor:
    """What the method makes of the images once it has seen the maker."""
    return batched(partial(method, maker, generator=arm.generator(name)), whole(images), labels)


def noise_like(attack: Callable) -> Callable:
    """Noise of an attack's size and norm, cut to the range of images if the attack is. StudyError if it has no size."""
    given = {name: parameter.default for name, parameter in inspect.signature(attack).parameters.items()}
    if "eps" not in given:
        raise StudyError(f"attack {attack.func.__name__} has no size, so noise has none to match; give one with eps, such as pgd")
    noise = random_direction if given.get("norm") == "l2" else random_sign
    return partial(noise, eps=given["eps"], clip=given["clip"])
