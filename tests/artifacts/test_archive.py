"""The archive: what enters it, what is refused, what harms it, how studies stand in it, and how the report compares with it."""

import re
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from archive_cases import KEY, another_study, in_one_line, lines
from project_tree import ELSEWHERE, HERE, Tree
from released import commit, git

from assay.artifacts.archiving import archive, pull, read_archived, status
from assay.artifacts.entries import read_entries
from assay.artifacts.ledger import read_ledger
from assay.errors import ArtifactError
from assay.evidence.cards import worlds_of, write_card
from assay.evidence.tables import FILES, Observation, write_evidence
from assay.language.blocks import Block
from assay.language.studies import load_studies
from assay.pipeline.deciding import sources_now
from assay.storage.files import read_json


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(tree, scale: str = "laptop") -> str:
    """The line that archiving is refused with; nothing is written."""
    before = [contents(tree.root / name) for name in ("archive", "dvcstore")], lines(tree)
    said = in_one_line(archive, scale, root=tree.root)
    assert ([contents(tree.root / name) for name in ("archive", "dvcstore")], lines(tree)) == before
    return said


# What enters


def test_the_archive_holds_the_evidence_and_nothing_else(tree):
    head = git(tree.root, "rev-parse", "HEAD")
    (tree.results / "networks").mkdir()
    (tree.results / "networks/seed-0.safetensors").write_bytes(b"weights")
    (tree.folder() / "model.pkl").write_bytes(b"pickle")
    assert archive("laptop", root=tree.root) == [KEY]
    held = contents(tree.root / "archive")
    card = next(name.split("/")[2] for name in held if name.startswith("laptop/worlds/"))
    sources = {f"{KEY}/{name}": tree.folder() / name for name in FILES}
    sources |= {f"laptop/worlds/{card}/{n}": tree.results / "worlds" / card / n for n in ("card.json", "samples.npz")}
    assert held == {name: path.read_bytes() for name, path in sources.items()}
    for name in held:
        if name.endswith(".npz"):
            dict(np.load(tree.root / "archive" / name, allow_pickle=False))
    entry = read_entries(tree.root)[KEY]
    provenance = read_json(tree.folder() / "provenance.json")
    assert (entry.commit, entry.date) == (head, "2026-11-01")
    assert (entry.plan, entry.code, entry.platform) == (provenance["study_sha256"], provenance["code"], HERE)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", entry.archived)


def test_sha256sum_itself_accepts_what_lines_say_of_files(tree):
    archive("laptop", root=tree.root)
    sums = [f"{f.sha256}  {e.folder}/{name}" for e in read_entries(tree.root).values() for name, f in e.files.items()]
    assert len(sums) == 5
    check = subprocess.run(["sha256sum", "-c", "--strict", "--quiet"], cwd=tree.root, input="\n".join(sums), text=True)
    assert check.returncode == 0


def test_adding_a_study_changes_no_other_line_and_archiving_it_again_changes_none(tree):
    archive("laptop", root=tree.root)
    first = lines(tree)
    another_study(tree)
    assert archive("laptop", ["cutout"], tree.root) == [KEY.replace("mixup", "cutout")]
    # The world's card is there already.
    assert [line for line in lines(tree) if line not in first] == [read_entries(tree.root)[KEY.replace("mixup", "cutout")].line]
    assert set(first) < set(lines(tree))
    both = lines(tree)
    commit(tree.root)
    archive("laptop", root=tree.root)
    assert lines(tree) == both


def test_replacing_a_study_changes_its_line_alone(tree):
    another_study(tree)
    archive("laptop", root=tree.root)
    first = lines(tree)
    tree.measure(erm=0.5)
    tree.judge("mixup", "cutout")
    commit(tree.root)
    archive("laptop", ["mixup"], tree.root)
    assert [line for line in first if line not in lines(tree)] == [line for line in first if KEY in line]
    assert len(lines(tree)) == len(first)
    assert read_archived(read_entries(tree.root)[KEY], tree.root).observations[0].value == pytest.approx(0.498)


def test_studies_of_two_branches_are_merged_by_git_and_both_are_pulled(tree, tmp_path):
    for name in ("cutout", "noise"):
        tree.study(name, arms={"erm": {}, "mixup": {"augment": name}})
    commit(tree.root)
    for name in ("cutout", "noise"):
        git(tree.root, "checkout", "-q", "-b", name, "main")
        tree.measure(name)
        tree.judge("mixup", name)
        time.sleep(1.1)  # so that the two branches' cards of one world differ in their day
        archive("laptop", [name], tree.root)
        commit(tree.root)
    git(tree.root, "merge", "-q", "-m", "both", "cutout")
    assert [entry.study for entry in read_entries(tree.root).values()] == ["cutout", "noise", None]
    git(tmp_path, "clone", "-q", "-b", "noise", str(tree.root), str(tmp_path / "clone"))
    assert pull(root=tmp_path / "clone")
    clone = Tree(tmp_path / "clone")
    found = sources_now({name: clone.compiled(name) for name in ("cutout", "noise")}, clone.results, clone.root)
    assert [found.freshness(name).word for name in found.shown] == ["fresh", "fresh"]
    assert [len(found.evidence(name, clone.root).observations) for name in found.shown] == [10, 10]


def test_a_clone_pulls_what_was_archived_and_a_second_time_replaces_the_first(tree, tmp_path):
    archive("laptop", root=tree.root)
    commit(tree.root)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(tree.root), str(clone))
    assert pull(root=clone)
    assert not pull(root=clone)
    assert contents(clone / "archive") == contents(tree.root / "archive")
    tree.measure(erm=0.5)
    tree.judge()
    archive("laptop", root=tree.root)
    commit(tree.root)
    git(clone, "pull", "-q")
    assert pull(root=clone)
    assert contents(clone / "archive") == contents(tree.root / "archive")


def test_scales_lie_beside_each_other(tree):
    archive("laptop", root=tree.root)
    first = lines(tree)
    tree.scale("gpu", world={"size": 32, "train": 64, "test": 32})
    commit(tree.root)
    shutil.copytree(tree.results, tree.root / "results/gpu")
    gpu = Tree(tree.root)
    gpu.results = tree.root / "results/gpu"
    gpu.compiled = lambda name="mixup": load_studies("gpu", tree.root / "config", only=[name])[name]
    shutil.rmtree(gpu.results / "worlds")
    for name, spec in worlds_of([gpu.compiled()]).items():
        write_card(spec, gpu.results / "worlds" / name)
    gpu.measure()
    gpu.judge()
    assert archive("gpu", root=tree.root) == [KEY.replace("laptop", "gpu")]
    assert set(first) < set(lines(tree))
    assert [status(scale, tree.root)[0].word for scale in ("laptop", "gpu")] == ["fresh", "fresh"]


def test_a_study_of_two_blocks_is_an_entry_each(tree):
    tree.scale(first_look=10)
    commit(tree.root)
    tree.measure(block="5-9")
    tree.judge()
    assert archive("laptop", root=tree.root) == [KEY, KEY.replace("0-4", "5-9")]
    assert {entry.block for entry in read_entries(tree.root).values() if entry.study} == {Block(0, 4), Block(5, 9)}


# What is refused


def without_a_seed(tree):
    study = tree.compiled()
    rows = [
        Observation("mixup", arm, seed, "top1", None, 0.5) for arm in study.arms for seed in range(5) if (arm, seed) != ("erm", 3)
    ]
    write_evidence(tree.folder(), rows, {}, read_json(tree.folder() / "provenance.json"))


def with_a_block_to_come(tree):
    tree.scale(first_look=10)
    commit(tree.root)


def without_the_first_block(tree):
    with_a_block_to_come(tree)
    tree.measure(block="5-9")
    shutil.rmtree(tree.folder())


def with_a_pickle(tree):
    card = next((tree.results / "worlds").iterdir())
    np.savez(card / "samples.npz", images=np.array([{"a": 1}], dtype=object))


def unpacked_in_somebody_elses_repository(tree):
    shutil.rmtree(tree.root / ".git")
    git(tree.root.parent, "init", "-q")
    (tree.root / ".gitignore").unlink()
    commit(tree.root.parent)


def of_changed_code(tree):
    code = read_json(tree.folder() / "provenance.json")["code"]
    tree.measure(code=code | {"assay.training.trainer": "0" * 16})


def judged_by_other_expectations(tree):
    tree.study("mixup", expect=["mixup.top1 < erm.top1"])
    commit(tree.root)


REFUSALS = {
    "changed code": (lambda tree: tree.scale(description="other"), "config/scales/laptop.yaml: differs from the commit"),
    "new code": (lambda tree: tree.study("new"), "config/studies/training-recipes/new.yaml: differs from the commit"),
    "no commit": (lambda tree: shutil.rmtree(tree.root / ".git"), "is not the top of a git work tree, so it has no commit"),
    "a tarball in a repository": (unpacked_in_somebody_elses_repository, "is not the top of a git work tree"),
    "trial draws": (lambda tree: tree.measure(draws="trial"), "mixup: evidence is of trial draws ('trial'), never archived; "),
    "stale": (
        lambda tree: tree.measure(study_sha256="0" * 64),
        "mixup: evidence is stale: what the study measures changed; run snakemake",
    ),
    "unproven": (
        of_changed_code,
        "mixup: evidence is unproven: training/trainer.py changed; run snakemake --config scale=laptop",
    ),
    "no evidence": (
        lambda tree: shutil.rmtree(tree.results / "observations"),
        "results/laptop: no study has evidence; run snakemake --config scale=laptop",
    ),
    "another version": (lambda tree: tree.measure(format=2), "provenance.json: key 'format': 2 (allowed: 1);"),
    "altered": (lambda tree: (tree.folder() / "observations.csv").write_text("x"), "observations.csv: truncated or altered"),
    "a seed less": (without_a_seed, "mixup: arm 'erm' lacks seed 3 of block 0-4"),
    "a block less": (with_a_block_to_come, "mixup: has no evidence of block 5-9 in laptop; run snakemake --config scale=laptop "),
    "the first block less": (without_the_first_block, "mixup: has no evidence of block 0-4 in laptop"),
    "not judged": (lambda tree: tree.measure(erm=0.5), "mixup: no verdict rests on this evidence"),
    "other expectations": (
        judged_by_other_expectations,
        "mixup: expectations, controls or margins changed since it was judged; run snakemake --config scale=laptop",
    ),
    "no verdicts": (lambda tree: (tree.results / "verdicts.json").unlink(), "verdicts.json: does not exist"),
    "no card": (lambda tree: shutil.rmtree(tree.results / "worlds"), "card.json: does not exist"),
    "a pickle": (with_a_pickle, "arrays cannot be read (Object arrays cannot be loaded"),
}


def test_a_later_block_joins_the_archived_one_of_its_platform(tree):
    archive("laptop", root=tree.root)
    before = (tree.root / "archive.jsonl").read_text().splitlines()
    with_a_block_to_come(tree)
    tree.measure(block="5-9")
    tree.judge()
    shutil.rmtree(tree.folder())
    (key,) = archive("laptop", root=tree.root)
    assert key.split("/")[3].startswith("5-9-")
    after = (tree.root / "archive.jsonl").read_text().splitlines()
    assert set(before) < set(after)
    assert len(after) == len(before) + 1
    (line,) = read_ledger(tree.root).values()
    assert (line.seeds, list(line.blocks)) == (10, ["0-4", "5-9"])


def test_archiving_writes_what_was_found_of_the_claims(tree):
    archive("laptop", root=tree.root)
    ((key, line),) = read_ledger(tree.root).items()
    record = read_json(tree.results / "verdicts.json")["studies"]["mixup"]
    assert key == ("laptop", "mixup")
    assert line.blocks == record["rests_on"]["blocks"]
    assert [claim.holds for claim in line.claims] == [claim["P"]["holds"] for claim in record["expectations"]]
    another_study(tree)
    before = (tree.root / "verdicts.jsonl").read_text().splitlines()
    archive("laptop", ["cutout"], tree.root)
    assert set(before) < set((tree.root / "verdicts.jsonl").read_text().splitlines())


def test_a_later_block_of_another_platform_is_refused(tree):
    archive("laptop", root=tree.root)
    with_a_block_to_come(tree)
    tree.measure(block="5-9", platform=ELSEWHERE)
    shutil.rmtree(tree.folder())
    with pytest.raises(ArtifactError, match=r"mixup: has no evidence of block 0-4 in laptop"):
        archive("laptop", root=tree.root)


@pytest.mark.parametrize("name", REFUSALS)
def test_what_cannot_stand_for_the_commit_is_refused(tree, name):
    spoil, said = REFUSALS[name]
    spoil(tree)
    assert said in refused(tree)


def test_a_scale_that_concludes_nothing_is_refused(tree):
    tree.scale("ci", conclusive=False)
    commit(tree.root)
    assert refused(tree, "ci") == "--scale: nothing can be concluded from 'ci' (allowed: laptop)"


def test_a_study_that_is_none_is_refused(tree):
    assert in_one_line(archive, "laptop", ["mxup"], tree.root).startswith("unknown study 'mxup'; did you mean 'mixup'?")
    assert lines(tree) == []


def test_one_study_that_is_refused_keeps_all_others_out(tree):
    another_study(tree)
    tree.measure("cutout", study_sha256="0" * 64)
    assert "cutout: evidence is stale" in refused(tree)
    assert archive("laptop", ["mixup"], tree.root) == [KEY]
