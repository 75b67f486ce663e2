"""A project of one study, with a commit and a store, that can be archived."""

import shutil
import subprocess
from pathlib import Path

from project_tree import Tree

from assay.evidence.cards import worlds_of, write_card
from assay.storage.places import PROJECT

IGNORED = "/results\n/archive\n/data\n.snakemake\n.dvc/tmp\n.dvc/cache\n__pycache__\n"


def git(root: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=tester", "-c", "user.email=tester@localhost")
    return subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def commit(root: Path) -> str:
    git(root, "add", "-A")
    git(root, "commit", "-qm", "as it is")
    return git(root, "rev-parse", "HEAD")


def ready(root: Path) -> Tree:
    """A project whose results could be archived: judged evidence, cards, a commit, a store."""
    tree = Tree(root).complete()
    for name, spec in worlds_of([tree.compiled()]).items():
        write_card(spec, tree.results / "worlds" / name)
    (root / ".dvc").mkdir()
    shutil.copy(PROJECT / ".dvc/config", root / ".dvc")
    shutil.copy(PROJECT / ".gitattributes", root)
    (root / ".gitignore").write_text(IGNORED)
    git(root, "init", "-q", "-b", "main")
    commit(root)
    return tree
