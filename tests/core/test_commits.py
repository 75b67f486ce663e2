"""The commit of files is that of the work tree they are the top of; a folder above may belong to somebody else."""

import subprocess
from pathlib import Path

import pytest

from assay.provenance.commits import commit


def git(root: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always")
    return subprocess.run(["git", *identity, *arguments], cwd=root, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def repository(tmp_path) -> Path:
    """A repository with one commit."""
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "-q")
    (root / "a").write_text("1")
    git(root, "add", "a")
    git(root, "commit", "-q", "-m", "a")
    return root


def test_commit_is_that_of_git_and_notices_local_changes(repository):
    head = git(repository, "rev-parse", "HEAD")
    assert commit(repository) == (head, False)
    (repository / "b").write_text("untracked")
    assert commit(repository) == (head, False)
    (repository / "a").write_text("2")
    assert commit(repository) == (head, True)


def test_there_is_none_without_git_without_a_commit_and_without_the_folder(tmp_path):
    assert commit(tmp_path) == (None, None)
    assert commit(tmp_path / "nowhere") == (None, None)
    git(tmp_path, "init", "-q")
    assert commit(tmp_path) == (None, None)


@pytest.mark.parametrize("tracked", [True, False], ids=["tracked there", "untracked there"])
def test_a_tarball_in_somebodys_repository_is_not_at_its_commit(repository, tracked):
    unpacked = repository / "vendor" / "assay"
    unpacked.mkdir(parents=True)
    (unpacked / "Snakefile").write_text("")
    if tracked:
        git(repository, "add", "vendor")
        git(repository, "commit", "-q", "-m", "theirs")
    assert commit(unpacked) == (None, None)


def test_a_repository_inside_another_is_at_its_own_commit(repository):
    inner = repository / "inner"
    inner.mkdir()
    git(inner, "init", "-q")
    git(inner, "commit", "-q", "--allow-empty", "-m", "inner")
    assert commit(inner) == (git(inner, "rev-parse", "HEAD"), False)
    assert commit(inner)[0] != commit(repository)[0]


def test_linked_work_trees_submodules_and_links_to_a_repository_have_commits(repository, tmp_path):
    git(repository, "worktree", "add", "-q", "-b", "other", str(tmp_path / "linked"))
    git(tmp_path / "linked", "commit", "-q", "--allow-empty", "-m", "b")
    assert commit(tmp_path / "linked") == (git(repository, "rev-parse", "other"), False)
    (tmp_path / "link").symlink_to(repository)
    assert commit(tmp_path / "link") == commit(repository)
    parent = tmp_path / "parent"
    parent.mkdir()
    git(parent, "init", "-q")
    git(parent, "submodule", "--quiet", "add", str(repository), "part")
    git(parent, "commit", "-q", "-m", "part")
    assert commit(parent / "part") == commit(repository) != commit(parent)


def test_a_hook_of_another_repository_does_not_answer(repository, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_DIR", str(repository / ".git"))
    assert commit(tmp_path) == (None, None)
