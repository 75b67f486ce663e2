"""Drafts: runs of all studies skip them whatever is in their files, and being one changes nothing of what is measured or said."""

import pytest
from project_tree import Tree

from assay.errors import StudyError
from assay.language.studies import drafts, load_studies, skipped, study_paths


@pytest.fixture
def tree(tmp_path) -> Tree:
    tree = Tree(tmp_path)
    tree.scale()
    tree.study()
    return tree


def write(tree: Tree, text: str, name: str = "begun") -> None:
    (tree.root / f"config/studies/training-recipes/{name}.yaml").write_text(text)


def load(tree: Tree, **terms):
    return load_studies("laptop", tree.root / "config", **terms)


@pytest.mark.parametrize("text", ["draft: true\nexpect: []\n", "draft: true  # not yet\n: [", "paper: P166\r\ndraft: true\r\n"])
def test_a_draft_blocks_nothing_whatever_it_holds(tree, text):
    write(tree, text)
    assert list(load(tree)) == ["mixup"]
    with pytest.raises(StudyError, match="begun"):
        load(tree, only=["begun"])


@pytest.mark.parametrize("text", ["draft: false\n", "notes: |\n  draft: true\n", "# draft: true\n", "base:\n  draft: true\n"])
def test_what_is_no_draft_is_checked(tree, text):
    write(tree, text)
    assert drafts(study_paths(tree.root / "config")) == []
    with pytest.raises(StudyError):
        load(tree)


def test_a_draft_is_read_where_it_is_named(tree):
    tree.study("begun", draft=True)
    assert list(load(tree)) == ["mixup"]
    assert list(load(tree, only=["begun"])) == ["begun"]
    assert list(load(tree, with_drafts=["begun"])) == ["begun", "mixup"]


def test_being_a_draft_changes_no_digest(tree):
    before = load(tree)["mixup"]
    tree.study(draft=True)
    after = load(tree, only=["mixup"])["mixup"]
    for said in ("judged_digest", "digest", "plan", "judgement"):
        assert getattr(after, said) == getattr(before, said), said


def test_what_is_skipped_is_one_line():
    assert skipped([]) == ""
    line = "skipped, as drafts: a, b; to run one: snakemake --config draws=trial 'studies=[a]'"
    assert skipped(["a", "b"]) == line
    assert skipped(["a"]).startswith("skipped, as draft: a; ")
