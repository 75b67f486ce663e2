"""Projects to break."""

import sys
from pathlib import Path

import pytest
from pipeline_project import Project
from project_fixtures import finished, finished_once  # noqa: F401

sys.path.insert(0, str(Path(__file__).parents[1] / "slurm"))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)
