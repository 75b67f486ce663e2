"""Which studies the suite computes: what is proven is sampled, what is not is computed, whatever else there is."""

from dataclasses import replace

import pytest
from choosing import KINDS, SAMPLE, Choice, choose, sampled

from assay.artifacts.archiving import Status
from assay.language.studies import load_studies
from assay.pipeline.canaries import cover

COMMITS = [f"{number:040x}" for number in range(100)]


@pytest.fixture(scope="module")
def studies():
    every = load_studies("ci")
    return {name: every[name] for name in cover(every)}


def archive(studies, **words) -> list[Status]:
    return [Status(name, words.get(name, "fresh")) for name in studies]


def copies(studies, count: int):
    """Each study, and as many more of the same content."""
    return studies | {
        f"{name}-{number}": replace(study, file=study.file) for number in range(count) for name, study in studies.items()
    }


def chosen(studies, commit: str = COMMITS[0], everything: bool = False, unreachable=(), **words) -> Choice:
    return choose(studies, archive(studies, **words), commit, everything, unreachable)


def test_every_protocol_objective_and_model_is_computed_at_any_commit(studies):
    def used(names) -> set[str]:
        return {plug for name in names for plug in studies[name].plugs if plug.split("/")[0] in KINDS}

    assert {kind for plug in used(studies) if (kind := plug.split("/")[0])} == set(KINDS)
    for commit in COMMITS[:2]:
        assert used(chosen(studies, commit).computed) == used(studies)


def test_more_studies_of_the_same_methods_are_no_more_work(studies):
    few, many = chosen(studies), chosen(copies(studies, 2))
    assert len(many.computed) <= len(few.computed) + SAMPLE
    assert len(many.run) == len(few.run) == SAMPLE


def test_the_sample_is_the_same_at_one_commit_and_reaches_every_study_over_many(studies):
    found = chosen(studies)
    assert found == chosen(dict(reversed(studies.items())))
    assert set(found.run) <= set(found.computed)
    samples = [tuple(sampled(studies, commit)) for commit in COMMITS]
    assert samples[0] == found.run
    assert len(set(samples)) > 90
    assert set().union(*samples) == set(studies)


@pytest.mark.parametrize("word", ["stale", "missing", "withdrawn"])
def test_studies_without_fresh_evidence_are_all_computed(studies, word):
    many = copies(studies, 2)
    proven = chosen(many).computed
    left_out = [name for name in many if name not in proven][:10]
    found = chosen(many, **dict.fromkeys(left_out, word))
    assert set(left_out) <= set(found.computed)
    assert found.why.endswith("10 without fresh evidence")


def test_for_unproven_studies_canaries_stand_in_unless_their_commit_is_not_in_the_clone(studies):
    many = copies(studies, 2)
    words = dict.fromkeys(many, "unproven")
    assert chosen(many, **words) == chosen(many)
    found = chosen(many, unreachable=["c" * 40], **words)
    assert set(found.computed) == set(many)
    assert found.why == (
        "all studies: evidence is unproven and commit cccccccccccc is not in this clone, so no canary can be compared"
    )


def test_all_are_computed_and_run_if_asked_for(studies):
    found = chosen(studies, everything=True)
    assert set(found.computed) == set(found.run) == set(studies)
