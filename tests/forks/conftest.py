"""Clients of a parent of their own, which holds little and so starts quickly."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assay.forks import identity

SOURCE = Path(__file__).parents[2] / "src"
sys.path.insert(0, str(Path(__file__).parents[1] / "pipeline"))

CLIENT = """
import json, sys
from pathlib import Path
from assay.forks import client, identity
how, code = json.loads(sys.argv[1]), sys.argv[2]
identity.LIBRARIES, identity.PARENT = how["libraries"], Path(how["parent"])
sys.argv[1:3] = []
child = client.fork({"code": code})
if child is None:
    sys.exit("no child")
child.end_likewise()
"""


class Forks:
    """Runs code in children of the parent whose socket lies in `folder`."""

    def __init__(self, folder: Path, libraries: tuple[str, ...] = ("json",), parent: Path = identity.PARENT):
        self.folder, self.how = folder, json.dumps({"libraries": libraries, "parent": str(parent)})

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(SOURCE), "TMPDIR": str(self.folder), "OMP_NUM_THREADS": "1"}

    def command(self, code: str, *arguments: str) -> list[str]:
        return [sys.executable, "-c", CLIENT, self.how, code, *arguments]

    def start(self, code: str, *arguments: str, **kwargs) -> subprocess.Popen:
        """A client, in a session of its own as a run's jobs are."""
        environment = {**self.environment, **kwargs.pop("variables", {})}
        command = kwargs.pop("command", None) or self.command(code, *arguments)
        return subprocess.Popen(command, env=environment, stdout=-1, stderr=-1, text=True, start_new_session=True, **kwargs)

    def run(self, code: str, *arguments: str, **kwargs) -> tuple[int, str, str]:
        """Exit code, output and errors of a client."""
        client = self.start(code, *arguments, **kwargs)
        out, err = client.communicate(timeout=120)
        return client.returncode, out, err

    def plainly(self, code: str, *arguments: str, **kwargs) -> tuple[int, str, str]:
        """The same of a process of its own."""
        return self.run(code, command=[sys.executable, "-c", code, *arguments], **kwargs)

    @property
    def parents(self) -> list[int]:
        """The parents with a socket in this folder; their children, unlike them, lead groups of their own."""
        found = []
        for process in map(int, filter(str.isdigit, os.listdir("/proc"))):
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{process}/cmdline").read_text().split("\0")
                if f"{self.folder}/" in "".join(words[5:6]) and os.getpgid(process) != process:
                    found.append(process)
        return found

    @property
    def socket(self) -> Path:
        """The parent's socket."""
        return next(path for path in (self.folder / f"assay-{os.geteuid()}").iterdir() if path.is_socket())

    def end(self) -> None:
        for process in self.parents:
            os.kill(process, signal.SIGKILL)


def stat(process: int, name: str) -> str:
    """A line of what the kernel says of a process."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines)[name].strip()


HELD = "import time, os; open('pid', 'w').write(str(os.getpid())); os.rename('pid', 'here'); time.sleep(60); print('slept')"


def held(forks, folder, code=HELD, **kwargs):
    """A client whose child waits, and the child's process id."""
    started = forks.start(code, cwd=folder, **kwargs)
    wait_for(lambda: (folder / "here").exists() or started.poll() is not None)
    assert (folder / "here").exists(), started.communicate()
    return started, int((folder / "here").read_text())


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.01)


def gone(process):
    """Whether a process has ended (a zombie has)."""
    try:
        return stat(process, "State").startswith("Z")
    except OSError:
        return True


@pytest.fixture(scope="module")
def forks(tmp_path_factory):
    """Children of one parent that several tests share."""
    found = Forks(tmp_path_factory.mktemp("forks"))
    yield found
    found.end()


@pytest.fixture
def own_forks(tmp_path):
    """Children of a parent that a test may kill."""
    (tmp_path / "forks").mkdir()
    found = Forks(tmp_path / "forks")
    yield found
    found.end()
