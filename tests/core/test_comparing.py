"""What follows from canaries that came out equal or otherwise; here their answers are made up, and nothing is trained."""

import json
from pathlib import Path

import pytest

from assay.errors import EvidenceError
from assay.evidence.tables import study_code
from assay.language.studies import load_studies
from assay.pipeline import comparing
from assay.pipeline.canaries import SCALE
from assay.pipeline.comparing import Comparison
from assay.pipeline.sides import Answer, Side, merged
from assay.provenance.proofs import Proofs

NAMES = ("mixup", "odin", "soups")
RUN, EVALUATE = "assay.training.run", "assay.measuring.evaluate"
CLASSIFY, SOUP, HELPER = "assay.protocols.classify", "assay.surgery.uniform_soup", "assay.training.helper"
OLD = "0" * 16


class Told:
    """Stands for the processes: gives each side the answers it was made with, and keeps what was asked."""

    def __init__(self, described: dict, computed: dict):
        self.described, self.computed, self.asked, self.jobs = described, computed, [], 2

    def do(self, tasks):
        self.asked += [(task.side.name, task.what, task.processes) for task in tasks]
        return [self._answer(task.side.name, task.what) for task in tasks]

    def _answer(self, side: str, what: dict) -> Answer:
        if "describe" in what:
            return Answer({SCALE: json.loads(json.dumps(self.described[side]))}, {})
        return Answer(
            {name: {"observations": "same", **self.computed[side].get(name, {})} for name in what.get("measure", ())}, {}
        )


@pytest.fixture(scope="module")
def today():
    return {name: {"digest": s.digest, "code": study_code(s)} for name, s in load_studies(SCALE, only=NAMES).items()}


@pytest.fixture
def compare(monkeypatch, today):
    """The comparison with code in which some modules had other hashes, and one more was used by `both`; `differing` canaries come
    out otherwise, and no canary comes by some places."""

    def of(modules, differing=(), places=None, gone=None, both=(), before=None, today=today) -> Comparison:
        monkeypatch.setattr(comparing, "untried", lambda *versions: dict(places or {}))
        described = {"after": today, "before": json.loads(json.dumps(today if before is None else before))}
        for name, found in described["before"].items():
            found["code"] |= {module: OLD for module in modules if module in found["code"]}
            found["code"] |= {gone: OLD} if name in both else {}
        told = Told(described, {"after": {name: {"observations": "other"} for name in differing}, "before": {}})
        return Comparison(Side("before", Path(), Path()), Side("after", Path(), Path()), told)

    return of


@pytest.mark.parametrize("before", [{}, {"mixup": {"digest": OLD, "code": {}}}])
def test_code_that_has_no_study_in_common_with_todays_is_not_taken_for_unchanged(compare, before):
    with pytest.raises(EvidenceError, match=r"^before has no study of scale ci that is the same there as here; recheck instead$"):
        compare([], before=before)


def code(today, study: str, *old: str) -> dict[str, str]:
    """A fingerprint, with some modules as they were."""
    return {module: OLD if module in old else value for module, value in today[study]["code"].items()}


def same(proof, today, study: str, *old: str) -> bool:
    """Whether a proof makes the study's evidence of old code count as today's."""
    known = Proofs((proof,))
    return known.oldest(code(today, study)) == known.oldest(code(today, study, *old))


def stale(proof, today, study: str, *old: str) -> bool:
    return bool(Proofs((proof,)).refutation(code(today, study, *old), code(today, study)))


def test_a_change_of_the_core_is_tried_by_all_canaries_and_a_plug_s_by_those_that_use_it(compare):
    assert compare([RUN]).canaries == list(NAMES)
    assert compare([CLASSIFY]).canaries == ["mixup"]
    assert compare([]).canaries == []


def test_equal_bytes_prove_it_for_all(compare, today):
    proof = compare([RUN]).proof
    assert proof.modules == {RUN: (OLD, today["mixup"]["code"][RUN])}
    assert (proof.canaries, proof.differing, proof.sha256[0]) == (NAMES, {}, proof.sha256[1])
    assert all(same(proof, today, name, RUN) for name in NAMES)


def test_a_change_of_the_core_makes_all_stale_that_share_a_plug_with_a_canary_that_differs(compare, today):
    comparison = compare([RUN], ["mixup"])
    assert set(comparison.differing["mixup"]) == load_studies(SCALE, only=["mixup"])["mixup"].plugs
    shares = {name: bool(set(comparison.differing["mixup"]) & comparison.studies[name].plugs) for name in NAMES}
    assert shares == {name: stale(comparison.proof, today, name, RUN) for name in NAMES}
    assert shares == {name: not same(comparison.proof, today, name, RUN) for name in NAMES}


def test_where_a_plug_changed_too_it_takes_the_blame(compare, today):
    proof = compare([RUN, CLASSIFY], ["mixup"]).proof
    assert stale(proof, today, "mixup", RUN, CLASSIFY)
    assert same(proof, today, "soups", RUN)
    assert same(proof, today, "odin", RUN)


def test_a_plug_that_took_part_in_no_equal_canary_is_blamed_beside_the_changed_one(compare):
    comparison = compare([RUN, CLASSIFY], ["mixup"])
    own = comparison.studies["mixup"].plugs - comparison.studies["odin"].plugs - comparison.studies["soups"].plugs
    assert set(comparison.differing["mixup"]) == own | {"protocols/classify"}


def test_a_canary_that_is_no_study_speaks_against_what_no_study_has(compare, today):
    """A hook that computes something else leaves evidence without hooks as it is."""
    hooks = load_studies(SCALE, only=["hooks"], canaries=True)["hooks"]
    more = today | {"hooks": {"digest": hooks.digest, "code": study_code(hooks)}}
    comparison = compare([RUN], ["hooks"], today=more)
    assert comparison.canaries == ["hooks", *NAMES]
    blamed = set(comparison.differing["hooks"])
    assert {"samplers/subset", "objectives/rex"} <= blamed
    assert not any(blamed & comparison.studies[name].plugs for name in NAMES)
    proof = comparison.proof
    assert all(same(proof, today, name, RUN) and not stale(proof, today, name, RUN) for name in NAMES)
    assert stale(proof, more, "hooks", RUN)
    assert "worlds/urban_shapes" in compare(["assay.worlds.urban_shapes"], ["hooks"], today=more).differing["hooks"]
    assert stale(compare([RUN], ["hooks", "mixup"], today=more).proof, today, "mixup", RUN)


def test_a_changed_plug_is_not_cleared_by_an_equal_canary(compare, today):
    resnet = "assay.models.resnet"
    users = [name for name in NAMES if resnet in today[name]["code"]]
    assert len(users) > 1
    comparison = compare([resnet], users[:1])
    assert "models/resnet" in comparison.differing[users[0]]
    assert all(stale(comparison.proof, today, name, resnet) for name in users)


def test_changed_places_that_no_canary_came_by_prove_nothing(compare, today):
    assert compare([RUN], places={RUN: ["training/run.py:1"]}).proof is None
    proof = compare([RUN, CLASSIFY], places={CLASSIFY: ["protocols/classify.py:1"]}).proof
    assert not same(proof, today, "mixup", RUN, CLASSIFY)
    assert same(proof, today, "odin", RUN)
    proof = compare([RUN], ["mixup"], places={RUN: ["training/run.py:1"]}).proof
    assert stale(proof, today, "mixup", RUN)
    assert not same(proof, today, "odin", RUN)


def test_plugs_that_no_canary_has_are_not_spoken_for(compare, today):
    """soups is no canary: it measured something else before, or did not exist."""
    for before in (
        {name: found for name, found in today.items() if name != "soups"},
        today | {"soups": today["soups"] | {"digest": "other"}},
    ):
        comparison = compare([RUN], before=before)
        assert comparison.canaries == ["mixup", "odin"]
        assert SOUP in comparison.untried
        assert not same(comparison.proof, today, "soups", RUN)
        assert same(comparison.proof, today, "mixup", RUN)


def test_a_canary_that_old_code_cannot_run_speaks_for_nothing(compare, today):
    comparison = compare([RUN])
    comparison.runner.computed["before"] = {"soups": {"error": "ImportError: gone"}}
    assert comparison.proof.canaries == ("mixup", "odin")
    assert not same(comparison.proof, today, "soups", RUN)


def test_a_canary_that_today_s_code_cannot_run_is_an_error(compare):
    comparison = compare([RUN])
    comparison.runner.computed["after"] = {"soups": {"error": "TypeError: f() got 1"}}
    with pytest.raises(EvidenceError, match=r"^canary soups fails with today's code \(TypeError: f\(\) got 1\); mend it first$"):
        _ = comparison.proof


def test_what_one_version_alone_tells_of_is_not_compared(compare):
    comparison = compare([RUN])
    comparison.runner.computed["after"] = {name: {"news": "1"} for name in NAMES}
    assert comparison.proof.differing == {}


def test_a_module_that_went_is_put_back_where_it_was_used(compare, today):
    comparison = compare([CLASSIFY], gone=HELPER, both=["mixup"])
    proof = comparison.proof
    assert proof.users == {HELPER: (CLASSIFY,)}
    known = Proofs((proof,))
    assert known.oldest(code(today, "mixup")) == code(today, "mixup", CLASSIFY) | {HELPER: OLD}
    assert known.oldest(code(today, "odin")) == code(today, "odin")
    assert compare([RUN, CLASSIFY], gone=HELPER, both=["mixup"]).proof.users == {HELPER: (CLASSIFY,)}  # not what all use


def test_a_file_that_is_read_is_no_module_to_prove(compare, today):
    before = json.loads(json.dumps(today))
    before["odin"]["code"]["data/digits.npz"] = OLD
    assert compare([RUN], before=before).changed.keys() == {RUN}


def test_what_processes_of_a_side_tell_is_put_together():
    one = Answer({"mixup": {"weights": "a"}, "odin": {"weights": "b"}}, {RUN: {1, 2}})
    other = Answer({"mixup": {"shared": "c"}}, {RUN: {2, 3}, EVALUATE: {1}})
    both = Answer({"mixup": {"weights": "a", "shared": "c"}, "odin": {"weights": "b"}}, {RUN: {1, 2, 3}, EVALUATE: {1}})
    assert merged([one, other]) == both


def test_where_training_changed_a_network_is_stopped_and_one_is_shared(compare):
    comparison = compare([RUN])
    _ = comparison.proof
    tasks = [what for side, what, _ in comparison.runner.asked if side == "after" and "describe" not in what]
    assert sorted(len([key for key in ("again", "share") if key in what]) for what in tasks) == [1, 1]
    assert [processes for _, what, processes in comparison.runner.asked if "share" in what] == [2, 2]
    comparison = compare([EVALUATE])
    _ = comparison.proof
    assert not any({"again", "share"} & what.keys() for _, what, _ in comparison.runner.asked)


def test_both_sides_are_asked_the_same_and_watch_what_changed(compare):
    comparison = compare([RUN, CLASSIFY])
    _ = comparison.proof
    asked = {
        side: [what for name, what, _ in comparison.runner.asked if name == side and "describe" not in what]
        for side in ("before", "after")
    }
    assert asked["before"] == asked["after"]
    assert all(what["watch"] == sorted([RUN, CLASSIFY]) for what in asked["after"])
    assert sorted(name for what in asked["after"] for name in what.get("measure", ())) == list(NAMES)
