"""The names timm knows, so that a study is checked without importing timm, which brings torch.

Architectures are read from timm's source. Names of weights (`resnet50.a1_in1k`) are partly made in loops there, so timm itself
is asked in a process of its own, once for each version: the answer is kept in the user's cache.
"""

import contextlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from assay.errors import unknown
from assay.storage.files import write_atomic

REGISTERED = re.compile(r"^@register_model\s*\ndef (\w+)\(", re.MULTILINE)
PREFIX = re.compile(r"^(hf[-_]hub:)?(timm/)?")  # of the same names on the hub
QUESTION = """
from assay.training import shim
import json, timm
print(json.dumps(sorted(timm.list_models(include_tags=True))))
"""


@cache
def architectures() -> frozenset[str]:
    """Names of architectures; empty where timm is not installed."""
    package = importlib.util.find_spec("timm")
    if package is None:
        return frozenset()
    texts = (path.read_text(encoding="utf-8") for path in Path(package.origin).parent.glob("models/*.py"))
    return frozenset(name for text in texts for name in REGISTERED.findall(text))


@cache
def weights() -> frozenset[str]:
    """Names of weights as architecture.tag; empty where timm is not installed or cannot be imported."""
    if not architectures():
        return frozenset()
    import importlib.metadata  # which takes longer to import than a study to check

    path = _cache_folder() / f"timm-{importlib.metadata.version('timm')}.json"
    try:
        return frozenset(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        pass  # never asked, or half written
    asked = subprocess.run([sys.executable, "-c", QUESTION], capture_output=True, text=True, check=False)
    if asked.returncode:
        return frozenset()
    with contextlib.suppress(OSError):  # a home that takes no files: asked again next time
        write_atomic(path, asked.stdout)
    return frozenset(json.loads(asked.stdout))


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "assay"


def _check(name: str) -> str:
    if not architectures() or name in architectures():
        return name
    plain = PREFIX.sub("", name)
    known = weights() if "." in plain else frozenset()
    if name in known or ("." in plain and not known and plain == name):
        return name
    if plain in architectures() | known:
        raise ValueError(f"'{name}' is a name on the hub; timm's own is '{plain}'")
    near = {tagged for tagged in known if tagged.split(".")[0] == plain.split(".")[0]} or architectures()
    raise ValueError(unknown("timm model", name, near).partition(" (allowed: ")[0] + "; timm.list_models() has them all")


TimmName = Annotated[str, AfterValidator(_check)]
