"""Fixtures of tests that need a cluster, wherever they are."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import PROGRAMS, Cluster

SITE = """
account: lab
gpu_model: null
partitions:
  cpu: {max_runtime: 1440, max_threads: 4, max_mem_mb: 6000, max_gpu: 0}
  gpu: {max_runtime: 1440, max_threads: 4, max_mem_mb: 6000, max_gpu: 2, available_gpu_models: [fake]}
"""


@pytest.fixture(scope="module")
def cluster(require_programs) -> Iterator[Cluster]:
    require_programs(*PROGRAMS)
    # Paths of sockets are short, and pytest's own folders may be closed to munge.
    with tempfile.TemporaryDirectory(prefix="assay-slurm-", ignore_cleanup_errors=True) as folder:
        started = Cluster(Path(folder))
        try:
            started.start()
            yield started
        finally:
            started.stop_all()


@pytest.fixture(scope="module")
def on_cluster(cluster) -> Iterator[Cluster]:
    """Slurm's commands in this process and its children reach the cluster."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SLURM_CONF", "PATH"):
            patch.setenv(name, cluster.environment[name])
        patch.delenv("SLURM_JOB_ID", raising=False)
        yield cluster
