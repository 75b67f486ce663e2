"""Test sets that are the arm's own but for a factor: drawn at the same repetition, image by image the same scene."""

from collections.abc import Callable

import torch
from torch import Tensor

from assay.data.batch import TensorSplit
from assay.errors import StudyError
from assay.measuring.arm import Arm
from assay.measuring.evaluate import predict


def named(protocol: str, names: list[str], worlds: list[Callable]) -> dict[str, Callable]:
    """Worlds by name; StudyError unless there is one name for each, none twice."""
    if len(set(names)) != len(worlds) or len(names) != len(worlds):
        raise StudyError(f"protocol {protocol}: {len(names)} names for {len(worlds)} worlds; give each world a name of its own")
    return dict(zip(names, worlds, strict=True))


def counterpart(arm: Arm, protocol: str, name: str, world: Callable) -> TensorSplit:
    """The test split of a world at the arm's draw; StudyError if its labels are not the arm's own."""
    edited = arm.make(world).test
    if not torch.equal(edited.labels, arm.world.test.labels):
        raise StudyError(
            f"protocol {protocol}: the test labels of '{name}' differ from those of arm '{arm.name}', so images are not pairs;"
            " give it the arm's world with another value of one parameter"
        )
    return edited


def correct(arm: Arm, split: TensorSplit) -> Tensor:
    """(N,) 1.0 where the arm's network gives an image its label, else 0.0."""
    return (predict(arm.network, split.images).argmax(1) == split.labels).double()
