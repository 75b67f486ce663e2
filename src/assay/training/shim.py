"""Let timm be imported beside a torch whose torchvision was compiled for another device.

torchvision's wheel is built for CUDA. Beside a CPU-only torch its import fails, because the operators `torchvision::nms` and
`torchvision::qnms` are not registered. Declaring the two is enough: nothing here calls them. Obsolete once torchvision ships
a CPU wheel that registers them.
"""

import importlib.util

import torch

SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def declare_missing_operators() -> None:
    """Declare the operators unless torchvision's own extension brings them; safe to call twice."""
    if importlib.util.find_spec("torchvision") is None or torch.version.cuda is not None:
        return
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            torch.library.define(f"torchvision::{name}", SCHEMA)


declare_missing_operators()
