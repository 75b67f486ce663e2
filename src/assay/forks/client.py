"""A process that stands for its forked child: it asks for it, hands signals on, and ends as the child ended.

The child does the work; everybody else sees the client, which has the place in the tree of processes, the process group and the
terminal that the job would have. Where no child can be had, the caller does the work itself.
"""

import contextlib
import fcntl
import json
import os
import resource
import select
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NoReturn

from assay.forks import identity
from assay.forks.identity import environment_of_parent, library_folders, name_of_parent
from assay.forks.parent import receive, same_user, send

TRIES = 3
SECONDS_FOR_LAST_WORDS = 5
SECONDS_FOR_PARENT = 180  # to import everything on a busy machine, before a client does without
ONE_PROCESS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM)
WHOLE_GROUP = (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)  # what a terminal sends


class Child:
    """A forked child as its client sees it."""

    def __init__(self, connection: socket.socket, process: int, handle: int, life: int):
        self.connection, self.process, self.handle, self.life = connection, process, handle, life
        self.seconds: float | None = None  # of processor time, when it has ended

    def forward(self, number: int, frame: object) -> None:
        """Hand a signal on: what a terminal sends to the whole group, the rest to the process alone."""
        with contextlib.suppress(ProcessLookupError):
            if number in ONE_PROCESS:
                signal.pidfd_send_signal(self.handle, number)
            elif number in WHOLE_GROUP:
                os.killpg(self.process, number)
            else:  # Ctrl-Z
                os.killpg(self.process, signal.SIGSTOP)
                os.kill(os.getpid(), signal.SIGSTOP)
                os.killpg(self.process, signal.SIGCONT)

    def wait(self) -> int:
        """The wait status that it ends with."""
        for number in (*ONE_PROCESS, *WHOLE_GROUP, signal.SIGTSTP):
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self.forward)
        ended = select.poll()
        ended.register(self.handle, select.POLLIN)
        ended.poll()
        self.connection.settimeout(SECONDS_FOR_LAST_WORDS)
        status = signal.SIGKILL  # if it left no word, and the parent that could tell is gone
        with contextlib.suppress(OSError):
            while message := receive(self.connection)[0]:  # the child's own, and the parent's
                status, self.seconds = message["status"], message.get("seconds")
        return status

    def end_likewise(self) -> NoReturn:
        """End as the child ends."""
        status = self.wait()
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
            if number not in (signal.SIGKILL, signal.SIGSTOP):
                signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        os._exit(os.waitstatus_to_exitcode(status))


def fork(run: dict, start: bool = True) -> Child | None:
    """A child that runs a script in this process's place, `{"path": ...}` or `{"code": ...}`; None where none can be had."""
    sys.stdout.flush()
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        for _ in range(TRIES):
            connection = connect(start)
            if connection is None:
                return None
            if child := _asked(connection, run):
                return child
            connection.close()
    return None


def _asked(connection: socket.socket, run: dict) -> Child | None:
    """The child behind a connection; None if the parent ended first."""
    here, (theirs, life) = os.open(".", os.O_PATH), os.pipe()
    request = {"run": run, "argv": sys.argv, "environment": dict(os.environ), "path": sys.path}
    try:
        connection.settimeout(SECONDS_FOR_PARENT)
        send(connection, request, (0, 1, 2, here, theirs))
        answer, files = receive(connection, 1)
        if answer is None:
            raise ConnectionResetError
        return Child(connection, answer["pid"], files[0], life)
    except ConnectionError:
        os.close(life)
        return None
    except BaseException:
        os.close(life)
        raise
    finally:
        os.close(here)
        os.close(theirs)


def folder() -> Path:
    """The folder of this user's sockets, which nobody else may enter; OSError where it cannot be had."""
    found = Path(tempfile.gettempdir(), f"assay-{os.geteuid()}")
    found.mkdir(mode=0o700, exist_ok=True)
    status = found.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise PermissionError(f"{found}: is not a folder that only its owner may enter")
    return found


def connect(start: bool = True) -> socket.socket | None:
    """A connection to the parent for this process, which is started if there is none; None where there is none to be had."""
    path = folder() / name_of_parent()
    end = time.monotonic() + SECONDS_FOR_PARENT
    while time.monotonic() < end:
        if Path(f"{path}.unfit").exists():
            return None
        try:
            return _connected(path)
        except (FileNotFoundError, ConnectionError):
            if not start:
                return None
        if not start_parent(path):  # another process is at it, or the parent is about to end
            time.sleep(0.02)
    return None


def _connected(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(path))
        if not same_user(connection):
            raise PermissionError(f"{path}: belongs to somebody else")
    except BaseException:
        connection.close()
        raise
    return connection


def start_parent(path: Path) -> bool:
    """Start a parent that listens at the path, unless there is one; whether it was started. A parent holds the lock beside the
    path as long as it lives."""
    with open(f"{path}.lock", "a") as lock, socket.socket(socket.AF_UNIX) as listener:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        path.unlink(missing_ok=True)  # left behind by a parent that was killed
        listener.bind(str(path))
        listener.listen(128)  # clients may come from now on; they wait until the libraries are imported
        files = listener.fileno(), lock.fileno()
        python = [sys.executable, *subprocess._args_from_interpreter_flags()]
        lists = json.dumps(library_folders()), json.dumps(identity.LIBRARIES)
        subprocess.run(
            [*python, str(identity.PARENT), *map(str, (*files, path, identity.SHIM)), *lists],
            env=environment_of_parent(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=files,
            start_new_session=True,
            check=True,
        )
    return True
