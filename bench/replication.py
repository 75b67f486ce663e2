"""Does a word survive another processor? The words of two runs of the same studies, by this judge and by the one before it.

    python bench/replication.py FIRST SECOND    two verdicts.json of the judge before; writes docs/data/judge-replication.csv

Both files hold the effects of every seed, from which this judge's words follow, and the words of the earlier judge, which asked
for all claims of a paper (Holm) and corrected over papers: of a claim supported, contradicted, no effect or inconclusive.
"""

import argparse
import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assay.judging.claims import Claims, corrected, p_values
from assay.judging.families import Family, Member

OUT = Path(__file__).parent.parent / "docs" / "data" / "judge-replication.csv"
OPEN = {"open", "inconclusive"}
OPPOSITE = [{"holds", "fails"}, {"supported", "not supported"}, {"supported", "contradicted"}]


@dataclass(frozen=True)
class Words:
    """The words of a run: of papers, and of claims by (paper, text); those of invalid papers are `invalid`."""

    papers: dict[str, str]
    claims: dict[tuple[str, str], str]


def of_this_judge(studies: Mapping[str, dict[str, Any]]) -> Words:
    """All studies judged together, as a release."""
    members = {name: _member(record) for name, record in studies.items()}
    family = Family(members)
    found = {name: family.conclusion(name) for name in members}
    claims = {
        (name, item["text"]): verdict.word if found[name].word != "invalid" else "invalid"
        for name, record in studies.items()
        for item, verdict in zip(record["expectations"], found[name].claims, strict=True)
    }
    return Words({name: each.word for name, each in found.items()}, claims)


def of_the_earlier_judge(studies: Mapping[str, dict[str, Any]]) -> Words:
    """The words that the file has."""
    claims = {
        (name, item["text"]): item["verdict"] if record["verdict"] != "invalid" else "invalid"
        for name, record in studies.items()
        for item in record["expectations"]
    }
    return Words({name: record["verdict"] for name, record in studies.items()}, claims)


def _member(record: Mapping[str, Any]) -> Member:
    items = record["expectations"]
    effects = np.array([item["values"] for item in items])
    equivalence = np.array([item["kind"] == "equivalence" for item in items])
    bounds = np.array([item["bounds"] if "bounds" in item else (-item["margin"], item["margin"]) for item in items], float)
    rounding = np.array([[item["standardised"] is None] for item in items])  # the file's word for effects that agree over seeds
    resolution = np.broadcast_to(np.where(rounding, np.ptp(effects, axis=1, keepdims=True), 0.0), effects.shape)
    fixed = np.array([[item["note"].startswith("the same for every seed")] * effects.shape[1] for item in items])
    claims = Claims(effects, bounds[:, 0], bounds[:, 1], equivalence, resolution, fixed)
    valid = all(control["passed"] for control in record["controls"])
    return Member(corrected(p_values(claims, effects.shape[1])), np.empty((4, 0)), valid)


def compared(first: Mapping[Any, str], second: Mapping[Any, str]) -> dict[str, int]:
    """Of what the first run decided: how much kept its word, is open, is invalid, is reversed or has any other word now."""
    counts = dict.fromkeys(("decided", "kept", "open", "invalid", "other", "reversed"), 0)
    for key, before in first.items():
        if before in OPEN | {"invalid"}:
            continue
        after = second[key]
        counts["decided"] += 1
        counts[_became(before, after)] += 1
    return counts


def _became(before: str, after: str) -> str:
    if after == before:
        return "kept"
    if after in OPEN:
        return "open"
    if after == "invalid":
        return "invalid"
    return "reversed" if {before, after} in OPPOSITE else "other"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    options = parser.parse_args()
    runs = [json.loads(path.read_text())["studies"] for path in (options.first, options.second)]
    rows = []
    for judge, words in (("this one", of_this_judge), ("the one before", of_the_earlier_judge)):
        first, second = map(words, runs)
        for what in ("claims", "papers"):
            rows.append({"what": what, "judge": judge} | compared(getattr(first, what), getattr(second, what)))
    with OUT.open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0], lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    print(OUT.read_text(), end="")


if __name__ == "__main__":
    main()
