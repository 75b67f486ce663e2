"""Claims tested at every scheduled look: C claims on N seeds as arrays, and the p-values of what can be said of each.

Four statements are tested of a claim with margin m, each by one-sided tests; an equivalence lies within its bounds or not:

| statement  | difference: small p if the mean effect is | equivalence, bounds (lo, hi)          |
|------------|-------------------------------------------|---------------------------------------|
| `holds`    | above m                                   | inside: both one-sided tests          |
| `fails`    | below m                                   | beyond either bound, p doubled        |
| `reversed` | below -m                                  | as `fails`                            |
| `absent`   | in (-m, m); never for m = 0               | never                                 |

The corrected P of a statement is min(1, min over looks k of 2^k p(n_k)), p(n_k) being from the first n_k seeds.
"""

from dataclasses import dataclass

import numpy as np

from assay.judging.statistics import Samples, p_above, p_below, p_inside, p_not_above, seeds_needed
from assay.language.looks import looks_at, price, scheduled

STATEMENTS = ("holds", "fails", "reversed", "absent")
HOLDS, FAILS, REVERSED, ABSENT = range(len(STATEMENTS))
ALPHA = 0.05
POWER = 0.8
HOPELESS = 40  # seeds that no claim is worth, at the effect and spread seen, from the second look on
FARTHEST = 5000  # seeds beyond which even a first look names no number


@dataclass(frozen=True)
class Claims:
    """C claims on the same N seeds.

    effects (C, N). resolution, fixed (C, N): those of the first 1, 2, ... seeds. lower, upper (C,): the bounds of an
    equivalence; minus and plus the margin of a difference. equivalence (C,): which of them are equivalences.
    """

    effects: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    equivalence: np.ndarray
    resolution: np.ndarray
    fixed: np.ndarray

    @classmethod
    def differences(cls, effects: np.ndarray, margin: np.ndarray | float = 0.0) -> "Claims":
        """Differences whose observations vary and are told apart however close they are: what simulations draw."""
        count = effects.shape[:-1]
        margin = np.broadcast_to(np.asarray(margin, float), count)
        exact, varied = np.zeros(effects.shape), np.zeros(effects.shape, bool)
        return cls(effects, -margin, margin, np.zeros(count, bool), exact, varied)

    def first(self, n: int) -> Samples:
        """The effects on the first n seeds."""
        return Samples.of(self.effects[..., :n], self.resolution[..., n - 1], self.fixed[..., n - 1])


def p_values(claims: Claims, first_look: int) -> np.ndarray:
    """p of every statement at every look that the seeds allow: (4, C, looks), statements in the order of STATEMENTS."""
    looks = scheduled(first_look, claims.effects.shape[-1])
    each = [_at_one_look(claims, claims.first(n)) for n in looks]
    return np.stack(each, axis=-1) if each else np.empty((len(STATEMENTS), *claims.lower.shape, 0))


def _at_one_look(claims: Claims, samples: Samples) -> np.ndarray:
    lower, upper, equivalence = claims.lower, claims.upper, claims.equivalence
    inside = p_inside(samples, lower, upper)
    above, below = p_above(samples, upper), p_below(samples, lower)
    outside = np.minimum(1.0, 2 * np.minimum(above, below))
    can_be_absent = (upper > 0) | (samples.fixed & (samples.spread == 0))
    return np.stack([
        np.where(equivalence, inside, above),
        np.where(equivalence, outside, p_not_above(samples, upper)),
        np.where(equivalence, outside, below),
        np.where(equivalence | ~can_be_absent, 1.0, inside),
    ])  # fmt: skip


def corrected(p: np.ndarray, earlier: int = 0) -> np.ndarray:
    """P of every statement, (4, C), from p at every look (4, C, looks), after so many looks at earlier texts."""
    if not p.shape[-1]:
        return np.ones(p.shape[:-1])
    return np.minimum(1.0, charged(p, earlier).min(axis=-1))


def charged(p: np.ndarray, earlier: int = 0) -> np.ndarray:
    """The p of every look times its price, without the bound of 1."""
    return p * np.array([price(look, earlier) for look in range(1, p.shape[-1] + 1)], float)


def prospects(claims: Claims, first_look: int, n: int, earlier: int = 0) -> np.ndarray:
    """The seeds that each claim probably needs after n of them, (C,), at the effect and spread seen; infinite where hopeless.

    Those at which the nearest bound is told with 80% power, at the first look that has so many: the k-th look finds at alpha /
    2^k, half of which the correction over claims is taken to leave. From the second look on, more than HOPELESS seeds are
    not worth buying; after the first one effects are too uncertain to say so.
    """
    if n < 2:
        return np.full(claims.lower.shape, np.inf)
    seen = claims.first(n)
    nearest = np.minimum(np.abs(seen.mean - claims.lower), np.abs(seen.mean - claims.upper))
    distance = np.where(claims.equivalence, nearest, np.abs(seen.mean - claims.upper))
    made = looks_at(first_look, n)
    found = np.full(distance.shape, np.inf)
    farthest = HOPELESS if made > 1 else FARTHEST
    for number, size in enumerate(scheduled(first_look, farthest)[made:], made + 1):
        needed = seeds_needed(distance, seen.spread, ALPHA / price(number, earlier) / 2, POWER)
        found = np.where(np.isinf(found) & (needed <= size), np.maximum(n + 1, needed), found)
    return found
