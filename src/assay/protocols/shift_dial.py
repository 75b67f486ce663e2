"""How accuracy falls while the test distribution is turned away from that of training, step by step.

The measure of "Control+Shift: Generating Controllable Distribution Shifts" (P236): accuracy over the intensity of the shift, and
its slope. The paper turns the support of a generative model's latent code; here the renderer's factors are the code: the test
range of each is moved away from its training range until the two no longer overlap, all together.
"""

from collections.abc import Callable, Iterator
from typing import Annotated

import torch
from annotated_types import MinLen

from assay.errors import StudyError
from assay.language.plugs import Plug
from assay.measuring.arm import Arm
from assay.protocols._pairs import correct, counterpart

METRICS = {
    "top1": "Test accuracy [0 to 1, higher is better]: share of the usual test images classified correctly",
    "accuracy": "Accuracy by intensity [0 to 1, higher is better]: share classified correctly by intensity of the shift (x)",
    "retained": "Accuracy retained [without shift is 1, higher is better]: accuracy as a share of that without a shift, by "
    "intensity (x)",
    "lost": "Accuracy lost [-1 to 1, lower is better]: accuracy without a shift less that at the strongest",
}
SHOWN = 6


def shift_dial(
    arm: Arm,
    *,
    intensities: Annotated[list[float], MinLen(2)],
    settings: Annotated[list[Annotated[Callable, Plug("worlds")]], MinLen(2)],
) -> Iterator[tuple]:
    """Measure an arm on test images at each setting of the dial, the first of which is no shift.

    settings: worlds with the arm's test labels, one for each intensity, a share of the training range by which test ranges are
    moved. retained is 0 where nothing is classified correctly without a shift. Keeps a few scenes at every setting as "images".
    Raises StudyError unless intensities rise from 0, one for each setting.
    """
    if len(intensities) != len(settings) or intensities[0] != 0 or intensities != sorted(set(intensities)):
        raise StudyError(
            f"protocol shift_dial: intensities {intensities} for {len(settings)} settings; give one for each, rising from 0"
        )
    splits = [counterpart(arm, "shift_dial", str(x), world) for x, world in zip(intensities, settings, strict=True)]
    accuracy = [correct(arm, split).mean().item() for split in splits]
    yield "top1", correct(arm, arm.world.test).mean().item()
    for x, value in zip(intensities, accuracy, strict=True):
        yield "accuracy", x, value
        yield "retained", x, value / accuracy[0] if accuracy[0] else 0.0
    yield "lost", accuracy[0] - accuracy[-1]
    if arm.seed == 0:
        arm.keep("images", torch.stack([split.images[:SHOWN] for split in splits], 1).flatten(0, 1))
