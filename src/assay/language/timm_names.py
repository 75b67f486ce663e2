"""The names timm knows, and how photographs are read for their weights, so that a study is checked without importing timm, which
brings torch.

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
from typing import Annotated, Any

from pydantic import AfterValidator

from assay.errors import unknown
from assay.storage.files import write_atomic

REGISTERED = re.compile(r"^@register_model\s*\ndef (\w+)\(", re.MULTILINE)
PREFIX = re.compile(r"^(hf[-_]hub:)?(timm/)?")  # of the same names on the hub
QUESTION = """
from assay.training import shim
import json, timm
from timm.data import resolve_data_config
from timm.models import get_pretrained_cfg
names = sorted({*timm.list_models(), *timm.list_models(include_tags=True)})
print(json.dumps({name: resolve_data_config(pretrained_cfg=get_pretrained_cfg(name).to_dict()) for name in names}))
"""


@cache
def architectures() -> frozenset[str]:
    """Names of architectures; empty where timm is not installed."""
    package = importlib.util.find_spec("timm")
    if package is None:
        return frozenset()
    texts = (path.read_text(encoding="utf-8") for path in Path(package.origin).parent.glob("models/*.py"))
    return frozenset(name for text in texts for name in REGISTERED.findall(text))


def weights() -> frozenset[str]:
    """Names of weights as architecture.tag; empty where timm is not installed or cannot be imported."""
    return frozenset(name for name in configurations() if "." in name)


@cache
def configurations() -> dict[str, dict[str, Any]]:
    """timm's data configuration by name, of an architecture or of weights: the size, crop and interpolation of the images that
    it is evaluated on (`timm.data.resolve_model_data_config`); empty where timm is not installed or cannot be imported."""
    if not architectures():
        return {}
    import importlib.metadata  # which takes longer to import than a study to check

    path = _cache_folder() / f"timm-{importlib.metadata.version('timm')}-configurations.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        pass  # never asked, or half written
    asked = subprocess.run([sys.executable, "-c", QUESTION], capture_output=True, text=True, check=False)
    if asked.returncode:
        return {}
    with contextlib.suppress(OSError):  # a home that takes no files: asked again next time
        write_atomic(path, asked.stdout)
    return json.loads(asked.stdout)


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
