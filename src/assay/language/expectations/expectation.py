"""What an expectation or a control is, and the margins below which an effect counts as none."""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from assay.errors import EvidenceError, StudyError, unknown
from assay.language.expectations.terms import Reference, Table, Term


@dataclass(frozen=True)
class Expectation:
    """A parsed expectation or control: `measure` lies in the open interval (lower, upper).

    A difference has one finite bound: 0 where two arms are compared (`a < b` measures b - a), the number where an arm
    is compared with one. An equivalence has two.
    """

    text: str
    measure: Term
    lower: float
    upper: float

    @property
    def kind(self) -> Literal["difference", "equivalence"]:
        return "equivalence" if math.isfinite(self.lower) and math.isfinite(self.upper) else "difference"

    @property
    def metrics(self) -> frozenset[str]:
        return frozenset(reference.metric for reference in self.references())

    def references(self) -> frozenset[Reference]:
        """Every (arm, metric, x) the expectation reads."""
        return self.measure.references

    def measured(self, table: Table) -> float:
        """The measured term for one seed, in the metric's unit and direction.

        Raises EvidenceError where a value is missing or the arithmetic fails, StudyError where a metric is over x and
        the text says neither which x nor how to aggregate.
        """
        try:
            value = self.measure.value(table)
        except (ZeroDivisionError, OverflowError) as error:
            raise EvidenceError(f"'{self.text}' cannot be computed: {error}") from error
        if not math.isfinite(value):
            raise EvidenceError(f"'{self.text}' is {value}; it needs finite values")
        return value

    def evaluate(self, table: Table) -> float:
        """The effect for one seed: a difference is positive if as expected; an equivalence gives its middle term."""
        value = self.measured(table)
        if self.kind == "equivalence":
            return value
        return value - self.lower if math.isfinite(self.lower) else self.upper - value

    def size(self, table: Table) -> float:
        """Magnitude of the numbers the effect is a difference of (bounds included): the scale of its rounding."""
        finite = [abs(bound) for bound in (self.lower, self.upper) if math.isfinite(bound)]
        return max(self.measure.size(table), *finite)

    def check(self, arms: Collection[str], metrics: Collection[str]) -> None:
        """Raise StudyError, naming the nearest valid name, if the text reads an arm or a metric that is not among these."""
        for reference in sorted(self.references(), key=str):
            if reference.arm not in arms:
                raise StudyError(f"'{self.text}': {unknown('arm', reference.arm, arms)}")
            if reference.metric not in metrics:
                raise StudyError(f"'{self.text}': {unknown('metric', reference.metric, metrics)}")


def margin_of(expectation: Expectation, margins: Mapping[str, float]) -> float:
    """The smallest effect that counts: the margin keyed by the expectation's text, else by its metric, else 0.

    A metric's margin applies where the effect is in that metric's unit: sums, differences, mean, min, max, abs and
    multiples of values of this metric alone. A slope, a ratio or a logarithm has a unit of its own.
    """
    for key, margin in margins.items():
        if normal(key) == expectation.text:
            return margin
    return margins.get(expectation.measure.unit, 0.0) if expectation.measure.unit else 0.0


def check_margins(margins: Mapping[str, float], expectations: Iterable[Expectation], metrics: Collection[str]) -> None:
    """Raise StudyError for a margin that is no number >= 0, has an unknown key, or would silently apply to nothing."""
    differences = [expectation for expectation in expectations if expectation.kind == "difference"]
    texts = {expectation.text for expectation in differences}
    for key, margin in margins.items():
        number = isinstance(margin, int | float) and not isinstance(margin, bool)
        if not number or not math.isfinite(margin) or margin < 0:
            raise StudyError(f"margin '{key}' is {margin!r}; write a finite number >= 0")
        if normal(key) in texts:
            continue
        if key not in metrics:
            raise StudyError(f"margin: {unknown('metric or expectation', key, [*metrics, *texts])}")
        if not any(expectation.measure.unit == key for expectation in differences):
            raise StudyError(
                f"margin '{key}' applies to no expectation: none is a difference in the unit of '{key}' "
                "(slopes, ratios and logarithms have their own); use the expectation's text as the key, or remove it"
            )


def normal(text: str) -> str:
    """The text with single spaces, so that spelling makes no difference."""
    return " ".join(text.split())
