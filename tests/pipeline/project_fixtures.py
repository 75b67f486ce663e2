"""Fixtures of tests that need a project that has run, wherever they are."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pipeline_project import Project


@pytest.fixture(scope="session")
def finished_once(once: Callable[[str, Callable[[Path], object]], Path]) -> Project:
    """A project that has run, for all tests of all workers, which copy it and leave it as it is."""
    return Project.at(once("finished", lambda folder: Project(folder).run()))


@pytest.fixture(scope="module")
def finished(finished_once: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that has run; tests put back what they change."""
    return finished_once.copy(tmp_path_factory.mktemp("finished"))
