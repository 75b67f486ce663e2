"""How much accuracy a network loses when one attribute of every test image is edited: background, size, position or direction.

The measure of "ImageNet-E: Benchmarking Neural Network Robustness via Attribute Editing" (P282): top-1 accuracy on the images as
they are less that on the edited ones, edit by edit, by attribute, and averaged over all edits. The paper edits photographs by a
diffusion model; here the scene is rendered again with one parameter changed, so that nothing else moves. Its edit of the
background against the network (by gradient) is left out.
"""

from collections.abc import Callable, Iterator
from statistics import fmean
from typing import Annotated

import torch

from assay.language.plugs import Plug
from assay.measuring.arm import Arm
from assay.protocols._pairs import correct, counterpart, named

METRICS = {
    "top1": "Test accuracy [0 to 1, higher is better]: share of test images as they are classified correctly",
    "drop": "Drop of accuracy [-1 to 1, lower is better]: top1 less the share of edited images classified correctly, by edit "
    "(x) or mean over edits (no x)",
    "attribute_drop": "Drop by attribute [-1 to 1, lower is better]: mean drop over the edits of an attribute (x)",
}
SHOWN = 6


def edited(arm: Arm, *, names: list[str], edits: list[Annotated[Callable, Plug("worlds")]]) -> Iterator[tuple]:
    """Measure an arm on its test images and on each edit of them.

    names: one for each edit, its attribute first, as in "size 1/2". edits: worlds whose test images are the arm's own but for
    the attribute. Keeps a few images, with all edits of each in order, as "images". Raises StudyError for test images that are
    no counterparts and for names that do not fit.
    """
    test = arm.world.test
    plain = correct(arm, test).mean().item()
    yield "top1", plain
    drops, shown = {}, [test.images[:SHOWN]]
    for name, world in named("edited", names, edits).items():
        split = counterpart(arm, "edited", name, world)
        drops[name] = plain - correct(arm, split).mean().item()
        shown.append(split.images[:SHOWN])
        yield "drop", name, drops[name]
    yield "drop", fmean(drops.values())
    for attribute in dict.fromkeys(name.split()[0] for name in drops):
        yield "attribute_drop", attribute, fmean(drop for name, drop in drops.items() if name.split()[0] == attribute)
    if arm.seed == 0:
        arm.keep("images", torch.stack(shown, 1).flatten(0, 1))
