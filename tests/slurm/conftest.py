"""One real cluster for all tests of a file."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_fixtures import cluster, on_cluster  # noqa: F401

sys.path.insert(0, str(Path(__file__).parents[1] / "pipeline"))
from project_fixtures import finished_once  # noqa: F401


@pytest.fixture(autouse=True)
def _no_leftovers(request) -> Iterator[None]:
    """Each test leaves an empty queue."""
    yield
    if "cluster" in request.fixturenames:
        request.getfixturevalue("cluster").empty_queue()
