"""A project whose evidence is archived, and what is asked of it."""

import pytest
from project_tree import HERE, Tree
from released import commit, ready

from assay.artifacts.entries import MANIFEST
from assay.errors import AssayError
from assay.provenance.platforms import platform_key

KEY = f"laptop/studies/mixup/0-4-{platform_key(HERE)}"


@pytest.fixture
def tree(tmp_path) -> Tree:
    return ready(tmp_path / "project")


def lines(tree) -> list[str]:
    path = tree.root / MANIFEST
    return path.read_text().splitlines() if path.exists() else []


def in_one_line(call, *arguments, **more) -> str:
    with pytest.raises(AssayError) as caught:
        call(*arguments, **more)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def another_study(tree, name: str = "cutout") -> None:
    """A second study of the same world, measured and judged."""
    tree.study(name, arms={"erm": {}, "mixup": {"augment": "cutout"}})
    tree.measure(name)
    tree.judge("mixup", name)
    commit(tree.root)
