"""Disks that are full or may not be written: a clear line, nothing half-written counts, and the next run goes on."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pipeline_project import VERDICTS


class Disk:
    """A small disk in memory, mounted on a folder of a project."""

    def __init__(self, folder: Path, kilobytes: int):
        self.folder = folder
        folder.mkdir(parents=True)
        self.mount("-t", "tmpfs", "-o", f"size={kilobytes}k", "none")

    def mount(self, *arguments: str) -> None:
        if subprocess.run(["mount", *arguments, str(self.folder)], capture_output=True).returncode:
            pytest.skip("mounting a small disk in memory needs root")

    def remount(self, options: str) -> None:
        self.mount("-o", f"remount,{options}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator:
    disks = []

    def make(folder: str, kilobytes: int) -> Disk:
        disks.append(Disk(tmp_path / folder, kilobytes))
        return disks[-1]

    yield make
    for disk in disks:
        subprocess.run(["umount", str(disk.folder)], check=True)


@pytest.mark.parametrize(("folder", "kilobytes"), [("networks", 64), ("observations", 8), ("", 4), (None, 64)])
def test_a_disk_that_fills_up_while_training_measuring_starting_or_noting(project, finished, small_disk, folder, kilobytes):
    disk = small_disk(".snakemake" if folder is None else f"results/ci/{folder}", kilobytes)
    failed = project.snakemake(VERDICTS)
    assert failed.returncode != 0
    assert "No space left on device" in failed.stdout + failed.stderr
    disk.remount("size=100m")
    project.run(VERDICTS)
    assert project.results() == finished.results()


def test_results_that_may_not_be_written(tmp_path, finished, small_disk):
    disk = small_disk("results", 50_000)
    project = finished.copy(tmp_path)
    (tmp_path / "results/ci/figures/plain.svg").unlink()
    disk.remount("ro")
    failed = project.snakemake()
    assert failed.returncode != 0
    assert "results/ci/.lock: Read-only file system; results are written below results/ci/" in failed.stdout + failed.stderr
    assert "Traceback" not in failed.stdout + failed.stderr
    disk.remount("rw")
    project.run()
    assert project.results() == finished.results()
