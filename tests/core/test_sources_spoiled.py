"""Blocks that are not what their jobs left, the modes of evidence, and plans that are read again."""

import json

import pytest
from project_tree import ELSEWHERE, HERE
from sources_cases import ARCHIVED, COMPUTED, CORE, FIRST, LOCAL, SECOND, THIRD, archived, code, decided, keys, measured, where

from assay.artifacts.entries import write_entries
from assay.errors import EvidenceError
from assay.language.blocks import Block
from assay.language.draws import drawing
from assay.language.studies import load_studies
from assay.pipeline.deciding import sources_now
from assay.pipeline.sources import FORMAT, Place, Sources
from assay.provenance.platforms import platform_key
from assay.storage.files import read_json

# What lies here and is not what a job left


def cut(tree):
    path = tree.folder() / "observations.csv"
    path.write_bytes(path.read_bytes()[:-7])


def edit(tree):
    path = tree.folder() / "arrays.npz"
    path.write_bytes(path.read_bytes()[:-1] + b"x")


def lose(tree):
    (tree.folder() / "provenance.json").unlink()


def forget(tree):
    for path in (tree.results / "receipts").rglob("0-4.json"):
        path.unlink()


def revouched(**changes):
    def spoil(tree):
        path = tree.folder() / "provenance.json"
        about = {key: value for key, value in (read_json(path) | changes).items() if value is not None}
        path.write_text(json.dumps(about))
        tree.vouch()

    return spoil


def blur(tree):
    (tree.folder() / "provenance.json").write_text("{")
    tree.vouch()


@pytest.fixture
def tree(unmeasured):
    return unmeasured


@pytest.mark.parametrize(
    "spoil",
    [cut, edit, lose, forget, blur]
    + [revouched(**{key: value}) for key, value in {"format": 2, "platform": None, "draws": "trial", "study_sha256": ""}.items()],
    ids=["cut", "edited", "lost", "no receipt", "no JSON", "format", "no platform", "trial draws", "other study"],
)
def test_a_block_that_is_not_what_its_job_left_or_of_something_else_is_computed_again(tree, spoil):
    measured(tree)
    spoil(tree)
    assert where(decided(tree)) == [("0-4", "computed", "fresh"), ("5-9", "here", "fresh")]
    assert where(decided(tree, chosen=())) == []


def test_bytes_that_are_the_same_at_another_time_are_as_they_were_left(tree):
    measured(tree)
    for path in tree.folder().iterdir():
        path.write_bytes(path.read_bytes())
    assert where(decided(tree)) == LOCAL


def test_evidence_of_trial_draws_counts_among_trial_draws_alone(tree):
    measured(tree, draws="trial")
    assert where(decided(tree, "recomputed")) == COMPUTED
    with drawing("trial"):
        assert where(decided(tree, "recomputed")) == LOCAL


# Modes and selections


def test_recomputed_takes_nothing_from_the_archive_and_nothing_unproven(tree):
    archived(tree)
    assert where(decided(tree, "recomputed")) == COMPUTED
    measured(tree, "0-4")
    measured(tree, "5-9", code=code(tree, CORE))
    assert where(decided(tree, "recomputed")) == [("0-4", "here", "fresh"), ("5-9", "computed", "fresh")]


def test_recomputing_some_studies_takes_no_page_from_the_others(tree):
    tree.study("other")
    archived(tree)
    tree.measure("other", block="0-4")
    found = decided(tree, "recomputed", chosen=("other",))
    assert where(found) == ARCHIVED
    assert where(found, "other") == [("0-4", "here", "fresh"), ("5-9", "computed", "fresh")]
    with drawing("trial"):
        assert where(decided(tree, "recomputed", chosen=("other",))) == []


def test_archive_computes_nothing_and_takes_nothing_from_here(tree):
    measured(tree)
    found = decided(tree, "archive")
    assert where(found) == []
    assert found.lacking == {"mixup": ("the archive has no evidence of it",)}
    archived(tree, "0-4")
    assert where(decided(tree, "archive")) == [("0-4", "archive", "fresh")]


def test_archive_shows_what_is_stale_as_stale(tree):
    archived(tree)
    tree.study(base={"world": "shapes", "model": "mlp"})
    found = decided(tree, "archive")
    assert [word for _, _, word in where(found)] == ["stale", "stale"]
    assert found.freshness("mixup").reasons[0] == "what the study measures changed"


def test_archive_shows_what_is_fresh_before_what_is_stale(tree):
    archived(tree, day=1, study_sha256="0" * 64)
    fresh_ones = archived(tree, "0-4", day=2, platform=THIRD)
    assert keys(decided(tree, "archive")) == [entry.key for entry in fresh_ones]


def test_a_selection_changes_what_is_computed_and_nothing_of_the_others(tree):
    for name in ("archived", "here", "nowhere", "partial"):
        tree.study(name)
    tree.archive("archived")
    tree.archive("archived", block="5-9")
    tree.measure("here")
    tree.measure("here", block="5-9")
    tree.archive("partial")
    every = list(load_studies("laptop", tree.root / "config"))
    whole, one, none = (decided(tree, chosen=chosen) for chosen in (every, ["nowhere"], []))
    assert where(one, "nowhere") == COMPUTED
    assert one.computed == [("nowhere", FIRST), ("nowhere", SECOND)]
    assert none.computed == []
    for name in ("archived", "here"):
        assert whole.places[name] == one.places[name] == none.places[name]
    assert one.places["partial"] == none.places["partial"]
    assert where(one, "partial") == [("0-4", "archive", "fresh")]
    assert list(one.places) == list(whole.places) == every  # whatever was asked for, in one order
    assert one.shown == ["archived", "here", "nowhere", "partial"]


def test_now_is_what_there_is_where_nothing_is_computed(tree):
    measured(tree)
    studies = load_studies("laptop", tree.root / "config")
    assert sources_now(studies, tree.results, tree.root).places == decided(tree, chosen=()).places


# Reading


def test_evidence_is_read_where_it_lies(tree):
    measured(tree, erm=0.6)
    archived(tree, erm=0.5)
    table = decided(tree).evidence("mixup", tree.root).observations
    assert [row.seed for row in table if row.arm == "erm"] == list(range(10))
    assert next(row.value for row in table if (row.arm, row.seed) == ("erm", 2)) == 0.5
    here = decided(tree, "recomputed").evidence("mixup", tree.root).observations
    assert next(row.value for row in here if (row.arm, row.seed) == ("erm", 2)) == 0.6


def test_archived_evidence_that_is_gone_or_altered_is_said_in_one_line(tree):
    first, second = archived(tree)
    found = decided(tree)
    path = tree.root / second.folder / "observations.csv"
    path.write_text(path.read_text().replace("0.7", "0.8", 1))
    with pytest.raises(EvidenceError) as caught:
        found.evidence("mixup", tree.root)
    assert str(caught.value) == (
        f"{second.folder}/observations.csv: is not the file that archive.jsonl lists; run: assay pull archive"
    )
    write_entries({first.key: None}, tree.root)
    with pytest.raises(EvidenceError, match=rf"^{first.key}: is no longer in the archive; run snakemake again$"):
        found.evidence("mixup", tree.root)


def test_what_a_line_of_the_archive_says_is_what_its_provenance_says(tree):
    """A plan or a code edited into the manifest would make stale evidence fresh."""
    first, _ = archived(tree)
    for key, value in {"plan": "0" * 64, "code": {"assay.training.run": "0"}}.items():
        write_entries({first.key: first.model_copy(update={key: value})}, tree.root)
        with pytest.raises(EvidenceError, match=rf"^archive\.jsonl: {first.key}: another '.*' than its provenance has;"):
            decided(tree, "archive").evidence("mixup", tree.root)


def test_a_study_without_evidence_is_said_in_one_line(tree):
    with pytest.raises(EvidenceError, match=r"^mixup: no evidence in .*results/laptop; run snakemake$"):
        decided(tree, chosen=()).evidence("mixup", tree.root)


def test_damaged_evidence_from_here_is_withdrawn_and_archived_is_left(tree):
    measured(tree)
    local = decided(tree)
    cut(tree)
    local.withdraw("mixup")
    assert not (tree.folder() / "provenance.json").exists()
    assert (tree.folder(block="5-9") / "provenance.json").exists()
    entries = archived(tree)
    (tree.root / entries[0].folder / "arrays.npz").write_bytes(b"")
    decided(tree).withdraw("mixup")
    assert (tree.root / entries[0].folder / "provenance.json").exists()
    assert (tree.folder(block="5-9") / "provenance.json").exists()


def test_why_a_study_failed_is_what_its_first_failed_job_left(tree):
    found = Sources(tree.results, {}, {}, {"mixup": ("linear-1-0-4", "linear-2-0-4"), "other": ()})
    assert found.failure("mixup") is None
    logs = tree.results / "logs"
    for path, error in (("measure/mixup/5-9", "no number"), ("train/linear-2-0-4", "diverged")):
        (logs / path).parent.mkdir(parents=True, exist_ok=True)
        (logs / f"{path}.failed.json").write_text(json.dumps({"stage": path.split("/")[0], "error": error}))
        assert found.failure("mixup")["error"] == error
        assert found.failure("other") is None


def test_a_worlds_card_is_the_archives_if_it_has_one(tree):
    entry = tree.archive()
    found = decided(tree)
    assert found.card("shapes-01234567", tree.root) == tree.results / "worlds/shapes-01234567"
    card = entry.model_copy(update={"key": "laptop/worlds/shapes-01234567", "plan": "", "code": {}, "platform": {}})
    write_entries({card.key: card}, tree.root)
    assert found.card("shapes-01234567", tree.root) == tree.root / "archive/laptop/worlds/shapes-01234567"
    assert found.card("shapes-76543210", tree.root) == tree.results / "worlds/shapes-76543210"
    trial = decided(tree, "recomputed", results=tree.root / "results/laptop-trial")
    assert trial.card("shapes-01234567", tree.root) == tree.root / "results/laptop-trial/worlds/shapes-01234567"


# The plan


def test_jobs_read_what_the_main_process_decided(tree):
    for name in ("here", "nowhere", "stale"):
        tree.study(name)
    archived(tree, code=code(tree, CORE))
    tree.measure("here")
    tree.archive("stale", study_sha256="0" * 64)
    found = decided(tree, chosen=("nowhere", "here"))
    found = Sources(found.results, found.places, found.lacking, {"nowhere": ("linear-1-0-4", "linear-1-5-9"), "here": ()})
    found.write()
    measured(tree)  # since then other results lie there
    read = Sources.read(tree.results)
    assert read == found
    assert [place.word for place in read.places["mixup"]] == ["unproven", "unproven"]
    assert read.lacking == {"stale": ("its evidence is stale: what the study measures changed",)}


@pytest.mark.parametrize(("format", "shown"), [(1, "1"), (None, "None"), ("2", "'2'")])
def test_a_plan_of_another_format_is_said_in_one_line(tree, format, shown):
    decided(tree).write()
    path = tree.results / "plan.json"
    path.write_text(json.dumps(read_json(path) | {"format": format}))
    with pytest.raises(EvidenceError) as caught:
        Sources.read(tree.results)
    assert str(caught.value) == f"{path}: key 'format': {shown} (allowed: {FORMAT}); run snakemake again"


def test_a_plan_that_was_cut_is_said_in_one_line(tree):
    decided(tree).write()
    path = tree.results / "plan.json"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(EvidenceError, match=r"plan\.json: truncated or not JSON \([^\n]*\); delete it and run snakemake again$"):
        Sources.read(tree.results)


@pytest.mark.parametrize(
    "changed",
    [
        {"places": {"mixup": [{"block": "0-4"}]}},
        {"places": {"mixup": [{"block": "4-0", "where": "here"}]}},
        {"places": []},
        {"needs": None},
        {"rechecked": [["mixup"]]},
    ],
)
def test_a_plan_that_no_run_left_is_said_in_one_line(tree, changed):
    decided(tree).write()
    path = tree.results / "plan.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    with pytest.raises(EvidenceError, match=r"plan\.json: is not as a run leaves it \([^\n]*\); run snakemake again$"):
        Sources.read(tree.results)


def test_without_a_plan_what_lies_there_counts_in_the_order_of_repetitions(tree):
    assert Sources.read(tree.results) == Sources(tree.results, {}, {}, {})
    measured(tree, "10-14", "0-4", "5-9")
    (tree.folder(block="0-4") / "provenance.json").unlink()
    assert Sources.read(tree.results).places == {"mixup": (Place(SECOND, "here"), Place(Block(10, 14), "here"))}


def test_checksums_of_blocks_are_known_before_they_are_read(tree):
    measured(tree)
    said = {block.name: read_json(tree.folder(block=block.name) / "provenance.json")["sha256"] for block in (FIRST, SECOND)}
    assert decided(tree).checksums("mixup") == said
    assert tree.sources.checksums("mixup") == said  # of places that were not decided on
    assert decided(tree).checksums("other") == {}


def test_the_platform_of_an_entry_is_in_its_key(tree):
    entry = tree.archive()
    assert entry.platform_key == platform_key(ELSEWHERE) != platform_key(HERE)
    assert (entry.scale, entry.study, entry.block, entry.world) == ("laptop", "mixup", FIRST, None)
