"""Trained weights that a study names: whether they can be what they have to be, seen without reading them. No torch here."""

import re
from pathlib import Path

REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(@[\w./-]+)?")
WRITER = "safetensors.torch.save_file"
OTHER_FORMS = (
    ".pth",
    ".pt",
    ".bin",
    ".ckpt",
    ".pkl",
    ".pickle",
    ".h5",
    ".onnx",
    ".npz",
    ".npy",
    ".tar",
    ".zip",
    ".gz",
    ".msgpack",
)


def not_a_repository(named: str) -> str:
    """What is wrong with a name that is to be one of a repository of the hub; empty if nothing is."""
    if REPOSITORY.fullmatch(named) and not named.lower().endswith(OTHER_FORMS):
        return ""
    return f"is neither a .safetensors file nor a repository as owner/name; write other forms anew: {WRITER}"


def what_is_wrong(file: Path) -> str:
    """What is wrong with a local file of weights; empty if it has the form of one."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "numpy"):
            return ""
    except (OSError, SafetensorError) as error:
        return f"is no readable safetensors file ({error}); bring it again, or write it anew: {WRITER}"
