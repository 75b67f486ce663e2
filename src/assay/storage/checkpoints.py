"""Checkpoints: the state of an unfinished training, numbers and tensors in one file that is whole or refused and runs no code.

The file is the SHA-256 of what follows, then safetensors; nesting and plain values stand as JSON in its header.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from assay.errors import EvidenceError, TrainingError
from assay.storage.files import write_atomic

DIGEST_LENGTH = 64
# What reading a file that someone else wrote may raise after its digest was found right.
UNREADABLE = (SafetensorError, ValueError, KeyError, IndexError, TypeError, AttributeError, RuntimeError, RecursionError)


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write nested dicts, lists and tuples of tensors, numbers, texts and None; TrainingError if there is anything else."""
    tensors: list[Tensor] = []
    structure = json.dumps(_packed(state, tensors))
    content = safetensors.torch.save({str(number): each for number, each in enumerate(tensors)}, {"state": structure})
    write_atomic(path, hashlib.sha256(content).hexdigest().encode() + content)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What `write_checkpoint` was given, tensors on the CPU; EvidenceError if the file is truncated, altered or another's."""
    content = path.read_bytes()
    digest, content = content[:DIGEST_LENGTH], content[DIGEST_LENGTH:]
    if hashlib.sha256(content).hexdigest().encode() != digest:
        raise EvidenceError(f"{path}: truncated, altered or not a checkpoint")
    try:
        length = int.from_bytes(content[:8], "little")
        structure = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["state"])
        return _unpacked(structure, safetensors.torch.load(content))
    except UNREADABLE as error:
        raise EvidenceError(f"{path}: not a checkpoint ({type(error).__name__}: {error})") from None


def _packed(value: Any, tensors: list[Tensor]) -> Any:
    if isinstance(value, Tensor):
        # The memory layout is kept: with it go the last bits of some sums.
        order = sorted(range(value.ndim), key=lambda axis: -value.stride(axis))
        tensors.append(value.detach().permute(order).cpu().clone(memory_format=torch.contiguous_format))
        return {"tensor": len(tensors) - 1, "order": order}
    if isinstance(value, dict):
        return {"dict": [[key, _packed(item, tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return {type(value).__name__: [_packed(item, tensors) for item in value]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TrainingError(f"the state of a training holds a {type(value).__name__}; keep tensors and plain numbers in it")


def _unpacked(value: Any, tensors: dict[str, Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        stored, order = tensors[str(value["tensor"])], value["order"]
        return stored.permute(sorted(range(len(order)), key=order.__getitem__))
    [(kind, items)] = value.items()
    if kind == "dict":
        return {key: _unpacked(item, tensors) for key, item in items}
    return {"list": list, "tuple": tuple}[kind](_unpacked(item, tensors) for item in items)
