"""Which studies the suite computes at the scale ci, since all of them would cost more with every paper.

Those whose archived evidence is fresh were computed with this code; of them as many as use every protocol, objective and model
are computed again, and a sample that is another one at every commit. Those with evidence that is stale, withdrawn or missing are
all computed. For those that are unproven, canaries stand in (test_changed_code.py); where these cannot run, all are computed.
"""

import hashlib
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

import pytest

from assay.artifacts.archiving import Status, status
from assay.artifacts.entries import read_entries
from assay.evidence.freshness import FRESH, UNPROVEN
from assay.language.studies import load_studies
from assay.language.study import Study
from assay.pipeline.canaries import cover
from assay.pipeline.worktrees import full_name
from assay.provenance.commits import commit
from assay.storage.places import PROJECT

KINDS = ("protocols", "objectives", "models")
SAMPLE = 3
ARCHIVED = "laptop"  # the scale at which evidence is archived


@dataclass(frozen=True)
class Choice:
    """computed: trained, measured, judged and drawn in this process. run: those of them that go through Snakemake and Slurm too,
    every step a job. why: in a line."""

    computed: tuple[str, ...]
    run: tuple[str, ...]
    why: str


def choose(
    studies: Mapping[str, Study], archive: Iterable[Status], commit: str, everything: bool, unreachable: Iterable[str] = ()
) -> Choice:
    """The studies to compute.

    archive: how they stand there. commit: what the sample rotates with. everything: compute and run all. unreachable: commits of
    unproven evidence that are not in this clone.
    """
    names = sorted(studies)
    if everything:
        return Choice(tuple(names), tuple(names), "all studies, as asked for")
    sample = sampled(names, commit)
    lacking = sorted(unreachable)
    if lacking:
        why = f"all studies: evidence is unproven and commit {lacking[0][:12]} is not in this clone, so no canary can be compared"
        return Choice(tuple(names), tuple(sample), why)
    told = [each.study for each in archive if each.word not in (FRESH, UNPROVEN)]
    taken = {*cover(studies, KINDS), *told, *sample}
    why = f"{len(taken)} of {len(names)} studies: every protocol, objective and model, a sample of {len(sample)}"
    return Choice(tuple(sorted(taken)), tuple(sample), f"{why}, {len(told)} without fresh evidence")


def sampled(names: Iterable[str], commit: str) -> list[str]:
    """The studies that are taken at a commit whatever is known of them."""
    return sorted(names, key=lambda name: hashlib.sha256(f"{commit} {name}".encode()).digest())[:SAMPLE]


@cache
def choice(everything: bool) -> Choice:
    """The studies to compute here and now."""
    stands = status(ARCHIVED)
    entries = read_entries()
    unproven = {entries[key].commit for each in stands if each.word == UNPROVEN for key in each.entries}
    unreachable = {name for name in unproven if full_name(name) is None}
    head, _ = commit(PROJECT)
    found = choose(load_studies("ci"), stands, head or "", everything, unreachable)
    if unreachable:
        warnings.warn(found.why, stacklevel=2)
    return found


def asked_for_all(config: pytest.Config) -> bool:
    """Whether the suite was asked for every study: make test ALL=1."""
    return config.getoption("--every-study")
