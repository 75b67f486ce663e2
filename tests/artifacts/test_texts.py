"""Texts that changed after looking, and fewer seeds than were measured: what is refused, from what is known, in what words."""

import json

import pytest
import yaml
from project_tree import STUDY, Tree
from released import commit, ready

from assay.artifacts import archiving
from assay.artifacts.archiving import archive, status, withdraw
from assay.artifacts.entries import read_entries, retired_key, write_entries
from assay.artifacts.texts import Texts, refuse_unrevised
from assay.cli.artifacts import COLOURS
from assay.cli.checking import check
from assay.data.seeds import ROOT_NAME
from assay.errors import EvidenceError, StudyError
from assay.evidence.freshness import FRESH, STALE, UNPROVEN
from assay.evidence.tables import Observation, read_blocks, write_evidence
from assay.judging import judging
from assay.judging.judging import write_verdicts
from assay.judging.release import Release
from assay.language.blocks import Block
from assay.language.catalogue import load as load_catalogue
from assay.language.configuration import Config
from assay.language.studies import load_studies
from assay.pipeline.deciding import decide, sources_now
from assay.pipeline.sources import Sources
from assay.report import build
from assay.report.reporting import checked_view
from assay.storage.files import read_json

CHANGED = {
    "expect": ["mixup.top1 < erm.top1"],
    "margin": {"top1": 0.01},
    "controls": ["erm.top1 > 0.4"],
    "arms": {"erm": {}, "mixup": {"augment": {"mixup": {"alpha": 0.5}}}},
    "protocol": {"classify": {"attack": "fgsm"}},
    "sweep": {"world.label_noise": [0, 0.2]},
    "base": {"world": "shapes", "model": "mlp"},
}
SAME = {
    "notes": "More to read.",
    "question": "What then?",
    "secondary": ["mixup.top1 > 0.1"],
    "figure": "lines",
    "published": [{"metric": "erm.top1", "value": 0.5, "source": "table 1", "setting": "CIFAR-10"}],
}
WHY = {"why": "the sign was wrong"}


@pytest.fixture
def tree(tmp_path):
    tree = Tree(tmp_path)
    tree.scale()
    tree.study()
    return tree


def noted(tree, block="0-4", root=ROOT_NAME, **changes):
    """A block as it is measured today, with its text."""
    return tree.measure(block=block, judged_sha256=tree.compiled().judged_digest, root=root, **changes)


def archived(tree, block="0-4", root=ROOT_NAME):
    """The same in the archive alone."""
    entry = tree.archive(block=block)
    claims = dict.fromkeys(STUDY["expect"], "holds")
    said = {"judged": tree.compiled().judged_digest, "root": root, "word": "supported", "claims": claims}
    write_entries({entry.key: entry.model_copy(update=said)}, tree.root)


def said_by(call, *arguments) -> str | None:
    try:
        call(*arguments)
    except StudyError as error:
        return str(error)
    return None


def refused(tree, scale="laptop") -> str | None:
    """What is wrong with the study, as a check of it says and as a run does."""
    config = tree.root / "config"
    study = load_studies(scale, config)["mixup"]
    told = said_by(Texts(config, tree.root).check, study)
    assert told is None or "\n" not in told
    assert said_by(refuse_unrevised, Config(scale=scale), [study], config, tree.root) == told
    return told


@pytest.mark.parametrize("keep", [noted, archived])
@pytest.mark.parametrize("key", CHANGED)
def test_a_judged_text_is_not_changed_without_saying_so(tree, keep, key):
    keep(tree)
    assert refused(tree) is None
    tree.study(**{key: CHANGED[key]})
    assert refused(tree).endswith(
        "mixup.yaml: revised: 5 seeds were measured at scale laptop under another text than this; restore the text, or add to its"
        " list {seen: 5, why: ...}"
    )
    assert any("revised: 5 seeds were measured" in problem for problem in check(tree.root / "config").problems)
    tree.study(**{key: CHANGED[key]}, revised=[{"seen": 5} | WHY])
    assert refused(tree) is None
    study = tree.compiled()
    assert (study.first, study.earlier) == (5, 1)
    assert json.loads(study.judgement) | {"first": 5, "first_look": 5, "earlier": 1} == json.loads(study.judgement)


@pytest.mark.parametrize("key", SAME)
def test_what_decides_no_number_or_word_may_change(tree, key):
    noted(tree)
    tree.study(**{key: SAME[key]})
    assert refused(tree) is None


def test_a_text_that_is_restored_passes(tree):
    noted(tree)
    tree.study(margin={"top1": 0.01})
    assert refused(tree)
    tree.study()
    assert refused(tree) is None


def test_fewer_seeds_than_were_seen_are_refused_and_more_are_not(tree):
    tree.scale(first_look=10)
    noted(tree)
    noted(tree, "5-9")
    tree.study(margin={"top1": 0.01}, revised=[{"seen": 5} | WHY])
    assert refused(tree).endswith(
        "10 seeds were measured at scale laptop under another text than this; seen: 5 is below that; add to its list"
        " {seen: 10, why: ...}"
    )
    for seen in (10, 20):
        tree.study(margin={"top1": 0.01}, revised=[{"seen": seen} | WHY])
        assert refused(tree) is None


def test_a_second_change_counts_the_seeds_of_both_texts(tree):
    noted(tree)
    tree.study(margin={"top1": 0.01}, revised=[{"seen": 5} | WHY])
    noted(tree, "5-9")
    assert refused(tree) is None
    tree.study(margin={"top1": 0.02}, revised=[{"seen": 5} | WHY])
    assert "10 seeds were measured at scale laptop under another text" in refused(tree)
    tree.study(margin={"top1": 0.02}, revised=[{"seen": 5} | WHY, {"seen": 10} | WHY])
    assert refused(tree) is None
    assert (tree.compiled().first, tree.compiled().earlier) == (10, 2)


def test_seeds_seen_at_another_scale_count_where_something_is_concluded(tree):
    tree.scale("big", first_look=10)
    tree.scale("ci", first_look=1, block=1, conclusive=False)
    big = Tree(tree.root)
    big.results = tree.root / "results/big"
    noted(big, "0-4")
    noted(big, "5-9")
    small = Tree(tree.root)
    small.results = tree.root / "results/ci"
    noted(small, "0-0")
    tree.study(margin={"top1": 0.01})
    assert "10 seeds were measured at scale big" in refused(tree)
    assert refused(tree, "ci") is None
    (tree.root / "results/big").rename(tree.root / "results/other")
    assert refused(tree) is None


@pytest.mark.parametrize("changes", [{"draws": "trial"}])
def test_trials_are_no_looks(tree, changes):
    noted(tree, **changes)
    tree.study(margin={"top1": 0.01})
    assert refused(tree) is None


def test_seeds_of_another_root_name_are_paid_for_and_left_alone(tree):
    noted(tree, root="of old")
    assert refused(tree).endswith(
        "5 seeds were measured at scale laptop under the root name 'of old'; add to its list {seen: 5, root: 'of old', why: ...}"
    )
    tree.study(revised=[{"seen": 5} | WHY])
    assert "under the root name 'of old'" in refused(tree)
    tree.study(revised=[{"seen": 5, "root": "of old"} | WHY])
    assert refused(tree) is None
    assert (tree.compiled().first, tree.compiled().earlier) == (0, 1)
    # They are no evidence: the same seeds are other draws now.
    found = sources_now({"mixup": tree.compiled()}, tree.results, tree.root)
    assert found.lacking["mixup"] == ("its evidence is stale: all seeds have another root name",)


def test_evidence_of_another_text_is_stale_and_no_evidence(tree):
    noted(tree)
    archived(tree)
    assert sources_now({"mixup": tree.compiled()}, tree.results, tree.root).places["mixup"]
    tree.study(expect=CHANGED["expect"])
    found = sources_now({"mixup": tree.compiled()}, tree.results, tree.root)
    assert found.lacking["mixup"] == ("its evidence is stale: what the study measures or claims changed since it was judged",)
    assert [(s.word, s.reasons) for s in status("laptop", tree.root)] == [
        ("stale", ("what the study measures or claims changed since it was judged",))
    ]


def test_a_revised_study_is_measured_on_fresh_seeds_alone(tree):
    noted(tree)
    archived(tree)
    tree.study(expect=CHANGED["expect"], revised=[{"seen": 5} | WHY])
    studies = {"mixup": tree.compiled()}
    from project_tree import HERE

    assert decide(studies, ["mixup"], "auto", tree.results, HERE, tree.root).computed == [("mixup", Block(5, 9))]
    assert [(s.word, s.reasons) for s in status("laptop", tree.root)] == [("missing", ("what it has is of an earlier text",))]
    noted(tree, "5-9")
    assert [p.block for p in sources_now(studies, tree.results, tree.root).places["mixup"]] == [Block(5, 9)]


# Seeds


def seeds_of(tree, seeds: int) -> None:
    tree._write("config/seeds/laptop.yaml", f"mixup: {seeds}\n")


@pytest.mark.parametrize(("blocks", "fix"), [(2, 10), (3, 20), (4, 20), (5, 40)])
@pytest.mark.parametrize("keep", [noted, archived])
def test_fewer_seeds_than_were_measured_are_refused(tree, keep, blocks, fix):
    seeds_of(tree, 40)
    for block in tree.compiled().blocks[:blocks]:
        keep(tree, block.name)
    seeds_of(tree, 5)
    assert refused(tree).endswith(
        f"config/seeds/laptop.yaml: mixup: 5 seeds are fewer than the {5 * blocks} that were measured, and what was seen counts;"
        f" write mixup: {fix}"
    )
    seeds_of(tree, fix)
    assert refused(tree) is None


def test_a_study_that_lacks_a_block_in_the_archive_is_incomplete(tree):
    seeds_of(tree, 20)
    for block in ("0-4", "10-14"):
        archived(tree, block)
    said = ("block 5-9 is not archived", "nor 15-19")
    assert [(s.word, s.reasons) for s in status("laptop", tree.root)] == [("incomplete", said)]
    for block in ("5-9", "15-19"):
        archived(tree, block)
    assert [s.word for s in status("laptop", tree.root)] == ["fresh"]


def test_a_gap_between_blocks_is_said_in_one_line(tree):
    tree.scale(first_look=20)
    folders = [noted(tree, block) for block in ("0-4", "10-14")]
    with pytest.raises(EvidenceError) as caught:
        read_blocks(folders)
    assert str(caught.value) == "mixup: between blocks 0-4 and 10-14 seeds are missing; run snakemake to measure them"


def test_observations_of_seeds_that_were_never_asked_for_are_refused(tree):
    folder = noted(tree)
    rows = [Observation("mixup", arm, seed, "top1", None, 0.5) for arm in ("erm", "mixup") for seed in range(6)]
    write_evidence(folder, rows, {}, read_json(folder / "provenance.json"))
    with pytest.raises(EvidenceError) as caught:
        read_blocks([folder])
    assert "observations.csv: seed 5 was never asked for (block 0-4); delete " in str(caught.value)
    assert "\n" not in str(caught.value)


# What is kept of an earlier text


def released(tree):
    """The project after its study was judged, archived, changed, measured and judged again."""
    noted(tree)
    tree.judge()
    archive("laptop", root=tree.root)
    commit(tree.root)
    old = tree.compiled().judged_digest
    tree.study(expect=["mixup.top1 - erm.top1 > 0.05"], revised=[{"seen": 5} | WHY])
    noted(tree, "5-9")
    (tree.results / "observations/mixup/0-4").rename(tree.root / "earlier")
    tree.judge()
    commit(tree.root)
    return old


def test_of_an_earlier_text_words_and_seeds_are_kept_and_its_blocks_go(tmp_path):
    tree = ready(tmp_path / "project")
    old = released(tree)
    (before,) = [entry for entry in read_entries(tree.root).values() if entry.study]
    assert (before.judged, before.root, before.claims) == (old, ROOT_NAME, {STUDY["expect"][0]: "holds"})
    said = {"judged": old, "root": ROOT_NAME, "seen": 5, "word": before.word, "claims": before.claims}
    assert sources_now({"mixup": tree.compiled()}, tree.results, tree.root).retired == {"mixup": (said,)}
    archive("laptop", root=tree.root)
    found = sources_now({"mixup": tree.compiled()}, tree.results, tree.root)
    assert found.retired == {"mixup": (said,)}
    found.write()
    assert Sources.read(tree.results).retired == {"mixup": (said,)}
    blocks = [entry for entry in read_entries(tree.root).values() if entry.study]
    (retired,) = [entry for entry in read_entries(tree.root).values() if entry.retired]
    assert [entry.block for entry in blocks] == [Block(5, 9)]
    assert retired.key == retired_key("laptop", "mixup", old, ROOT_NAME)
    assert (retired.retired, retired.study, retired.world, retired.files) == ("mixup", None, None, {})
    assert (retired.seen, retired.word, retired.claims) == (5, before.word, before.claims)
    # It still counts as seen.
    commit(tree.root)
    tree.study(expect=["mixup.top1 - erm.top1 > 0.05"])
    assert "seeds were measured at scale laptop under another text" in refused(tree)
    lines = (tree.root / "archive.jsonl").read_bytes()
    tree.study(expect=["mixup.top1 - erm.top1 > 0.05"], revised=[{"seen": 5} | WHY])
    archive("laptop", root=tree.root)
    assert (tree.root / "archive.jsonl").read_bytes() == lines


def test_a_judge_is_told_of_earlier_texts(tree, monkeypatch):
    archived(tree)
    tree.study(expect=CHANGED["expect"], revised=[{"seen": 5} | WHY])
    noted(tree, "5-9")
    told = []
    monkeypatch.setattr(judging, "judge", lambda ready, *_: told.extend(ready) or {"studies": {}, "failed": {}})
    study = tree.compiled()
    judging.judge_results([json.loads(study.judgement)], sources_now({"mixup": study}, tree.results, tree.root), Release({}))
    (given,) = told
    assert given["retired"] == 1  # claim of the earlier text
    assert (given["first"], given["first_look"], given["earlier"]) == (5, 5, 1)


def test_a_page_tells_of_earlier_texts_with_their_words(tree):
    archived(tree)
    tree.study(expect=["mixup.top1 - erm.top1 > 0.05"], revised=[{"seen": 5, "why": "it asked <too> little"}])
    noted(tree, "5-9")
    study = tree.compiled()
    sources = sources_now({"mixup": study}, tree.results, tree.root)
    write_verdicts([json.loads(study.judgement)], sources, "laptop", tree.root)
    build(sources, tree.root / "site", [checked_view(study, sources, tree.root)], load_catalogue())
    page = (tree.root / "site/studies/mixup.html").read_text()
    section = page[page.index("Earlier texts") :].partition("</section>")[0]
    assert "judged on seeds from 5 on" in section
    assert "<dt>5 seeds seen</dt><dd>it asked &lt;too&gt; little</dd>" in section
    assert "<code>mixup.top1 &gt; erm.top1</code></td><td>holds</td>" in section
    assert "The text seen with 5 seeds was supported." in section


def test_every_way_to_stand_in_the_archive_has_a_colour(tree):
    words = {FRESH, UNPROVEN, STALE, archiving.MISSING, archiving.INCOMPLETE, archiving.WITHDRAWN}
    assert set(COLOURS) == words


def test_withdrawn_seeds_were_seen(tmp_path):
    tree = ready(tmp_path / "project")
    noted(tree)
    tree.judge()
    archive("laptop", root=tree.root)
    commit(tree.root)
    withdraw("laptop", "mixup", "the data were wrong", tree.root)
    (tree.results / "observations/mixup/0-4").rename(tree.root / "results/elsewhere")
    assert refused(tree) is None
    tree.study(expect=CHANGED["expect"])
    assert "5 seeds were measured at scale laptop under another text" in refused(tree)


def test_damaged_provenance_is_left_to_the_run(tree):
    (noted(tree) / "provenance.json").write_text("{")
    tree.study(expect=CHANGED["expect"])
    assert refused(tree) is None


def test_the_committed_studies_say_all_that_is_known():
    for study in load_studies("laptop").values():
        Texts().check(study)
        assert yaml.safe_load(study.text).get("revised", []) == [
            each.model_dump(exclude_none=True) for each in study.file.revised
        ]
