"""The two sides of a comparison of code: each version does its tasks in processes of its own (see canary_job.py)."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from assay.errors import EvidenceError
from assay.language.draws import VARIABLE
from assay.pipeline import canary_job
from assay.storage.files import read_json

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
PROCESSES = 2  # that share a training


@dataclass(frozen=True)
class Answer:
    """What a side computed: by study what came out as text, and by module the lines that were run."""

    result: dict[str, dict]
    ran: dict[str, set[int]]


@dataclass(frozen=True)
class Side:
    """A version of the code: its name for readers, the folder of its package, and one for the files of its tasks."""

    name: str
    source: Path
    folder: Path

    @property
    def answers(self) -> bool:
        """Whether the version is young enough to be asked."""
        return self.source.joinpath(*canary_job.__name__.split(".")).with_suffix(".py").exists()


@dataclass(frozen=True)
class Task:
    """A task for a side, done by one process or by several at once."""

    side: Side
    what: dict
    processes: int = 1


class Runner:
    """Does tasks, up to `jobs` at a time; as a context it leaves no process behind."""

    def __init__(self, jobs: int, say: Callable[[str], None]):
        self.jobs, self.say = jobs, say
        self.running: set[subprocess.Popen] = set()
        self.stopped = False
        self.starting = threading.Lock()  # so that nothing starts once all that runs was killed
        self.numbers = count()

    def __enter__(self) -> "Runner":
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Kill what runs, and have nothing start that was about to."""
        with self.starting:
            self.stopped = True
            for process in self.running:
                process.kill()

    def do(self, tasks: Sequence[Task]) -> list[Answer]:
        """The answers, in the order of the tasks. EvidenceError if one has none."""
        self.stopped = False
        with ThreadPoolExecutor(self.jobs) as pool:
            try:
                return list(pool.map(self._do, tasks))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                self.stop()
                raise

    def _do(self, task: Task) -> Answer:
        folders = [task.side.folder / f"task-{next(self.numbers)}" for _ in range(task.processes)]
        shared = _variables_of_torch(task.processes) if task.processes > 1 else [{}]
        with contextlib.ExitStack() as stack:
            started = [
                stack.enter_context(self._started(task, folder, variables))
                for folder, variables in zip(folders, shared, strict=True)
            ]
            for process in started:
                for line in process.stdout:
                    self.say(f"{task.side.name}: {line.strip()}")
        parts = [_answer(task, folder, process.returncode) for folder, process in zip(folders, started, strict=True)]
        return merged(parts)

    @contextlib.contextmanager
    def _started(self, task: Task, folder: Path, variables: Mapping[str, str]) -> Iterator[subprocess.Popen]:
        folder.mkdir(parents=True)
        (folder / "task.json").write_text(json.dumps(task.what))
        command = [sys.executable, "-m", canary_job.__name__, str(folder)]
        # Numbers may depend on threads, and evidence is of the judged draws.
        path = os.pathsep.join(filter(None, (str(task.side.source), os.environ.get("PYTHONPATH"))))
        own = {"PYTHONPATH": path, "TMPDIR": str(folder)}  # torch leaves a folder behind in the latter
        environment = {**os.environ, **dict.fromkeys(THREADS, "1"), **variables, **own}
        environment.pop(VARIABLE, None)
        with open(folder / "log", "w") as log, self.starting:
            if self.stopped:
                raise EvidenceError(f"{task.side.name}: stopped")
            process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
            self.running.add(process)
        try:
            with process:
                yield process
        finally:
            with self.starting:
                process.kill()
                self.running.discard(process)


def merged(answers: Iterable[Answer]) -> Answer:
    """Answers of one side as one."""
    result: dict[str, dict] = {}
    ran: dict[str, set[int]] = {}
    for answer in answers:
        for name, found in answer.result.items():
            result[name] = result.get(name, {}) | found
        for module, lines in answer.ran.items():
            ran[module] = ran.get(module, set()) | lines
    return Answer(result, ran)


def _answer(task: Task, folder: Path, code: int) -> Answer:
    if code:
        last = (folder / "log").read_text(errors="replace").strip().splitlines()[-1:]
        raise EvidenceError(f"{task.side.name}: cannot be run here ({last[0] if last else f'exit code {code}'})")
    data = read_json(folder / "result.json")
    return Answer(data["result"], {module: set(lines) for module, lines in data["ran"].items()})


def _variables_of_torch(processes: int) -> list[dict[str, str]]:
    """What torch asks the environment for where several processes find each other."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": str(processes)}
    return [place | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(processes)]
