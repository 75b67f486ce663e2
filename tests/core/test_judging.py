"""Judging on stored evidence: what is there is judged, what is not is listed with its reason, damaged evidence is withdrawn."""

import hashlib
import json
from dataclasses import replace

import pytest
from scipy.stats import ttest_1samp

from assay.errors import EvidenceError
from assay.evidence.tables import read_blocks, read_evidence
from assay.judging.judging import judge_results, require_evidence, write_verdicts
from assay.judging.release import Release
from assay.language.recipes import canonical
from assay.pipeline.sources import Sources
from assay.provenance.fingerprints import digest

RELEASE = Release({})  # nothing is released yet


@pytest.fixture
def tree(tree):
    tree.study("other")
    return tree


def judged(tree) -> dict:
    judgements = [json.loads(tree.compiled(name).judgement) for name in ("mixup", "other")]
    return judge_results(judgements, tree.sources, Release.at("laptop", tree.root))


def leave(path, **content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def waiting(tree, **needs: tuple[str, ...]):
    """A run is planned in which studies wait for these training jobs."""
    Sources(tree.results, tree.sources.places, {}, needs).write()


def test_a_verdict_names_what_it_rests_on(tree):
    record = judged(tree)["studies"]["mixup"]
    provenance = read_evidence(tree.folder()).provenance
    assert record["word"] == "supported"
    assert record["expectations"][0]["effect"] == pytest.approx(0.1)
    assert record["rests_on"]["observations_sha256"] == provenance["sha256"]
    assert record["rests_on"]["study_sha256"] == tree.compiled().digest
    assert record["rests_on"]["code"] == digest(provenance["code"])
    assert record["rests_on"]["blocks"] == {"0-4": provenance["sha256"]}
    said = {
        key: value
        for key, value in json.loads(tree.compiled().judgement).items()
        if key not in ("first", "first_look", "earlier")
    }
    assert record["rests_on"]["judgement"] == hashlib.sha256(canonical(said).encode()).hexdigest()


def test_a_verdict_rests_on_all_blocks_together(tree):
    tree.measure(block="5-9", erm=0.7)
    record = judged(tree)["studies"]["mixup"]
    together = read_blocks([tree.folder(block=name) for name in ("0-4", "5-9")]).provenance
    assert record["seeds"] == 10
    assert record["controls"][0]["mean"] == pytest.approx(0.65, abs=0.005)
    assert list(record["rests_on"]["blocks"]) == ["0-4", "5-9"]
    assert record["rests_on"]["blocks"] == together["blocks"]
    assert record["rests_on"]["observations_sha256"] == together["sha256"]


def test_study_without_evidence_is_listed_and_the_other_judged(tree):
    found = judged(tree)
    assert set(found["studies"]) == {"mixup"}
    assert found["failed"]["other"]["stage"] == "measure"
    assert found["failed"]["other"]["error"] == f"other: no evidence in {tree.results}; run snakemake"


def test_what_the_measurement_left_is_the_reason(tree):
    waiting(tree, other=("linear-shapes-12345678",))
    leave(tree.results / "logs/measure/other/0-4.failed.json", stage="measure", error="no finite number", log="measure.log")
    assert judged(tree)["failed"]["other"]["error"] == "no finite number"
    leave(tree.results / "logs/train/linear-shapes-12345678.failed.json", stage="train", error="diverged", log="train.log")
    assert judged(tree)["failed"]["other"] == {"stage": "train", "error": "diverged", "log": "train.log"}  # the root of the other


def test_failed_training_of_another_study_is_no_reason(tree):
    waiting(tree, mixup=("linear-shapes-12345678",), other=())
    leave(tree.results / "logs/train/linear-shapes-12345678.failed.json", stage="train", error="diverged", log="train.log")
    assert judged(tree)["failed"]["other"]["stage"] == "measure"


def test_evidence_that_cannot_be_judged_fails_alone(tree):
    tree.study("other", expect=["mixup.loss < erm.loss"])
    tree.measure("other")
    found = judged(tree)
    assert found["failed"]["other"]["stage"] == "judge"
    assert set(found["studies"]) == {"mixup"}


def test_of_a_study_with_a_failed_arm_the_rest_is_judged_as_among_all_and_it_comes_to_no_verdict(tree):
    tree.study(
        expect=["mixup.top1 > 0.697", "mixup.top1 > erm.top1"],
        secondary=["erm.top1 > 0.2"],
        controls=["mixup.top1 > 0.3", "erm.top1 > 0.3"],
    )
    tree.measure()
    tree.measure("other")
    why = {"erm": "TypeError: no"}
    whole, broken = tree.sources, replace(tree.sources, in_part={"mixup": why})
    judgements = [json.loads(tree.compiled(name).judgement) for name in ("mixup", "other")]
    waiting(tree, mixup=())
    leave(tree.results / "logs/measure/mixup/0-4.failed.json", stage="measure", error="TypeError: no", log="x.log")
    found = judge_results(judgements, broken, RELEASE)
    assert set(found["studies"]) == {"other"}
    assert found["studies"]["other"] == judge_results(judgements[1:], whole, RELEASE)["studies"]["other"]
    assert found["failed"]["mixup"] == {"stage": "measure", "error": "TypeError: no", "log": "x.log", "arms": why}
    record = found["partial"]["mixup"]
    p = ttest_1samp([0.7 + 0.002 * (seed - 2) for seed in range(5)], 0.697).pvalue
    (item,) = record["expectations"]
    # One look counts twice, and the claim that cannot be judged is one more in the family, with P = 1.
    assert item["text"] == "mixup.top1 > 0.697"
    assert item["p"]["holds"] == [pytest.approx(p / 2)]
    assert (item["P"]["holds"], item["q"]["holds"]) == (pytest.approx(p), pytest.approx(2 * p))
    assert (record["word"], record["count"]) == ("", "")
    assert record["secondary"] == []
    assert [control["text"] for control in record["controls"]] == ["mixup.top1 > 0.3"]
    lost = {"controls": ["erm.top1 > 0.3"], "expect": ["mixup.top1 > erm.top1"], "secondary": ["erm.top1 > 0.2"]}
    assert record["unread"] == lost


def test_where_no_expectation_can_be_judged_what_is_left_is_still_said(tree):
    found = judge_results(
        [json.loads(tree.compiled().judgement)],
        replace(tree.sources, in_part={"mixup": {"erm": "no", "mixup@0.5": "no"}}),
        RELEASE,
    )
    assert found["partial"]["mixup"]["expectations"] == []
    assert found["partial"]["mixup"]["unread"]["expect"] == ["mixup.top1 > erm.top1"]


def test_damaged_evidence_is_withdrawn_and_named(tree):
    tree.measure("other")
    tree.measure("other", block="5-9")
    require_evidence(["mixup", "other"], tree.sources)
    for name in ("mixup", "other"):
        table = tree.folder(name) / "observations.csv"
        table.write_bytes(table.read_bytes()[:-5])
    with pytest.raises(EvidenceError, match=r"mixup/0-4/observations\.csv: truncated or altered"):
        require_evidence(["mixup", "other"], tree.sources)
    assert list(tree.results.rglob("provenance.json")) == [tree.folder("other", "5-9") / "provenance.json"]


def test_written_verdicts_are_strict_json_with_the_same_bytes(tree):
    judgements = [json.loads(tree.compiled().judgement)]
    write_verdicts(judgements, tree.sources, "laptop", tree.root, "again.json")
    text = (tree.results / "again.json").read_text()
    assert text == (tree.results / "verdicts.json").read_text()
    data = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert set(data) == {"alpha", "studies", "failed", "since"}


def test_a_study_is_judged_among_what_is_released_and_moves_no_other_word(tree):
    tree.archive(erm=0.5)
    tree.measure("other")
    both = judged(tree)["studies"]
    assert both["mixup"]["release"] == {
        "word": "supported", "count": "1 of 1 holds", "seeds": 5, "same_evidence": False, "same_text": True,
    }  # fmt: skip
    assert both["other"]["release"] is None
    own = both["other"]["expectations"][0]
    assert own["q"]["holds"] == min(1, 2 * own["P"]["holds"])  # of the released claim and its own
    alone = both["mixup"]["expectations"][0]
    assert alone["q"]["holds"] == alone["P"]["holds"]  # in place of its own line, and `other` is not released


def test_changes_are_told_against_the_last_release(tree):
    tree.archive()
    last = Release.at("laptop", tree.root)
    judgements = [json.loads(tree.compiled().judgement)]
    last = Release(last.lines, "v1")
    found = judge_results(judgements, tree.sources, Release.at("laptop", tree.root), last)
    assert found["since"] == {"tag": "v1", "changes": []}
    assert judged(tree)["since"] is None
