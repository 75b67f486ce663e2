"""Whether evidence still belongs to its study: what is measured, what it is computed with, and the files that are read."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

from assay.data.seeds import ROOT_NAME
from assay.evidence.tables import study_code
from assay.language.draws import JUDGED, made_under
from assay.provenance import proofs
from assay.provenance.fingerprints import TOGETHER

if TYPE_CHECKING:
    from assay.language.study import Study

FRESH, UNPROVEN, STALE = "fresh", "unproven", "stale"


@dataclass(frozen=True)
class Freshness:
    """How evidence stands to its study.

    fresh: made with today's study and code, up to changes proven to change no number. unproven: the code changed, and nothing is
    known of what that does. stale: the study, its judged text, the root name of all seeds, a file it reads or how many
    repetitions are trained together changed, or canaries show that the code computes other numbers.
    reasons: what changed, in lines; none if fresh.
    """

    word: Literal["fresh", "unproven", "stale"]
    reasons: tuple[str, ...] = ()


def freshness(study: "Study", provenance: dict) -> Freshness:
    """How evidence of this provenance stands to the study as it is now. EvidenceError if the file of proofs is damaged."""
    made_with, today = _hashes(provenance.get("code")), study_code(study)
    known = proofs.committed()
    old, new = known.oldest(made_with), known.oldest(today)
    plan = list(_of_the_text(study, provenance))
    shown = known.refutation(made_with, today)
    reasons = (*plan, *shown, *(() if old == new else _fewest_changes((made_with, old), (today, new))))
    files = any(new.get(name, value) != value for name, value in old.items() if _is_file(name))
    apart = bool(old) and old.get(TOGETHER) != new.get(TOGETHER)
    stale = plan or shown or files or apart
    return Freshness(STALE if stale else UNPROVEN if reasons else FRESH, reasons)


def _of_the_text(study: "Study", provenance: dict) -> Iterator[str]:
    """What changed of what is measured and claimed, and of the draws. Claims count where judged draws are concluded from: a
    design that is being tried may change. Evidence that names no text or root name is of today's."""
    if provenance.get("study_sha256") != study.digest:
        yield "what the study measures changed"
    elif _names_another_text(study, provenance):
        yield "what the study measures or claims changed since it was judged"
    if provenance.get("root", "") not in ("", ROOT_NAME):
        yield "all seeds have another root name"


def _names_another_text(study: "Study", provenance: dict) -> bool:
    named = provenance.get("judged_sha256")
    return bool(named) and named != study.judged_digest and study.conclusive and made_under(provenance) == JUDGED


def _hashes(code: Any) -> dict[str, str]:
    """A stored fingerprint; what is none knows nothing."""
    return {name: value for name, value in code.items() if isinstance(value, str)} if isinstance(code, dict) else {}


def _is_file(name: str) -> bool:
    return "/" in name


def _fewest_changes(old: Iterable[dict[str, str]], new: Iterable[dict[str, str]]) -> list[str]:
    """What changed from one fingerprint to another, told by those of equal meaning that are nearest to each other: a proof tells
    of many modules at once, and of a fingerprint that lacks one of them nothing."""
    return min((list(_changes(one, other)) for one, other in product(old, new)), key=len)


def _changes(old: dict[str, str], new: dict[str, str]) -> Iterator[str]:
    for name in sorted(set(old) | set(new)):
        if name == TOGETHER and old and old.get(name) != new.get(name):
            yield f"networks were trained {old.get(name, 1)} at a time, now {new.get(name, 1)}"
        elif old.get(name) != new.get(name):
            path = name if _is_file(name) else "/".join(name.split(".")[1:]) + ".py"
            yield f"{path} {'is new' if name not in old else 'is no longer used' if name not in new else 'changed'}"
