"""What networks compute in, which belongs to the scale and not to the processor: float32, or bfloat16 autocast."""

import contextlib

import torch

FLOAT32, BFLOAT16 = "float32", "bfloat16"


def computing_in(precision: str, device: torch.device) -> contextlib.AbstractContextManager:
    """The context in which a training computes its losses."""
    return torch.autocast(device.type, torch.bfloat16) if precision == BFLOAT16 else contextlib.nullcontext()


def forbid_tf32() -> None:
    """Have float32 mean float32 on GPUs, whose convolutions otherwise round factors to TensorFloat-32: 10 bits instead of 23."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
