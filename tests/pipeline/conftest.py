"""Projects to break."""

import sys
from pathlib import Path

import pytest
from pipeline_project import Project

sys.path.insert(0, str(Path(__file__).parents[1] / "slurm"))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that has run once; tests put back what they change."""
    done = Project(tmp_path_factory.mktemp("finished"))
    done.run()
    return done
