"""Views across papers: networks that studies share, claims that disagree, and arms of several studies that can be compared."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from jinja2 import Environment

from assay.language.recipes import canonical
from assay.overview.costs import Bill, bill_of
from assay.report.atlas import Entry
from assay.report.parts import Part

COMPARISON = re.compile(r"(\w+)\.(\w+)(\[[^]]*\])? ([<>]) (\w+)\.(\w+)(\[[^]]*\])?")
# What these say of a network does not depend on what else a protocol is set to measure.
OF_THE_NETWORK = frozenset({"top1", "loss", "train_top1"})
SIGNS = {"holds": 1, "reversed": -1, "absent": 0}


@dataclass(frozen=True)
class Score:
    """A network on a leaderboard: mean over seeds and its interval. arms: (study, arm) of those that are this network."""

    arms: tuple[tuple[str, str], ...]
    recipe: dict[str, Any]
    mean: float
    low: float
    high: float

    @property
    def studies(self) -> set[str]:
        return {study for study, _ in self.arms}


@dataclass(frozen=True)
class Leaderboard:
    """One metric over all networks of the same world and budget, measured in the same way, the largest mean first."""

    metric: str
    text: str
    world: Any
    budget: Any
    protocol: Any
    scores: list[Score]

    @property
    def varied(self) -> list[str]:
        """The fields in which the networks differ."""
        fields = dict.fromkeys(field for score in self.scores for field in score.recipe)
        return [field for field in fields if len({canonical(score.recipe.get(field)) for score in self.scores}) > 1]


@dataclass(frozen=True)
class Outcome:
    """What one study found in a comparison: sign 1 if the first recipe is ahead, -1 if the second, 0 if neither, None if open."""

    study: str
    text: str
    word: str
    sign: int | None


@dataclass(frozen=True)
class Comparison:
    """The same two recipes compared on the same metric in several studies: changes are (field, first value, second value)."""

    metric: str
    changes: tuple[tuple[str, Any, Any], ...]
    outcomes: list[Outcome]

    @property
    def disagrees(self) -> bool:
        """Whether settled outcomes differ."""
        return len({outcome.sign for outcome in self.outcomes if outcome.sign is not None}) > 1


def across_part(templates: Environment, entries: Sequence[Entry]) -> Part:
    """The page of all views across papers."""
    return Part("across", {"entries": entries}, partial(across_files, templates))


def across_files(templates: Environment, entries: Sequence[Entry]) -> dict[str, str]:
    """across.html."""
    measured = [entry for entry in entries if entry.page]
    users = network_users(measured)
    context = {
        "networks": len(users),
        "costs": costs(measured),
        "shared": {network: studies for network, studies in users.items() if len(studies) > 1},
        "papers": papers_with_several_studies(entries),
        "comparisons": comparisons(measured),
        "leaderboards": leaderboards(measured),
    }
    return {"across.html": templates.get_template("across.html").render(context)}


def network_users(entries: Iterable[Entry]) -> dict[str, list[str]]:
    """The studies whose evidence rests on each trained network, by its name."""
    users: dict[str, list[str]] = {}
    for entry in sorted(entries, key=lambda entry: entry.study.name):
        for network in entry.page.provenance["recipes"] if entry.page else ():
            users.setdefault(network, []).append(entry.study.name)
    return dict(sorted(users.items()))


def costs(entries: Iterable[Entry]) -> Bill | None:
    """What the studies with evidence cost, those whose evidence says so network by network; None where there is none."""
    found = {entry.study.name: entry.page.provenance for entry in entries if "networks" in entry.page.provenance.get("cost", {})}
    return bill_of(found, {name: list(said["recipes"]) for name, said in found.items()}) if found else None


def papers_with_several_studies(entries: Iterable[Entry]) -> list[tuple[str, list[Entry], bool]]:
    """(paper's title, its studies, whether their verdicts differ) for each paper that more than one study tests."""
    by_paper: dict[str, list[Entry]] = {}
    for entry in entries:
        by_paper.setdefault(entry.paper.title, []).append(entry)
    return [
        (title, studies, len({entry.state for entry in studies}) > 1) for title, studies in by_paper.items() if len(studies) > 1
    ]


def comparisons(entries: Iterable[Entry]) -> list[Comparison]:
    """Comparisons of two arms that more than one study makes, those that disagree first."""
    found: dict[str, Comparison] = {}
    for entry in entries:
        for key, metric, changes, outcome in _outcomes(entry):
            found.setdefault(key, Comparison(metric, changes, [])).outcomes.append(outcome)
    several = [comparison for comparison in found.values() if len({o.study for o in comparison.outcomes}) > 1]
    return sorted(several, key=lambda comparison: not comparison.disagrees)


def _outcomes(entry: Entry) -> Iterator[tuple[str, str, tuple, Outcome]]:
    """(key, metric, changes, outcome) of every `a.metric > b.metric` that a study with working controls has judged."""
    if not entry.verdict or entry.state == "invalid":
        return
    for item in (*entry.verdict["expectations"], *entry.verdict["secondary"]):
        match = COMPARISON.fullmatch(item["text"])
        if not match or match[2] != match[6] or match[3] != match[7]:
            continue
        first, second = (entry.study.recipes.get(match[group], {}) for group in (1, 5))
        ahead = 1 if match[4] == ">" else -1
        if canonical(first) > canonical(second):
            first, second, ahead = second, first, -ahead
        changes = tuple((f, first.get(f), second.get(f)) for f in sorted({*first, *second}) if first.get(f) != second.get(f))
        sign = SIGNS.get(item["reason"] or item["word"])
        outcome = Outcome(entry.study.name, item["text"], item["word"], None if sign is None else sign * ahead)
        metric = match[2] + (match[3] or "")
        if changes:
            yield canonical([metric, entry.study.metrics.get(match[2]), changes]), metric, changes, outcome


def leaderboards(entries: Iterable[Entry]) -> list[Leaderboard]:
    """Metrics on which networks of at least two studies can be compared: same world, budget, seeds, meaning; working controls."""
    boards: dict[str, Leaderboard] = {}
    for entry in entries:
        if entry.state == "invalid":
            continue
        for row in entry.page.means:
            recipe = dict(entry.study.recipes.get(row.arm, {}))
            protocol, _ = recipe.pop("protocol", None), recipe.pop("sweep", None)
            same = {"world": recipe.get("world"), "budget": recipe.get("budget")}
            same["protocol"] = None if row.metric in OF_THE_NETWORK else protocol
            text = entry.study.metrics.get(row.metric, "")
            key = canonical([row.metric, text, same, sorted(entry.page.provenance["seeds"])])
            board = boards.setdefault(key, Leaderboard(row.metric, text, **same, scores=[]))
            board.scores.append(Score(((entry.study.name, row.arm),), recipe, row.mean, row.low, row.high))
    merged = [replace(board, scores=_ranked(board.scores)) for board in boards.values()]
    return [board for board in merged if len(board.scores) > 1 and len(set().union(*(s.studies for s in board.scores))) > 1]


def _ranked(scores: Iterable[Score]) -> list[Score]:
    """The largest mean first; arms that are the same network with the same result in one line."""
    networks: dict[str, Score] = {}
    for score in scores:
        key = canonical([score.recipe, score.mean])
        known = networks.get(key)
        networks[key] = replace(known, arms=(*known.arms, *score.arms)) if known else score
    return sorted(networks.values(), key=lambda score: -score.mean)


def shared_with(entry: Entry, users: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The study's networks that others rest on too, with their names."""
    networks = entry.page.provenance["recipes"] if entry.page else ()
    others = {network: [study for study in users[network] if study != entry.study.name] for network in networks}
    return {network: studies for network, studies in others.items() if studies}
