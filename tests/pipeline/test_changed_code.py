"""Code that changed since evidence was archived computes what it did: the canaries that the change meets run with both.

A wrong number is seen here, whichever protocol, objective, model or module of the core it comes from, without a list of expected
numbers, which would be those of one processor. A change that is meant to alter numbers is declared by what `assay prove` writes.
"""

import os
import warnings
from functools import partial

import pytest

from assay.artifacts.entries import ARCHIVE
from assay.pipeline.proving import Made, Outcome, prove, unproven
from assay.provenance import proofs

DECLARE = "if this is meant, run `assay prove` and commit proofs.txt"
MEND = "mend it first"  # how the failure of a canary with today's code ends


@pytest.fixture
def proofs_aside(tmp_path, monkeypatch):
    """What is found is recorded in a copy."""
    copy = tmp_path / "proofs.txt"
    copy.write_text(proofs.FILE.read_text() if proofs.FILE.exists() else "")
    monkeypatch.setattr(proofs, "add", partial(proofs.add, path=copy))
    monkeypatch.setattr(proofs, "FILE", copy)
    yield
    proofs.committed.cache_clear()


def other_numbers(outcomes: list[Outcome]) -> list[str]:
    """What fails the suite, in lines: canaries that came out otherwise, or not at all."""
    differing = [
        f"since {outcome.commit[:12]}: {name} computes other numbers (blamed: {', '.join(plugs)}); {DECLARE}"
        for outcome in outcomes
        for name, plugs in outcome.differing.items()
    ]
    return differing + [outcome.failure for outcome in outcomes if outcome.failure.endswith(MEND)]


def undecided(outcomes: list[Outcome]) -> list[str]:
    """What no canary can tell, in lines."""
    untried = [f"{module}: no canary came by what changed there" for outcome in outcomes for module in outcome.untried]
    return untried + [outcome.failure for outcome in outcomes if outcome.failure and not outcome.failure.endswith(MEND)]


def archived() -> list[Made]:
    return [made for made in unproven() if made.name.startswith(f"{ARCHIVE}/")]


def test_code_that_changed_since_evidence_was_archived_computes_the_same(proofs_aside):
    outcomes = prove(archived(), (), os.cpu_count() or 1, say=lambda line: None)
    for line in undecided(outcomes):
        warnings.warn(line, stacklevel=1)
    found = other_numbers(outcomes)
    assert not found, "\n".join(found)


def test_what_canaries_say_is_an_error_a_warning_or_nothing():
    equal = Outcome("a" * 40, ("assay.x",), ("mixup",))
    differing = Outcome("b" * 40, ("assay.x",), ("mixup",), {"mixup": ("models/mlp",)}, {"assay.y": ["y.py:3"]})
    broken = Outcome("c" * 40, failure=f"commit cccccccccccc: canary odin fails with today's code (KeyError: 'x'); {MEND}")
    gone = Outcome("d" * 40, failure="commit dddddddddddd is not in this clone, so its code cannot be run")
    every = [equal, differing, broken, gone]
    assert other_numbers(every) == [
        f"since bbbbbbbbbbbb: mixup computes other numbers (blamed: models/mlp); {DECLARE}",
        broken.failure,
    ]
    assert undecided(every) == ["assay.y: no canary came by what changed there", gone.failure]
