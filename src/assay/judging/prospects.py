"""Prospects: how many seeds would probably decide an open claim, and how likely its next look is to do so.

    n = ((z(alpha 2^-k / 2) + z(power)) sd / |mean effect - nearest bound|)^2

for the k-th look, with the effect and the spread that were seen; a level of 2^-k times alpha is what a claim pays there. All this
is free to change: which studies get more seeds has no influence on whether their words are right.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev
from typing import Any

from scipy import special

from assay.judging.verdicts import ALPHA
from assay.language.looks import looks_at, next_look

MOST = 40  # seeds that a claim may need, from the second look on
POWER_Z = 0.84  # of the normal distribution, for a chance of 80%


@dataclass(frozen=True)
class Prospect:
    """An open claim as seen: its mean effect's distance from the nearest bound that would decide it, the spread of single seeds,
    and the looks of its study."""

    distance: float
    spread: float
    seeds: int
    first_look: int
    earlier: int

    @classmethod
    def of(cls, claim: Mapping[str, Any], first_look: int, earlier: int) -> "Prospect":
        """Of a claim's record in verdicts.json: values, kind, and margin or bounds."""
        values = claim["values"]
        return cls(
            distance=min(abs(fmean(values) - bound) for bound in _bounds(claim)),
            spread=stdev(values) if len(values) > 1 else math.inf,
            seeds=len(values),
            first_look=first_look,
            earlier=earlier,
        )

    def needs(self, most: int = MOST) -> float:
        """The seeds that would decide it with a chance of 80%, more than there are: at the first look that is at least that
        many, or else, beyond `most`, at the last look that was tried. Infinite where the effect lies on a bound."""
        look = next_look(self.first_look, self.seeds)
        while True:
            needed = self._needed_at(look)
            if needed <= look or 2 * look > most:
                return needed
            look *= 2

    def chance(self) -> float:
        """How likely the next look decides it, if effect and spread are what they seem (noncentral t)."""
        look = next_look(self.first_look, self.seeds)
        if self.spread == 0:
            return 1.0
        if math.isinf(self.spread):
            return 0.0
        least = special.stdtrit(look - 1, 1 - self._level(look))
        return 1 - float(special.nctdtr(look - 1, self.distance * math.sqrt(look) / self.spread, least))

    def _needed_at(self, look: int) -> float:
        if self.spread == 0:  # a tie is decided by the sign test, as soon as there are enough
            return look
        if self.distance == 0 or math.isinf(self.spread):
            return math.inf
        needed = ((NormalDist().inv_cdf(1 - self._level(look)) + POWER_Z) * self.spread / self.distance) ** 2
        return max(math.ceil(needed), self.seeds + 1)

    def _level(self, look: int) -> float:
        return ALPHA * 2.0 ** -(looks_at(self.first_look, look) + self.earlier) / 2


def _bounds(claim: Mapping[str, Any]) -> Sequence[float]:
    """What the effect is compared with: both bounds of an equivalence, the margin of a difference."""
    return claim["bounds"] if claim["kind"] == "equivalence" else (claim["margin"],)
