"""Fixtures shared by all tests."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from tiny_datasets import DATASETS, write

from assay.artifacts.folders import pull
from assay.datasets.retrieving import finish

# One thread a process: the suite runs several processes, and results must not depend on how threads split a sum.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.pop("ASSAY_DRAWS", None)  # tests know the judged draws

# An example takes as long as the machine lets it.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

pytest_plugins = ["core_seconds"]
LONGEST = ("slurm", "pipeline", "docs", "remotes", "core")  # in core seconds a file
SYSTEM_FOLDERS = os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/sbin"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--every-study", action="store_true", help="compute every study at the scale ci, not only those chosen")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of folders whose tests run the pipeline go first: workers take file after file, and the last ones are to be short."""
    places = {folder: number for number, folder in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.parent.name, len(LONGEST)))


@pytest.fixture(scope="session", autouse=True)
def data() -> None:
    """Have the real images that some worlds read, so that a plain `pytest` right after a clone works."""
    pull("data")


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], object]], Path]:
    """Makes a folder that all tests of a run share: by the first that asks, in whichever of its processes."""
    # The folders of pytest-xdist's workers lie in the run's.
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def made(name: str, make: Callable[[Path], object]) -> Path:
        folder, done = shared / name, shared / f"{name}-done"
        with open(shared / f"{name}-lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                make(folder)
                done.touch()
        return folder

    return made


@pytest.fixture(scope="session")
def require_programs() -> Callable[..., None]:
    """Skip a test whose server is not installed; where all servers are promised (ASSAY_SERVERS=required), fail instead."""

    def require(*names: str) -> None:
        missing = [name for name in names if shutil.which(name, path=SYSTEM_FOLDERS) is None]
        if missing and os.environ.get("ASSAY_SERVERS") == "required":
            pytest.fail(f"not installed: {', '.join(missing)}")
        if missing:
            pytest.skip(f"not installed: {', '.join(missing)}")

    return require


@pytest.fixture(scope="session")
def written_datasets(tmp_path_factory) -> Path:
    """All real data sets at test size, in their publishers' formats."""
    folder = tmp_path_factory.mktemp("datasets")
    write(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_DATASETS", str(folder))
        for name in DATASETS:
            finish(name, {}, lambda line: None)
    return folder


@pytest.fixture
def tiny_datasets(written_datasets, monkeypatch) -> Path:
    """The same, where worlds look for them."""
    monkeypatch.setenv("ASSAY_DATASETS", str(written_datasets))
    return written_datasets
