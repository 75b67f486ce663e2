"""The index: what came out, coverage and verdicts by family, and every paper with its studies."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from assay.judging.answers import answer
from assay.language.catalogue import Paper
from assay.language.references import UNKNOWN, Reference
from assay.report import plots, words
from assay.report.page import Page, StudyView
from assay.report.panels import Group, Panel, groups

NOT_STUDIED, NOT_RUN, FAILED = "not studied", "not run", "failed"
STATES = (*words.VERDICTS, FAILED, NOT_RUN)
EVIDENCE = ("recomputed", "archived", "none")
FRESHNESS = ("fresh", "unproven", "stale", "not checked")
STEP = 50  # rows at once
COLUMNS = ("claim", "family", "verdict", "evidence", "effect", "cost")


@dataclass(frozen=True)
class Entry:
    """A study in the report: its page's evidence if there is any, or where it failed; both where only some arms did."""

    study: StudyView
    paper: Paper
    page: Page | None
    failure: dict[str, Any] | None
    scale: str
    reference: Reference = UNKNOWN

    @property
    def verdict(self) -> dict[str, Any] | None:
        """The study's verdict; a study that failed has none, whatever is said of its other arms."""
        return None if self.failure or not self.page else self.page.verdict or None

    @property
    def state(self) -> str:
        """The verdict in a word, or why there is none."""
        if self.failure:
            return FAILED
        return self.verdict["word"] if self.verdict else NOT_RUN

    @property
    def answer(self) -> str:
        """What came out, in sentences; empty for a study without a verdict."""
        return answer(self.verdict, self.study.metrics) if self.verdict else ""

    @property
    def against(self) -> str:
        """The first effect of which the paper prints its own, beside it; empty where there is none."""
        if not self.verdict or self.state == "invalid" or not self.study.published:
            return ""
        for claim in self.verdict["expectations"]:
            for group in groups([claim], self.study.metrics, self.study.published):
                if group.panels[0].papers:
                    return _against(group, group.panels[0])
        return ""

    @property
    def released(self) -> bool:
        """Whether the release has a word on the study."""
        return bool(self.verdict and self.verdict["release"])

    @property
    def effect(self) -> float | None:
        """The standardised effect of the first expectation, the one a study is known by; none where a control failed."""
        if not self.verdict or self.state == "invalid":
            return None
        return plots.standardised(self.verdict["expectations"][0])

    @property
    def cost(self) -> float | None:
        """Core-seconds of training and measuring."""
        cost = self.page and self.page.provenance.get("cost")
        return cost["train_core_s"] + cost["measure_core_s"] if cost else None

    @property
    def evidence(self) -> str:
        """Where the evidence comes from, one of EVIDENCE."""
        return self.study.evidence if self.page else "none"

    @property
    def freshness(self) -> str | None:
        """Whether the evidence is that of today's code and study, one of FRESHNESS; None without evidence."""
        if not self.page:
            return None
        if self.study.stale is None:
            return "not checked"
        return "stale" if self.study.stale else "unproven" if self.study.unproven else "fresh"

    @property
    def scales(self) -> tuple[str, ...]:
        """The scales at which there is evidence, this report's first."""
        return (self.scale, *self.study.other_scales) if self.page else self.study.other_scales


@dataclass(frozen=True)
class Row:
    """A paper in the table, with the values its filters look at: filter -> values, any of which lets it pass."""

    paper: Paper
    studies: list[Entry]
    reference: Reference = UNKNOWN

    @property
    def also(self) -> str:
        """Further words by which the row is found: authors, year and venue; names, arms and plugs of its studies."""
        names = (name for entry in self.studies for name in (entry.study.name, *entry.study.arms, *entry.study.plugs))
        found = (*self.reference.authors, self.reference.venue, str(self.reference.year or ""))
        return " ".join(_distinct(filter(None, (*found, *names))))

    @property
    def filters(self) -> dict[str, list[str]]:
        return {
            "family": [self.paper.family],
            "verdict": [entry.state for entry in self.studies] or [NOT_STUDIED],
            "scale": _distinct(scale for entry in self.studies for scale in entry.scales),
            "evidence": _distinct(entry.evidence for entry in self.studies) or ["none"],
            "freshness": _distinct(entry.freshness for entry in self.studies if entry.freshness),
        }


@dataclass(frozen=True)
class Filter:
    """A choice above the table: options are (value, text); the empty value lets every row pass."""

    name: str
    label: str
    options: list[tuple[str, str]]


def _against(group: Group, panel: Panel) -> str:
    """ "Difference in test accuracy, clean_mixup − clean: −0.0643 here, +0.0140 in the paper"."""
    shown = words.signed if len(panel.things) > 1 else words.number
    return f"{group.label}, {panel.quantity}: {shown(panel.value)} here, {shown(panel.papers[0].value)} in the paper"


def atlas(entries: list[Entry], papers: Mapping[str, Paper], references: Mapping[str, Reference]) -> dict[str, Any]:
    """What index.html shows."""
    by_paper: dict[str, list[Entry]] = {}
    for entry in entries:
        by_paper.setdefault(entry.study.paper, []).append(entry)
    rows = [Row(paper, by_paper.get(key, []), references.get(key, UNKNOWN)) for key, paper in papers.items()]
    judged = [entry.verdict for entry in entries if entry.verdict]
    families = by_family(rows)
    return {
        "rows": rows,
        "families": families,
        "filters": filters(rows, families),
        "columns": COLUMNS,
        "counts": Counter(entry.state for entry in entries),
        "findings": sorted((entry for entry in entries if entry.verdict), key=lambda entry: STATES.index(entry.state)),
        "step": STEP,
        "folds": folds(rows),
        "studied": sum(bool(row.studies) for row in rows),
        "states": STATES,
        "claims": claim_counts(judged),
        "unreleased": sorted(entry.study.name for entry in entries if entry.verdict and not entry.released),
    }


def folds(rows: list[Row]) -> dict[str, Any]:
    """The rows as they stand before anybody searches: the first studied ones in sight, the others folded, fifty at a time.

    begun and untouched: (family, its papers without a study), of families with and without a studied paper.
    """
    studied = sorted((row for row in rows if row.studies), key=lambda row: STATES.index(row.studies[0].state))
    begun = {row.paper.family for row in studied}
    left: dict[str, list[Row]] = {}
    for row in rows:
        if not row.studies:
            left.setdefault(row.paper.family, []).append(row)
    return {
        "first": studied[:STEP],
        "studied": [studied[start : start + STEP] for start in range(STEP, len(studied), STEP)],
        "begun": sorted((family, members) for family, members in left.items() if family in begun),
        "untouched": sorted((family, members) for family, members in left.items() if family not in begun),
    }


def filters(rows: list[Row], families: list[dict[str, Any]]) -> list[Filter]:
    """The choices above the table; only scales at which there is evidence are offered."""
    sizes = {family["name"]: family["total"] for family in families}
    scales = _distinct(scale for row in rows for scale in row.filters["scale"])
    return [
        Filter("family", "Family", [("", "all"), *((name, f"{words.label(name)} ({sizes[name]})") for name in sorted(sizes))]),
        Filter("verdict", "Verdict", _options(["studied", *STATES, NOT_STUDIED])),
        Filter("scale", "Scale", _options(sorted(scales))),
        Filter("evidence", "Evidence", _options(EVIDENCE)),
        Filter("freshness", "Freshness", _options(FRESHNESS)),
    ]


def _options(values: Iterable[str]) -> list[tuple[str, str]]:
    return [("", "any"), *((value, value) for value in values)]


def _distinct(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))


def claim_counts(verdicts: Iterable[dict[str, Any]]) -> Counter[str]:
    """How many claims hold, fail and are open; those of studies whose controls failed are open."""
    return Counter(claim["word"] for verdict in verdicts for claim in verdict["expectations"])


def by_family(rows: list[Row]) -> list[dict[str, Any]]:
    """For each family: papers in all, papers studied, and how many studies came to which state; largest family first.

    shares: the studied papers' first states as (state, start, width) in percent of the family's papers.
    """
    families: dict[str, list[Row]] = {}
    for row in rows:
        families.setdefault(row.paper.family, []).append(row)
    return [
        {
            "name": name,
            "total": len(members),
            "studied": sum(bool(row.studies) for row in members),
            "states": Counter(entry.state for row in members for entry in row.studies),
            "shares": _shares([row.studies[0].state for row in members if row.studies], len(members)),
        }
        for name, members in sorted(families.items(), key=lambda item: (-len(item[1]), item[0]))
    ]


def _shares(states: list[str], total: int) -> list[tuple[str, float, float]]:
    counts = Counter(states)
    shares, start = [], 0.0
    for state in STATES:
        if counts[state]:
            width = 100 * counts[state] / total
            shares.append((state, round(start, 2), round(width, 2)))
            start += width
    return shares
