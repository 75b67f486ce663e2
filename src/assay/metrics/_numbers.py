"""What every metric refuses: values that are no numbers (NaN), in what it is given and in what it makes of it.

A comparison with NaN is false, so that scores without any meaning would pass for the best there are.
"""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import numpy as np
import torch

from assay.errors import EvidenceError

Metric = TypeVar("Metric", bound=Callable)


def numbers_only(metric: Metric) -> Metric:
    """The metric, with an EvidenceError where an array or number that it is given, or its result, is or holds NaN."""
    signature = inspect.signature(metric)

    @wraps(metric)
    def checked(*given: Any, **named: Any) -> Any:
        for name, value in signature.bind(*given, **named).arguments.items():
            refuse_nan(f"metric {metric.__name__}: {name}", value)
        result = metric(*given, **named)
        refuse_nan(f"metric {metric.__name__}: its result", result)
        return result

    return checked


def refuse_nan(what: str, value: Any) -> None:
    """EvidenceError if a number, array or tensor is or holds NaN; anything else passes."""
    if isinstance(value, float):
        lost, count = int(value != value), 1
    elif isinstance(value, np.ndarray | np.generic):
        lost, count = int((value != value).sum()), value.size
    elif isinstance(value, torch.Tensor):
        lost, count = int((value != value).sum()), value.numel()
    else:
        return
    if lost:
        raise EvidenceError(f"{what}: {lost} of {count} values are no numbers (NaN); look at the network or score they come from")
