"""A study's answer in sentences, written by rule from arms, labels of metrics, means over seeds, and words.

    mixup is below erm in wrong labels memorised (0.28 against 0.92). Open: whether clean_mixup is above clean in accuracy under
    attack (0.359 against 0.355, known to within 0.034).

A sentence never says more than its claim's word does. A claim that compares sums or differences is quoted as it is written, with
its effect.
"""

import ast
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from assay.errors import StudyError
from assay.judging.counts import CLAIMS
from assay.language.expectations import compared
from assay.language.metrics import read_metric

MOST = 3  # sentences of one word in an answer that leads a page; more are counted
OF_A_SERIES = {
    "mean": "mean ",
    "min": "smallest ",
    "max": "largest ",
    "slope": "slope of ",
    "loglog": "log-log slope of ",
    "spearman": "rank correlation of ",
}


def answer(verdict: Mapping[str, Any], metrics: Mapping[str, str], most: int = MOST) -> str:
    """The answer in a few sentences: what holds, what fails, what is open.

    verdict: a study's record in verdicts.json. metrics: its protocol's METRICS, of which the labels are read. Of a study whose
    instrument did not work it says which controls failed.
    """
    if verdict["word"] == "invalid":
        failed = [control for control in verdict["controls"] if not control["passed"]]
        return f"Cannot be told here: {'; '.join(_control(each) for each in failed)}."
    by_word = {word: [claim for claim in verdict["expectations"] if claim["word"] == word] for word in CLAIMS}
    return " ".join(_told(word, sentences(claims, metrics), most) for word, claims in by_word.items() if claims)


def _told(word: str, said: Sequence[str], most: int) -> str:
    """The first sentences on claims of one word, and how many are left out."""
    left = len(said) - most
    if word == "open":
        return f"Open: {'; '.join([*said[:most], *([f'{left} more'] if left > 0 else [])])}."
    rest = f" {left} more {word if left == 1 else word.removesuffix('s')}." if left > 0 else ""
    return " ".join(f"{each}." for each in said[:most]) + rest


def _control(record: Mapping[str, Any]) -> str:
    bounds = f", 95% bounds {_short(record['interval'][0])} to {_short(record['interval'][1])}" if record["interval"] else ""
    return f"'{record['text']}' did not pass ({_short(record['mean'])}{bounds})"


def sentences(claims: Iterable[Mapping[str, Any]], metrics: Mapping[str, str]) -> list[str]:
    """What is said of claims of one word, without full stops; those that differ in subject or metric alone share a sentence."""
    said: list[_Sentence] = []
    for claim in claims:
        new = _sentence(claim, metrics)
        joined = ((place, both) for place, old in enumerate(said) if (both := old.joined(new)))
        place, both = next(joined, (len(said), new))
        said[place : place + 1] = [both]
    return [each.text for each in said]


@dataclass(frozen=True)
class _Sentence:
    """ "<before><subjects> is <relation> in <metrics>", with values in parentheses, one for each subject or each metric; without
    metrics the relation has its own verb."""

    before: str
    subjects: tuple[str, ...]
    relation: str
    metrics: tuple[str, ...]
    values: tuple[str, ...]

    def joined(self, other: "_Sentence") -> "_Sentence | None":
        """Both in one, if they differ in one part alone."""
        if (self.before, self.relation) != (other.before, other.relation) or not self.metrics:
            return None
        if self.metrics == other.metrics and len(self.metrics) == 1:
            return replace(self, subjects=self.subjects + other.subjects, values=self.values + other.values)
        if self.subjects == other.subjects and len(self.subjects) == 1:
            return replace(self, metrics=self.metrics + other.metrics, values=self.values + other.values)
        return None

    @property
    def text(self) -> str:
        if not self.metrics:
            return f"{self.before}{self.subjects[0]} {self.relation} ({self.values[0]})"
        verb = "are" if len(self.subjects) > 1 else "is"
        if len(self.metrics) == 1:
            return f"{self.before}{_listed(self.subjects)} {verb} {self.relation} in {self.metrics[0]} ({'; '.join(self.values)})"
        parts = [f"{metric} ({values})" for metric, values in zip(self.metrics, self.values, strict=True)]
        return f"{self.before}{self.subjects[0]} {verb} {self.relation} in {_listed(parts)}"


def _sentence(claim: Mapping[str, Any], metrics: Mapping[str, str]) -> _Sentence:
    before = "whether " if claim["word"] == "open" else ""
    sides = _sides(claim["text"], metrics)
    values = (" against ".join(_alike(claim["sides"])) + _precision(claim),)
    match sides:
        case [_Side(arm=arm, label=label)]:
            return _Sentence(before, (arm,), _relation(claim, ""), (label,), values)
        case [_Side(arm=arm, label=label), _Side(arm=other, label=same)] if label == same:
            return _Sentence(before, (arm,), _relation(claim, other), (label,), values)
        case [_Side(arm=arm, label=label), _Side(arm=same, label=other)] if arm == same:
            return _Sentence(f"{before}{'in' if before else 'In'} {arm}, ", (label,), f"is {_relation(claim, other)}", (), values)
    holds = "does not hold" if claim["word"] == "fails" else "holds"
    effect = f"effect {_short(claim['effect'])}{_precision(claim)}"
    return _Sentence(before, (f"'{claim['text']}'",), holds, (), (effect,))


def _relation(claim: Mapping[str, Any], other: str) -> str:
    """How the first side stands to the other, or, where that is empty, to the numbers of the text."""
    return _closeness(claim, other) if claim["kind"] == "equivalence" else _order(claim, other)


def _order(claim: Mapping[str, Any], other: str) -> str:
    comparison = ast.parse(claim["text"], mode="eval").body
    sides = (comparison.left, comparison.comparators[0])
    numbers = [number for number in map(_number, sides) if number]
    upward = isinstance(comparison.ops[0], ast.Gt) != bool(_number(sides[0]))
    (up, down), other = ("above", "below") if upward else ("below", "above"), other or numbers[0]
    if claim["word"] != "fails":
        return f"{up} {other}"
    if claim["reason"] == "reversed":
        return f"{down}, not {up}, {other}"
    if claim["reason"] == "absent":
        return f"within {_short(claim['margin'])} of, not {up}, {other}"
    return f"not {up} {other}" + (f" by {_short(claim['margin'])}" if claim["margin"] else "")


def _closeness(claim: Mapping[str, Any], other: str) -> str:
    low, high = claim["bounds"]
    no = "not " if claim["word"] == "fails" else ""
    if not other:
        return f"{no}between {_short(low)} and {_short(high)}"
    return f"{no}within {_short(high)} of {other}" if low == -high else f"{no}{_short(low)} to {_short(high)} above {other}"


def _number(node: ast.expr) -> str:
    """The text of a side that is a number; empty for one that is measured."""
    return "" if any(isinstance(part, ast.Attribute) for part in ast.walk(node)) else ast.unparse(node)


@dataclass(frozen=True)
class _Side:
    """A side that is one metric of one arm. label: as it stands in a sentence, with its coordinate."""

    arm: str
    label: str


def _sides(text: str, metrics: Mapping[str, str]) -> list[_Side | None]:
    """What a claim compares; nothing of a text that is no comparison, as a verdicts file made elsewhere may have."""
    try:
        return [_side(side.text, metrics) for side in compared(text)]
    except StudyError:
        return []


def _side(text: str, metrics: Mapping[str, str]) -> _Side | None:
    """The arm and the metric of a side that is no more than `arm.metric`, at one x or over all of them; else None."""
    node, of_a_series, at = ast.parse(text, mode="eval").body, "", ""
    if isinstance(node, ast.Call) and node.func.id in OF_A_SERIES:
        node, of_a_series = node.args[0], OF_A_SERIES[node.func.id]
    if isinstance(node, ast.Subscript):
        node, at = node.value, f" at {ast.literal_eval(node.slice)}"
    if not isinstance(node, ast.Attribute):
        return None
    return _Side(node.value.id, f"{of_a_series}{_label(node.attr, metrics)}{at}")


def _label(metric: str, metrics: Mapping[str, str]) -> str:
    """A metric's label inside a sentence: "Test accuracy" as "test accuracy", "SSIM" as it is; its name where it has none any
    more, since the protocol was edited after the verdict."""
    if metric not in metrics:
        return metric
    label = read_metric(metric, metrics[metric]).label
    first = label.split()[0]
    return label[0].lower() + label[1:] if first == first.capitalize() else label


def _precision(claim: Mapping[str, Any]) -> str:
    """How well the effect of an open claim is known: half of its interval."""
    if claim["word"] != "open" or not claim["interval"]:
        return ""
    low, high = claim["interval"]
    return f", known to within {_short((high - low) / 2)}"


def _alike(values: Sequence[float]) -> list[str]:
    """Numbers with as many decimals each: three digits of the largest, and more until they can be told apart."""
    largest = max(map(abs, values), default=0.0)
    decimals = max(0, 2 - math.floor(math.log10(largest))) if largest else 2
    texts = [f"{value:.{decimals}f}" for value in values]
    while len(set(texts)) < len(set(values)) and decimals < 4:
        decimals += 1
        texts = [f"{value:.{decimals}f}" for value in values]
    return texts


def _short(value: float) -> str:
    return f"{value:.2g}"


def _listed(items: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(items[:-1]), items[-1])))
