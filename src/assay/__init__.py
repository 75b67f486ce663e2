"""assay: an executable literature for computer vision."""

from importlib import import_module
from typing import Any

OFFERED = {"measure": "assay.scorecard.notebook", "observations": "assay.report.taking"}


def __getattr__(name: str) -> Any:
    """`assay.measure` and `assay.observations`, imported when they are asked for, since they need torch and pandas."""
    if name not in OFFERED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(OFFERED[name]), name)
