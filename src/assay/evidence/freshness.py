"""Freshness: whether evidence is that of the study and the code as they are now."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay.evidence.tables import staleness

if TYPE_CHECKING:
    from assay.language.study import Study

FRESH, UNPROVEN, STALE = "fresh", "unproven", "stale"


@dataclass(frozen=True)
class Freshness:
    """One of the three words, and why it is not the first."""

    word: str
    reasons: tuple[str, ...] = ()


def freshness(study: "Study", provenance: dict) -> Freshness:
    """How evidence of this provenance stands to the study and the code."""
    reasons = tuple(staleness(study, provenance))
    return Freshness(STALE if reasons else FRESH, reasons)
