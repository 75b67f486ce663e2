"""Many claims, many papers: which discoveries stand when all of them are counted (numpy alone, pure functions of p-values).

Benjamini and Hochberg's procedure (1995) over all claims of a report, one family for each word; the level of its cut for the
reasons why claims fail; and the gate that `supported` papers pass, which counts only papers whose other claims hold, after the
filter of Wang, Gui, Su, Sabatti and Owen, "Detecting multiple replicating signals using adaptive filtering procedures" (2022).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from assay.judging.claims import ABSENT, ALPHA, FAILS, HOLDS, REVERSED

OPEN = -1


def q_values(p: np.ndarray) -> np.ndarray:
    """Benjamini and Hochberg's adjusted p-values (M,): at most alpha where the step-up procedure rejects at that level."""
    order = np.argsort(p, kind="stable")
    ranked = p[order] * len(p) / np.arange(1, len(p) + 1)
    q = np.empty(len(p))
    q[order] = np.minimum.accumulate(ranked[::-1])[::-1]
    return np.minimum(q, 1.0)


def cut(p: np.ndarray) -> float:
    """The level alpha R / M at which a family with R of M discoveries rejects; 0 without any."""
    return ALPHA * float((q_values(p) <= ALPHA).mean()) if len(p) else 0.0


def gate(a: np.ndarray, b: np.ndarray) -> float:
    """The largest p that a paper's weakest claim may have, 0 if none: what keeps false `supported` papers at 5% of all of them.

    a, b (papers,): the largest and second largest p-value of a paper's claims (b = 0 where it has one claim). The cut is the
    largest c among the a, at most alpha, with c #{b <= c} <= alpha #{a <= c}: papers whose other claims would not hold at c
    are not counted, since no claim of theirs could make them `supported`.
    """
    candidates = np.sort(a[a <= ALPHA])
    found = np.searchsorted(candidates, candidates, side="right")
    counted = np.searchsorted(np.sort(b), candidates, side="right")
    passed = candidates[candidates * counted <= ALPHA * found]
    return float(passed[-1]) if len(passed) else 0.0


def weakest(p: np.ndarray) -> tuple[float, float]:
    """The largest and the second largest p-value of a paper's claims; 0 for the second of one claim."""
    *_, b, a = sorted([0.0, 0.0, *p.tolist()])
    return a, b


# Words


@dataclass(frozen=True)
class Member:
    """A paper in a family: the corrected P of its claims and of what stands beside them.

    claims, secondary (4, C): as `assay.judging.claims.corrected` gives them. valid: whether its controls passed. retired: how
    many claims of its earlier texts count, with P = 1.
    """

    claims: np.ndarray
    secondary: np.ndarray
    valid: bool = True
    retired: int = 0


@dataclass(frozen=True)
class Verdict:
    """What is said of a claim, why it fails if it does, and q of `holds` and of `fails`."""

    word: str
    reason: str | None
    q_holds: float
    q_fails: float


@dataclass(frozen=True)
class Conclusion:
    """What is said of a paper and its claims. gate: largest and second largest P of `holds`, and the largest that passes."""

    word: str
    claims: tuple[Verdict, ...]
    secondary: tuple[Verdict, ...]
    gate: tuple[float, float, float]
    passed: bool


class Tier:
    """One kind of claims of all papers, (4, M): q-values and the cuts of both words."""

    def __init__(self, p: np.ndarray) -> None:
        self.p = p
        self.q_holds, self.q_fails = q_values(p[HOLDS]), q_values(p[FAILS])
        self.cut_holds, self.cut_fails = cut(p[HOLDS]), cut(p[FAILS])

    def verdicts(self, place: slice) -> tuple[Verdict, ...]:
        """The verdicts on some of the claims."""
        return tuple(self._verdict(index) for index in range(place.start, place.stop))

    def words(self) -> np.ndarray:
        """The words of all claims, (M,): HOLDS, FAILS or OPEN."""
        return words_of(self.q_holds, self.q_fails)

    def reasons(self) -> np.ndarray:
        """Why claims fail, (M,), as far as the cut of failing claims allows to say."""
        is_reversed, is_absent = self.p[REVERSED] <= self.cut_fails, self.p[ABSENT] <= self.cut_fails
        return np.where(is_reversed, "reversed", np.where(is_absent, "absent", "smaller"))

    def _verdict(self, index: int) -> Verdict:
        q = float(self.q_holds[index]), float(self.q_fails[index])
        word = int(self._words[index])
        if word == FAILS:
            return Verdict("fails", str(self._reasons[index]), *q)
        return Verdict("holds" if word == HOLDS else "open", None, *q)

    @cached_property
    def _words(self) -> np.ndarray:
        return self.words()

    @cached_property
    def _reasons(self) -> np.ndarray:
        return self.reasons()


def words_of(q_holds: np.ndarray, q_fails: np.ndarray) -> np.ndarray:
    """The words of claims by their q-values: HOLDS, FAILS, or OPEN for neither and for both."""
    holds, fails = q_holds <= ALPHA, q_fails <= ALPHA
    return np.where(holds == fails, OPEN, np.where(holds, HOLDS, FAILS))


class Family:
    """Papers judged together."""

    def __init__(self, members: Mapping[str, Member]) -> None:
        self.members = dict(members)
        self._claims, self._places = _joined([(m.claims, m.valid, m.retired) for m in members.values()], members)
        self._secondary, self._beside = _joined([(m.secondary, m.valid, 0) for m in members.values()], members)
        self._weakest = {name: _weakest_of(member) for name, member in members.items()}
        a, b = np.array(list(self._weakest.values())).T if members else np.empty((2, 0))
        self.gate = gate(a, b)

    @property
    def cuts(self) -> dict[str, tuple[float, float]]:
        """The P at or below which a claim gets its word, (`holds`, `fails`), for claims and for what stands beside them."""
        return {
            "claims": (self._claims.cut_holds, self._claims.cut_fails),
            "secondary": (self._secondary.cut_holds, self._secondary.cut_fails),
        }

    def conclusion(self, name: str) -> Conclusion:
        """What is said of one paper."""
        claims = self._claims.verdicts(self._places[name])
        a, b = self._weakest[name]
        passed = a <= self.gate
        word = paper_word([each.word for each in claims], valid=self.members[name].valid, passed=passed)
        return Conclusion(word, claims, self._secondary.verdicts(self._beside[name]), (a, b, self.gate), passed)

    def joined_by(self, name: str, member: Member) -> "Family":
        """The family with one paper more, or with another evidence or text of one."""
        return Family({**self.members, name: member})


def paper_word(claims: Sequence[str], *, valid: bool, passed: bool) -> str:
    """The word on a paper from those on its claims; `passed`: the gate for `supported`."""
    if not valid:
        return "invalid"
    if "fails" in claims:
        return "partly" if "holds" in claims else "not supported"
    return "supported" if passed and "open" not in claims else "open"


def _joined(each: Sequence[tuple[np.ndarray, bool, int]], names: Iterable[str]) -> tuple[Tier, dict[str, slice]]:
    """All papers' claims in one row, and where each paper's are. Claims that cannot count have P = 1."""
    columns, places, start = [], {}, 0
    for name, (p, valid, retired) in zip(names, each, strict=True):
        count = p.shape[1]
        columns += [p if valid else np.ones_like(p), np.ones((4, retired))]
        places[name] = slice(start, start + count)
        start += count + retired
    return Tier(np.concatenate(columns, axis=1) if columns else np.empty((4, 0))), places


def _weakest_of(member: Member) -> tuple[float, float]:
    return weakest(member.claims[HOLDS]) if member.valid else (1.0, 1.0)
