"""Which images models take: the process that builds them, started by assay.pipeline.fitting, which keeps what it finds.

It reads questions as JSON, each a model in canonical form with channels and pixels a side, and writes an answer to each: null for
a model that takes such images, or of which nothing is known; else what it says to them, and the next size that it takes.
"""

import json
import sys
from typing import Any

import torch
from torch import nn

from assay.errors import StudyError
from assay.training.binding import bind
from assay.training.setting import no_parents

CLASSES, BATCH = 10, 2
LARGER = (64, 128, 256, 512)


def answer(model: dict, channels: int, size: int) -> dict[str, Any] | None:
    """What a model says to images of this size, if it does not take them though it takes larger ones, or cannot be built.

    It is asked without memory for its weights, and nothing is computed. Only what fails like that is tried in earnest.
    """
    failure = _failure(model, channels, size)
    if isinstance(failure, StudyError):
        return {"said": str(failure), "takes": None}
    takes = failure and _next(model, channels, size)
    if takes:
        failure = _failure(model, channels, size, "cpu")
    elif failure:  # a model that is built may have inputs of its own
        failure = _failure(model, channels, size, "cpu", asked=False)
    return failure and {"said": " ".join(str(failure).split()) or type(failure).__name__, "takes": takes}


def _failure(model: dict, channels: int, size: int, device: str = "meta", asked: bool = True) -> Exception | None:
    """What building a model ends with, or its first step, if it is asked for one."""
    try:
        with torch.device(device), torch.no_grad():
            network: nn.Module = bind(model, no_parents)(channels, CLASSES, size)
            if asked and not getattr(network, "takes_latents", False):
                network(torch.zeros(BATCH, channels, size, size))
    except Exception as error:
        return error
    return None


def _next(model: dict, channels: int, size: int) -> int | None:
    """A size that works where none between it and this one was seen to, the smallest if all larger ones work."""
    works = next((larger for larger in LARGER if larger > size and not _failure(model, channels, larger)), None)
    fails = size
    while works and works - fails > 1:
        middle = (fails + works) // 2
        fails, works = (middle, works) if _failure(model, channels, middle) else (fails, middle)
    return works


if __name__ == "__main__":
    json.dump([answer(*question) for question in json.load(sys.stdin)], sys.stdout)
