"""Studies that are as different as the committed ones, and no more of them than that takes."""

from functools import cache

from assay.language.studies import load_studies
from assay.language.study import Study
from assay.pipeline.canaries import SCALE, cover


@cache
def various() -> dict[str, Study]:
    """The studies, at the scale ci, that together use every plug, parameter and field that any committed study uses. What holds
    of these holds of a thousand that say the same again."""
    studies = load_studies(SCALE)
    return {name: studies[name] for name in cover(studies)}
