"""Trained weights that a study names: whether they can be what they have to be, seen without reading them. No torch here."""

import re
from pathlib import Path

from assay.errors import StudyError, quoted
from assay.language.plugs import weights_file

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


def check_weights(named: str) -> None:
    """StudyError for a file that is not there or has not the form of one of weights, and for what can be no name of a repository
    of the hub."""
    file = weights_file(named)
    if file is None:
        if not REPOSITORY.fullmatch(named) or named.lower().endswith(OTHER_FORMS):
            neither = "is neither a .safetensors file nor a repository as owner/name"
            raise StudyError(f"{quoted(named)} {neither}; write other forms anew: {WRITER}")
    elif not file.is_file():
        raise StudyError(f"'{named}' is no file; bring the .safetensors file there, or name a repository as owner/name")
    else:
        _check_form(named, file)


def _check_form(named: str, file: Path) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "numpy"):
            pass
    except (OSError, SafetensorError) as error:
        again = f"bring it again, or write it anew: {WRITER}"
        raise StudyError(f"'{named}' is no readable safetensors file ({error}); {again}") from None
