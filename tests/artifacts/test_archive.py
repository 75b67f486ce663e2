"""The archive: what enters it, what is refused, what harms it, how studies stand in it, and how the report compares with it."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from functools import partialmethod
from pathlib import Path

import numpy as np
import pytest
from project_tree import ELSEWHERE, HERE, Tree
from released import commit, git, ready
from typer.testing import CliRunner

from assay import cli
from assay.artifacts import archiving, entries, stores
from assay.artifacts.archiving import Status, archive, pull, read_archived, status, withdraw
from assay.artifacts.entries import MANIFEST, Entry, read_entries, write_entries
from assay.artifacts.ledger import read_ledger
from assay.errors import ArtifactError, AssayError
from assay.evidence.cards import worlds_of, write_card
from assay.evidence.tables import FILES, Observation, write_evidence
from assay.language.blocks import Block
from assay.language.catalogue import load as load_catalogue
from assay.language.studies import load_studies
from assay.overview.coverage import coverage
from assay.pipeline.deciding import sources_now
from assay.pipeline.sources import Sources
from assay.provenance.platforms import platform_key
from assay.report import build
from assay.report.reporting import checked_view
from assay.storage.files import read_json

KEY = f"laptop/studies/mixup/0-4-{platform_key(HERE)}"


@pytest.fixture
def tree(tmp_path) -> Tree:
    return ready(tmp_path / "project")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def lines(tree) -> list[str]:
    path = tree.root / MANIFEST
    return path.read_text().splitlines() if path.exists() else []


def in_one_line(call, *arguments, **more) -> str:
    with pytest.raises(AssayError) as caught:
        call(*arguments, **more)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def refused(tree, scale: str = "laptop") -> str:
    """The line that archiving is refused with; nothing is written."""
    before = [contents(tree.root / name) for name in ("archive", "dvcstore")], lines(tree)
    said = in_one_line(archive, scale, root=tree.root)
    assert ([contents(tree.root / name) for name in ("archive", "dvcstore")], lines(tree)) == before
    return said


def another_study(tree, name: str = "cutout") -> None:
    """A second study of the same world, measured and judged."""
    tree.study(name, arms={"erm": {}, "mixup": {"augment": "cutout"}})
    tree.measure(name)
    tree.judge("mixup", name)
    commit(tree.root)


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


# How studies stand


def test_status_tells_how_each_study_stands(tree):
    assert status("laptop", tree.root) == [Status("mixup", "missing")]
    entry = tree.archive()
    assert status("laptop", tree.root) == [Status("mixup", "fresh", (), (entry.key,))]
    tree.archive(code=entry.code | {"assay.training.trainer": "0" * 16})
    assert status("laptop", tree.root) == [Status("mixup", "unproven", ("training/trainer.py changed",), (entry.key,))]
    tree.archive(study_sha256="0" * 64)
    assert status("laptop", tree.root) == [Status("mixup", "stale", ("what the study measures changed",), (entry.key,))]
    # A second platform's evidence is fresh, and it is that which counts.
    other = tree.archive(day=2, platform=HERE)
    assert status("laptop", tree.root) == [Status("mixup", "fresh", (), (entry.key, other.key))]
    write_entries({each.key: None for each in (entry, other)}, tree.root)
    write_entries({entry.key: Entry(format=1, key=entry.key, archived="x", commit="x", withdrawn="a bug")}, tree.root)
    assert status("laptop", tree.root) == [Status("mixup", "withdrawn", ("a bug",))]


def test_of_two_blocks_the_staler_one_is_told(tree):
    tree.scale(first_look=10)
    entry = tree.archive(code=read_json(tree.folder() / "provenance.json")["code"] | {"assay.training.trainer": "0" * 16})
    tree.archive(block="5-9", study_sha256="0" * 64)
    assert status("laptop", tree.root)[0].word == "stale"
    assert entry.key in status("laptop", tree.root)[0].entries


def test_withdrawn_evidence_keeps_its_key_and_the_reason_and_counts_no_more(tree):
    another_study(tree)
    archive("laptop", root=tree.root)
    commit(tree.root)
    before = lines(tree)
    assert withdraw("laptop", "mixup", " the data were wrong ", tree.root) == [KEY]
    entry = read_entries(tree.root)[KEY]
    assert (entry.withdrawn, entry.files) == ("the data were wrong", {})
    assert [line for line in lines(tree) if line not in before] == [entry.line]
    assert list(read_ledger(tree.root)) == [("laptop", "cutout")]
    assert status("laptop", tree.root)[1] == Status("mixup", "withdrawn", ("the data were wrong",))
    commit(tree.root)
    assert archive("laptop", root=tree.root) == [KEY.replace("mixup", "cutout")]
    assert read_entries(tree.root)[KEY] == entry
    shutil.rmtree(tree.results)
    assert sources_now({"mixup": tree.compiled()}, tree.results, tree.root).shown == []
    pull(root=tree.root)


def test_withdrawn_evidence_comes_back_by_its_name(tree):
    archive("laptop", root=tree.root)
    commit(tree.root)
    withdraw("laptop", "mixup", "a mistake", tree.root)
    commit(tree.root)
    assert archive("laptop", ["mixup"], tree.root) == [KEY]
    assert status("laptop", tree.root)[0].word == "fresh"


@pytest.mark.parametrize(
    ("name", "why", "said"),
    [
        ("mixup", "  ", "--why: is empty; say in a sentence why the evidence is withdrawn"),
        ("mxup", "a bug", "mxup: nothing of it is archived at scale 'laptop'; see: assay archive --status"),
    ],
)
def test_what_cannot_be_withdrawn(tree, name, why, said):
    archive("laptop", root=tree.root)
    before = lines(tree)
    assert in_one_line(withdraw, "laptop", name, why, tree.root) == said
    assert lines(tree) == before


@pytest.mark.parametrize("arguments", [["--withdraw", "mixup"], ["--why", "a bug"]])
def test_withdrawing_needs_a_study_and_a_reason(arguments):
    done = CliRunner().invoke(cli.app, ["archive", *arguments])
    assert done.exit_code == 1
    assert done.output == "error: --withdraw STUDY and --why TEXT go together; give both\n"


def test_the_command_lists_how_studies_stand(tree, monkeypatch):
    tree.archive(study_sha256="0" * 64)
    found = status("laptop", tree.root)
    monkeypatch.setattr(archiving, "status", lambda scale: found)
    rows = json.loads(CliRunner().invoke(cli.app, ["archive", "--status", "--json"]).output)
    assert [(row["study"], row["status"], row["why"]) for row in rows] == [
        ("mixup", "stale", ["what the study measures changed"])
    ]
    assert "what the study measures changed" in CliRunner().invoke(cli.app, ["archive", "--status"]).output


# What harms it


@pytest.mark.parametrize("damage", ["missing", "corrupted"])
def test_a_file_that_the_store_lost_is_named_and_nothing_is_written(tree, tmp_path, damage):
    archive("laptop", root=tree.root)
    commit(tree.root)
    git(tmp_path, "clone", "-q", str(tree.root), str(tmp_path / "clone"))
    oid = read_entries(tree.root)[KEY].files["observations.csv"].md5
    path = tmp_path / "clone/dvcstore/files/md5" / oid[:2] / oid[2:]
    whole = path.read_bytes()
    path.chmod(0o644)
    path.unlink() if damage == "missing" else path.write_bytes(whole[:-1] + b"?")
    said = in_one_line(pull, root=tmp_path / "clone")
    assert said.startswith(f"archive: object {oid} is {damage}")
    assert str(path) in said
    assert not (tmp_path / "clone/archive").exists()
    path.write_bytes(whole)
    assert pull(root=tmp_path / "clone")


def test_a_file_that_was_edited_is_kept_until_forced_and_never_read(tree):
    archive("laptop", root=tree.root)
    path = tree.root / "archive" / KEY / "observations.csv"
    path.write_text("my own work")
    entry = read_entries(tree.root)[KEY]
    assert in_one_line(read_archived, entry, tree.root) == (
        f"archive/{KEY}/observations.csv: is not the file that archive.jsonl lists; run: assay pull archive"
    )
    assert f"archive/{KEY}/observations.csv: edited here, so nothing was changed" in in_one_line(pull, root=tree.root)
    assert path.read_text() == "my own work"
    pull(force=True, root=tree.root)
    assert len(read_archived(entry, tree.root).observations) == 10


@pytest.mark.parametrize("field", ["plan", "code"])
def test_a_line_that_claims_another_plan_or_code_than_its_files_is_not_believed(tree, field):
    archive("laptop", root=tree.root)
    entry = read_entries(tree.root)[KEY]
    lies = {"plan": "0" * 64, "code": entry.code | {"assay.training.trainer": "0" * 16}}
    write_entries({KEY: entry.model_copy(update={field: lies[field]})}, tree.root)
    assert in_one_line(read_archived, read_entries(tree.root)[KEY], tree.root) == (
        f"archive.jsonl: {KEY}: another '{field}' than its provenance has; git checkout archive.jsonl"
    )


@pytest.mark.parametrize(("old", "new"), [("0-4", "5-9"), (platform_key(HERE), platform_key(ELSEWHERE)), ("mixup", "cutout")])
def test_a_line_that_moves_evidence_to_another_block_platform_or_study_is_not_believed(tree, old, new):
    archive("laptop", root=tree.root)
    entry = read_entries(tree.root)[KEY]
    key = KEY.replace(old, new)
    write_entries({KEY: None, key: entry.model_copy(update={"key": key})}, tree.root)
    pull(root=tree.root)
    said = in_one_line(read_archived, read_entries(tree.root)[key], tree.root)
    assert f"{key}: another 'key' than its provenance has" in said


def no_space(*arguments, **more):
    raise OSError(28, "No space left on device", "x")


@pytest.mark.parametrize("when", ["keeping", "sending", "listing", "pulling"])
def test_a_full_disk_while_archiving_loses_nothing(tree, monkeypatch, when):
    another_study(tree)
    archive("laptop", ["cutout"], tree.root)
    before = lines(tree)
    commit(tree.root)
    with monkeypatch.context() as patch:
        if when == "keeping":
            patch.setattr(stores.Store, "keep", no_space)
        elif when == "sending":
            patch.setattr(archiving, "send", no_space)
        elif when == "listing":
            patch.setattr(entries, "write_atomic", no_space)
        else:
            patch.setattr(stores, "_put", no_space)
        said = in_one_line(archive, "laptop", ["mixup"], tree.root)
    assert "No space left on device" in said
    # What a full disk keeps from archive/ alone is in the store, and so in the manifest.
    assert (lines(tree) == before) == (when != "pulling")
    assert set(before) <= set(lines(tree))
    assert list(tree.root.glob(".archive*")) == []
    assert archive("laptop", ["mixup"], tree.root) == [KEY]
    assert len(read_archived(read_entries(tree.root)[KEY], tree.root).observations) == 10


ARCHIVE = """
import pathlib, sys
from assay.artifacts import archiving
archiving.archive("laptop", [sys.argv[2]], pathlib.Path(sys.argv[1]))
"""


def archiving_process(tree, study: str) -> subprocess.Popen:
    command = [sys.executable, "-c", ARCHIVE, str(tree.root), study]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_of_two_that_archive_at_once_neither_loses_what_the_other_added(tree):
    another_study(tree)
    runs = [archiving_process(tree, name) for name in ("mixup", "cutout")]
    for run in runs:
        _, errors = run.communicate(timeout=600)
        assert run.returncode == 0, errors
    assert [entry.study for entry in read_entries(tree.root).values()] == ["cutout", "mixup", None]
    assert not pull(root=tree.root)


def test_archiving_that_is_killed_leaves_the_manifest_whole_and_is_done_again(tree):
    run = archiving_process(tree, "mixup")
    while run.poll() is None and not list((tree.root / ".dvc/cache").rglob("*")):
        time.sleep(0.001)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert lines(tree) in ([], [entry.line for entry in read_entries(tree.root).values()])
    assert archive("laptop", root=tree.root) == [KEY]
    assert len(read_archived(read_entries(tree.root)[KEY], tree.root).observations) == 10


# What readers make of it


def test_a_clone_that_ran_nothing_counts_what_is_archived(tree):
    archive("laptop", root=tree.root)
    commit(tree.root)
    shutil.rmtree(tree.results)
    shutil.rmtree(tree.root / "archive")
    assert coverage(load_catalogue(), tree.root)["papers"]["P166"]["working"]
    withdraw("laptop", "mixup", "for a test", tree.root)
    tree.measure(erm=0.1)
    tree.judge()
    assert coverage(load_catalogue(), tree.root)["papers"]["P166"]["missing"] == ["control failed: erm.top1 > 0.3"]


def pages(tree, monkeypatch, *, computed: bool) -> tuple[str, str]:
    """The study's page and the index, drawn from what was computed here or from what counts, which is the archive's."""
    study = tree.compiled()
    sources = tree.sources if computed else sources_now({study.name: study}, tree.results, tree.root)
    out = tree.results / "report"
    with monkeypatch.context() as patch:
        for name in ("evidence", "provenance", "card"):
            patch.setattr(Sources, name, partialmethod(getattr(Sources, name), root=tree.root))
        build(sources, out, [checked_view(study, sources, tree.root)], load_catalogue())
    return (out / "studies/mixup.html").read_text(), (out / "index.html").read_text()


def test_the_report_tells_how_well_recomputed_evidence_agrees(tree, monkeypatch):
    page, index = pages(tree, monkeypatch, computed=True)
    assert "nothing archived yet" in page
    assert "Nothing archived yet" in index
    archive("laptop", root=tree.root)
    release = f"2026-11-01, commit {git(tree.root, 'rev-parse', 'HEAD')[:7]}"
    page, index = pages(tree, monkeypatch, computed=True)
    assert f"identical to the archive of {release}" in page
    assert re.search(r"What was computed here, compared with the archive:\s+1 identical;", index)
    tree.measure(erm=0.6001)
    tree.judge()
    page, index = pages(tree, monkeypatch, computed=True)
    assert re.search(r"within seed noise, compared with .*: 2 of 2 means differ, most <code>erm.top1</code>", page)
    tree.measure(erm=0.5)
    tree.judge()
    page, index = pages(tree, monkeypatch, computed=True)
    assert "Not reproduced:" in page
    assert re.search(r"drifted, compared with .*archived 0\.600, recomputed 0\.500: \d\d\.\d times what seeds explain", page)
    assert re.search(r'1 drifted \(<a href="studies/mixup.html#provenance-title">mixup</a>\);', index)
    (tree.root / "archive" / KEY / "observations.csv").write_text("altered")
    page, _ = pages(tree, monkeypatch, computed=True)
    assert f"not compared with the archive of {release}: archive/{KEY}/observations.csv: is not the file that" in page


def test_a_replication_is_shown_beside_the_archived_evidence_and_changes_no_word(tree, monkeypatch):
    tree.archive()
    tree.measure(erm=0.5)
    study = tree.compiled()
    found = sources_now({study.name: study}, tree.results, tree.root)
    assert found.from_archive("mixup")
    page, index = pages(tree, monkeypatch, computed=False)
    assert "archived evidence of 2026-11-01, commit ccccccc; computed here as well: drifted, compared with" in page
    assert "Drawn and judged from the archived evidence" in index
    assert found.evidence("mixup", tree.root).observations[0].value == pytest.approx(0.598)
