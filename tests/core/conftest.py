"""Projects that several files of this folder work on."""

import pytest
from cell_cases import studies, study  # noqa: F401
from project_tree import Tree
from sources_cases import unmeasured  # noqa: F401


@pytest.fixture
def tree(tmp_path) -> Tree:
    """A project of one study, measured, judged and archived."""
    return Tree(tmp_path).complete()
