"""The names timm knows, read from its source: so a study is checked without importing timm, which brings torch."""

import importlib.util
import re
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from assay.errors import unknown

REGISTERED = re.compile(r"^@register_model\s*\ndef (\w+)\(", re.MULTILINE)
TAGGED = re.compile(r"""["'](\w+\.\w+)["']""")


@cache
def timm_names() -> frozenset[str]:
    """Names of architectures, and of their weights as name.tag; empty where timm is not installed."""
    package = importlib.util.find_spec("timm")
    if package is None:
        return frozenset()
    text = "\n".join(path.read_text(encoding="utf-8") for path in Path(package.origin).parent.glob("models/*.py"))
    architectures = set(REGISTERED.findall(text))
    return frozenset(architectures | {name for name in TAGGED.findall(text) if name.split(".")[0] in architectures})


def _check(name: str) -> str:
    if timm_names() and name not in timm_names():
        near = name.split(".")[0]
        alike = {known for known in timm_names() if known.split(".")[0] == near} or {n for n in timm_names() if "." not in n}
        raise ValueError(unknown("timm model", name, alike).partition(" (allowed: ")[0] + "; timm.list_models() has them all")
    return name


TimmName = Annotated[str, AfterValidator(_check)]
