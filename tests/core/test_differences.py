"""`assay diff`: what it compares, the numbers it gives, and what it prints and refuses."""

import json
import math
import shutil
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from project_tree import Tree
from rich.console import Console
from scipy import stats
from typer.testing import CliRunner

from assay import cli
from assay.artifacts import archiving
from assay.cli import common, differing
from assay.errors import AssayError
from assay.evidence.tables import read_evidence, write_evidence
from assay.language import reading, studies
from assay.overview import runs
from assay.overview.differences import OTHER, PROVEN, SAME, UNKNOWN, difference
from assay.provenance import proofs
from assay.storage.files import read_json

sys.path.insert(0, str(Path(__file__).parents[1] / "artifacts"))
from released import commit, ready

SIDE = runs.side


@pytest.fixture
def tree(tmp_path) -> Tree:
    tree = Tree(tmp_path).complete()
    tree.archive()
    return tree


@pytest.fixture(autouse=True)
def _archived_files_are_there(request, monkeypatch):
    """The bytes of a made-up archive lie where they are pulled to."""
    if "tree" in request.fixturenames:
        monkeypatch.setattr(runs, "pull", lambda keys, root: None)


def read(tree: Tree, written: str, name: str = "mixup", scale: str = "laptop") -> runs.Run:
    with SIDE(written, scale, tree.root) as side:
        return side.read(name)


def compared(tree: Tree, a: str = "archive", b: str = "here"):
    return difference(read(tree, a), read(tree, b))


def mean(found, name: str):
    return next(mean for mean in found.means if mean.name == name)


def change(folder: Path, arm: str, values, **about) -> None:
    """Write other values of an arm into a block, as a measurement would."""
    evidence = read_evidence(folder)
    new = iter(values)
    rows = [row._replace(value=next(new)) if row.arm == arm else row for row in evidence.observations]
    write_evidence(folder, rows, evidence.arrays, evidence.provenance | about)


def test_the_same_numbers_are_equal_to_the_bit(tree):
    found = compared(tree)
    assert found.equal
    assert [each.name for each in found.means] == ["erm.top1", "mixup.top1"]
    assert all(each.equal and each.difference == 0 for each in found.means)
    assert (found.text, found.code, found.seeds) == ((), SAME, (0, 1, 2, 3, 4))
    assert found.arms == {"erm": True, "mixup": True}


def test_one_bit_is_seen_and_in_that_arm_alone(tree):
    values = [row.value for row in read(tree, "here").rows if row.arm == "erm"]
    change(tree.folder(), "erm", [math.nextafter(values[0], 1), *values[1:]])
    found = compared(tree)
    assert [each.equal for each in found.means] == [False, True]
    assert not found.equal


def test_the_interval_is_that_of_the_paired_differences(tree):
    values = [0.61, 0.58, 0.64, 0.6, 0.59]
    change(tree.folder(), "mixup", values)
    before = [row.value for row in read(tree, "archive").rows if row.arm == "mixup"]
    found = mean(compared(tree), "mixup.top1")
    expected = stats.ttest_rel(values, before).confidence_interval(0.95)
    assert found.interval == pytest.approx((expected.low, expected.high))
    assert (found.a, found.b) == pytest.approx((np.mean(before), np.mean(values)))
    assert found.difference == pytest.approx(np.mean(values) - np.mean(before))
    assert mean(compared(tree, "here", "archive"), "mixup.top1").difference == pytest.approx(-found.difference)


def test_only_seeds_in_common_are_paired_and_their_means_are_shown(tree):
    (tree.root / "config/seeds").mkdir()
    (tree.root / "config/seeds/laptop.yaml").write_text("mixup: 10\n")
    tree.measure(block="5-9", erm=0.2)
    found = compared(tree)
    assert len(found.sides[1]["seeds"]) == 10
    assert found.seeds == (0, 1, 2, 3, 4)
    assert mean(found, "erm.top1").b == pytest.approx(0.6)
    assert not mean(found, "erm.top1").equal  # one side has more


@pytest.mark.parametrize("about", [{"draws": "trial"}, {"root": "another root name"}])
def test_seeds_of_other_draws_are_not_the_same_seeds(tree, about):
    change(tree.folder(), "erm", [0.5] * 5, **about)
    found = compared(tree)
    assert found.seeds == ()
    assert mean(found, "erm.top1").difference == pytest.approx(-0.1)
    assert mean(found, "erm.top1").interval is None
    assert not any(each.equal for each in found.means)


def test_evidence_that_names_no_root_is_of_todays(tree):
    assert "root" not in read(tree, "here").made
    change(tree.folder(), "erm", [0.5] * 5, root=runs.JUDGED)
    assert compared(tree).seeds == ()


def test_claims_have_word_and_effect_of_both(tree):
    change(tree.folder(), "mixup", [0.3, 0.31, 0.29, 0.3, 0.3])
    (claim,) = compared(tree).claims
    assert (claim.text, claim.tier) == ("mixup.top1 > erm.top1", "expectations")
    assert claim.a["word"] == "holds"
    assert (claim.b["word"], claim.b["reason"]) == ("fails", "reversed")
    assert (claim.a["effect"], claim.b["effect"]) == pytest.approx((0.1, -0.3))


def test_code_is_told_apart_and_named(tree, monkeypatch):
    code = read_json(tree.folder() / "provenance.json")["code"]
    module = next(name for name in code if name.startswith("assay.augment"))
    core = next(name for name in code if name.startswith("assay.training"))
    change(tree.folder(), "erm", [0.6] * 5, code=code | {module: "0" * 16, core: "0" * 16})
    found = compared(tree)
    assert (found.code, found.modules) == (OTHER, (module, core))  # methods first
    users = {"modules": {name: [code[name], "0" * 16] for name in (module, core)}, "users": {}, "canaries": ["mixup"]}
    proof = users | {"differing": {}, "untried": [], "platform": "here", "sha256": ["1" * 64, "1" * 64], "format": proofs.FORMAT}
    monkeypatch.setattr(proofs, "committed", lambda: proofs.Proofs((proofs.Proof.model_validate(proof),)))
    assert compared(tree).code == PROVEN


def test_a_text_that_changed_says_which_keys(tree):
    earlier = read(tree, "archive")
    arms = {"erm": {}, "blend": {"augment": "mixup"}, "cut": {"augment": "cutout"}}
    tree.study(arms=arms, expect=["blend.top1 > erm.top1"], notes="New.")
    later = read_with(tree, earlier, {"mixup": "blend"})
    found = difference(earlier, later)
    assert found.text == ("arms", "expect", "notes")
    assert found.arms == {"erm": True, "mixup = blend": True}  # known by its network
    assert mean(found, "mixup.top1").equal
    assert found.only == ((), ())
    assert [(claim.a is None, claim.b is None) for claim in found.claims] == [(False, True), (True, False)]


def read_with(tree: Tree, run: runs.Run, names: dict[str, str]) -> runs.Run:
    """The run as it would be of the study's text now, its arms renamed."""
    rows = [row._replace(arm=names.get(row.arm, row.arm)) for row in run.rows]
    study = tree.compiled()
    return runs.Run(study, rows, dict(run.made) | {"study_sha256": study.digest}, "now", dict(run.verdict, expectations=[
        dict(run.verdict["expectations"][0], text="blend.top1 > erm.top1")
    ]))  # fmt: skip


def test_an_arm_of_one_side_alone_is_named(tree):
    earlier = read(tree, "archive")
    later = runs.Run(earlier.study, [row for row in earlier.rows if row.arm == "erm"], earlier.made, "now", None, "no arm mixup")
    found = difference(earlier, later)
    assert found.only == (("mixup",), ())
    assert not found.equal


def test_what_was_measured_under_another_text_is_said_to_be(tree):
    tree.study(base={"world": "shapes", "model": "mlp"})
    found = compared(tree)
    assert [side["of_its_text"] for side in found.sides] == [False, False]
    assert found.arms == {"erm": None, "mixup": None}


def test_a_scale_is_its_own_results_or_else_the_archive(tree):
    assert read(tree, "laptop").where == "results/laptop"
    shutil.rmtree(tree.results)
    assert read(tree, "laptop").where == "laptop"
    tree.scale("other", world={"size": 8, "train": 64, "test": 32})
    with runs.side("other", "laptop", tree.root) as side:
        assert side.names == ()


def test_two_scales_share_arms_by_name_and_no_network(tree):
    tree.scale("other", world={"size": 8, "train": 64, "test": 32})
    small = studies.load_studies("other", tree.root / "config")["mixup"]
    shutil.copytree(tree.results, tree.root / "results/other")
    folder = tree.root / "results/other/observations/mixup/0-4"
    change(folder, "erm", [0.5] * 5, scale="other", study_sha256=small.digest)
    found = compared(tree, "laptop", "other")
    assert [side["scale"] for side in found.sides] == ["laptop", "other"]
    assert found.text == ()
    assert found.arms == {"erm": False, "mixup": False}


def test_a_results_folder_from_elsewhere_is_a_side(tree, tmp_path):
    folder = tmp_path / "theirs"
    shutil.copytree(tree.results, folder)
    assert compared(tree, "here", str(folder)).equal


def test_what_an_edit_replaced_is_a_side(tree):
    kept = tree.results / "cells/mixup/0-4/earlier"
    notes = {label: {"made": {"commit": "b" * 40, "dirty": False, "date": "2026-10-01"}} for label in ("erm", "mixup")}
    for name, value in (("0" * 16, 0.4), ("f" * 16, 0.5)):
        shutil.copytree(tree.folder(), kept / name)
        change(kept / name, "erm", [value] * 5, cells=notes)
    found = compared(tree, "earlier", "here")
    assert mean(found, "erm.top1").a == pytest.approx(0.5)  # of two, the one put by last
    assert mean(found, "mixup.top1").equal
    assert found.code == UNKNOWN
    assert found.sides[0]["commit"] == "b" * 40


def test_the_archive_at_another_commit(tmp_path):
    tree = ready(tmp_path / "project")
    archiving.archive("laptop", root=tree.root)
    first = commit(tree.root)
    change(tree.folder(), "mixup", [0.71, 0.72, 0.7, 0.7, 0.7])
    tree.vouch()
    tree.judge()
    archiving.archive("laptop", root=tree.root)
    commit(tree.root)
    found = compared(tree, f"archive@{first[:10]}", "archive")
    assert mean(found, "erm.top1").equal
    assert mean(found, "mixup.top1").a == pytest.approx(0.7)
    assert mean(found, "mixup.top1").b == pytest.approx(0.706)
    assert compared(tree, "archive@HEAD", "archive").equal


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("archvie", "unknown side 'archvie'; did you mean 'archive'?"),
        ("archive@v9", "archive@v9: this clone has no commit 'v9'"),
        ("earlier", "mixup: nothing that an edit replaced is kept"),
    ],
)
def test_a_side_that_is_not_there_is_one_line(tree, written, said):
    with pytest.raises(AssayError) as caught:
        read(tree, written)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


# The command


@pytest.fixture
def printed(tree, monkeypatch):
    """Runs the command on the tree's project."""
    monkeypatch.setattr(reading, "WORK", tree.root)
    monkeypatch.setattr(runs, "side", partial(runs.side, root=tree.root))
    monkeypatch.setattr(differing, "study_paths", partial(studies.study_paths, tree.root / "config"))

    def run(*arguments: str, code: int = 0):
        result = CliRunner().invoke(cli.app, ["diff", *arguments])
        assert result.exit_code == code, result.output
        return result

    return run


def test_equal_runs_take_a_line_and_named_ones_all(printed):
    first, last = printed("archive", "here").stdout.splitlines()
    assert first == "mixup: equal to the bit: 2 means of 5 seeds, and all words"
    assert last == "1 study compared: 1 equal to the bit, 0 not"
    text = printed("archive", "here", "mixup").stdout
    for part in ("text: the same", "code: the same", "seeds in common: 5 (0 to 4)", "equal in 2 of 2 arms", "holds  effect +0.1"):
        assert part in text, part
    assert text.count("equal to the bit") == 2


def test_a_terminal_of_80_columns_loses_nothing(printed, tree, monkeypatch):
    long = "a_very_long_name_of_an_arm_indeed"[:32]
    tree.study(arms={"erm": {}, long: {"augment": "mixup"}}, expect=[f"{long}.top1 > erm.top1"])
    tree.measure()
    shutil.rmtree(tree.folder())
    study = tree.compiled()
    rows = [row._replace(arm=long if row.arm == "mixup" else "erm") for row in read(tree, "archive").rows]
    about = dict(read(tree, "archive").made, study_sha256=study.digest, scale="laptop", block="0-4")
    write_evidence(tree.folder(), rows, {}, about)
    for module in (common, differing):
        monkeypatch.setattr(module, "out", Console(force_terminal=True, width=80, color_system=None))
    lines = printed("here", "here", "mixup").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.strip() == f"{long}.top1" for line in lines)
    assert "…" not in "".join(lines)


def test_json_has_all_of_it(printed, tree):
    tree.study("other")
    tree.archive("other")
    found = json.loads(printed("archive", "here", "--json").stdout)
    assert [each["study"] for each in found["studies"]] == ["mixup"]
    assert found["only"] == {"archive": ["other"], "here": []}
    (study,) = found["studies"]
    assert study["equal"] is True
    assert study["means"][0] | {"a": 0, "b": 0, "interval": 0} == {
        "name": "erm.top1", "a": 0, "b": 0, "difference": 0, "interval": 0, "equal": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("archive", "here", "mixp"), "unknown study 'mixp'; did you mean 'mixup'?"),
        (("archive", "here", "other"), "other: archive has no evidence of it (it has mixup)"),
        (("archive", "earlier"), "no study has evidence in both: archive has 1 studies, earlier 0"),
        (("archive", "here", "--scale", "lap"), "unknown scale 'lap'; did you mean 'laptop'?"),
    ],
)
def test_the_command_refuses_in_a_line(printed, tree, arguments, said):
    tree.study("other")
    result = printed(*arguments, code=1)
    assert result.stdout == ""
    assert result.stderr.startswith(f"error: {said}")
    assert result.stderr.count("\n") == 1
