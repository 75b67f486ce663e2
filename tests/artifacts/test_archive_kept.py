"""What is archived later: its status, withdrawing it, damage, faults while archiving, and how the report tells of it."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from functools import partialmethod

import pytest
from archive_cases import KEY, another_study, in_one_line, lines
from project_tree import ELSEWHERE, HERE
from released import commit, git
from typer.testing import CliRunner

from assay import cli
from assay.artifacts import archiving, entries, stores
from assay.artifacts.archiving import Status, archive, pull, read_archived, status, withdraw
from assay.artifacts.entries import Entry, read_entries, write_entries
from assay.artifacts.ledger import read_ledger
from assay.language.catalogue import load as load_catalogue
from assay.overview.coverage import coverage
from assay.pipeline.deciding import sources_now
from assay.pipeline.sources import Sources
from assay.provenance.platforms import platform_key
from assay.report import build
from assay.report.reporting import checked_view
from assay.storage.files import read_json

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
