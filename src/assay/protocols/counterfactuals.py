"""A stress test by counterfactual test images: each test image with one factor changed, beside the image itself.

The measures of "LANCE: Stress-testing Visual Models by Generating Language-guided Counterfactual Images" (P190): the accuracy
lost to each kind of edit, and how sensitive each class is to it, by which biases of single classes are found. The paper's
images are made by a language model that rewrites captions and a diffusion model that edits photographs accordingly; here the
renderer changes the factor, so an edit is exact, and none has to be filtered out. That language finds the edits is not tested.
"""

from collections.abc import Callable, Iterator
from statistics import fmean
from typing import Annotated

import torch
from annotated_types import Ge, MinLen
from torch import Tensor

from assay.errors import StudyError
from assay.language.plugs import Plug
from assay.measuring.arm import Arm
from assay.measuring.evaluate import predict
from assay.protocols._pairs import correct, counterpart, named

METRICS = {
    "top1": "Test accuracy [0 to 1, higher is better]: share of test images as they are classified correctly",
    "drop": "Drop of accuracy [-1 to 1, lower is better]: top1 less the share of counterfactuals classified correctly, by edit"
    " (x) or mean over edits (no x)",
    "flips": "Answers flipped [0 to 1, lower is better]: share of images whose answer an edit changes, by edit (x)",
    "new_drop": "Drop on new images [-1 to 1, lower is better]: top1 less the share right of new images of the same labels and"
    " distribution",
    "class_drop": "Drop of a class [-1 to 1, lower is better]: drop under the first edit among the images of a class (x)",
    "planted_drop": "Smallest drop of classes asked about [-1 to 1, lower is better]: smallest class_drop of the classes asked"
    " about",
    "other_drop": "Largest drop of other classes [-1 to 1, lower is better]: largest class_drop of all other classes",
    "paired_deviation": "Deviation of pairs [0 to 1, lower is better]: deviation over images of right before less right after "
    "the first edit",
    "unpaired_deviation": "Deviation without pairs [0 to 1, lower is better]: the same deviation if the edited images were "
    "others than those they are compared with",
}
SHOWN = 6


def counterfactuals(
    arm: Arm,
    *,
    names: list[str],
    edits: list[Annotated[Callable, Plug("worlds")]],
    new: Annotated[Callable, Plug("worlds")],
    classes: Annotated[list[Annotated[int, Ge(0)]], MinLen(1)] = [0],  # noqa: B006
) -> Iterator[tuple]:
    """Measure an arm on its test images, on each edit of them, and on new images.

    names: one for each edit. edits: worlds whose test images are the arm's own but for one factor; classes' sensitivities are
    those to the first. new: a world with the arm's test labels and other images of the same distribution. classes: those asked
    about, by number. The number of images needed to see a drop goes with the square of the deviation. Keeps a few images, with
    all edits of each in order, as "images". Raises StudyError for images that are no counterparts, names that do not
    fit, and classes that are none of the world or all of them.
    """
    others = set(range(len(arm.world.classes))) - set(classes)
    if not others or max(classes) >= len(arm.world.classes):
        raise StudyError(
            f"protocol counterfactuals: classes {classes} of {len(arm.world.classes)}, counted from 0; name some of them, not all"
        )
    test = arm.world.test
    before = correct(arm, test)
    yield "top1", before.mean().item()
    answers = predict(arm.network, test.images).argmax(1)
    after, shown = {}, [test.images[:SHOWN]]
    for name, world in named("counterfactuals", names, edits).items():
        split = counterpart(arm, "counterfactuals", name, world)
        after[name] = correct(arm, split)
        shown.append(split.images[:SHOWN])
        yield "drop", name, (before - after[name]).mean().item()
        yield "flips", name, (predict(arm.network, split.images).argmax(1) != answers).double().mean().item()
    yield "drop", fmean((before - right).mean().item() for right in after.values())
    yield "new_drop", (before - correct(arm, counterpart(arm, "counterfactuals", "new", new))).mean().item()
    first = after[names[0]]
    drops = [(before - first)[test.labels == label].mean().item() for label in range(len(arm.world.classes))]
    for label, drop in zip(arm.world.classes, drops, strict=True):
        yield "class_drop", label, drop
    yield "planted_drop", min(drops[label] for label in classes)
    yield "other_drop", max(drops[label] for label in others)
    yield "paired_deviation", deviation(before - first)
    yield "unpaired_deviation", (deviation(before) ** 2 + deviation(first) ** 2) ** 0.5
    if arm.seed == 0:
        arm.keep("images", torch.stack(shown, 1).flatten(0, 1))


def deviation(values: Tensor) -> float:
    """Root of the mean square deviation from the mean."""
    return values.std(correction=0).item()
