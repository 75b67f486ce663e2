"""assay: an executable literature for computer vision."""

from typing import Any


def __getattr__(name: str) -> Any:
    """`assay.measure`, imported when it is asked for, since it needs torch."""
    if name != "measure":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from assay.scorecard.notebook import measure

    return measure
