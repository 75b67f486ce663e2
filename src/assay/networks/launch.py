"""Start a training job: here, or in several processes on this machine with torchrun's agent, one a GPU."""

import dataclasses
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException, Std
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure, record
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from assay import errors
from assay.data.stream import workers
from assay.errors import AssayError, PreemptedError, StudyError, TrainingError
from assay.language.blocks import Block
from assay.language.recipes import Recipe
from assay.networks.jobs import STOP_SIGNALS, set_up, train_bundle
from assay.networks.store import NetworkStore
from assay.training.distributed import ALONE, Group, joined
from assay.training.precision import FLOAT32

SECONDS_TO_STOP = 60  # for the step in hand and the checkpoint, before processes that were asked to stop are killed


@dataclass(frozen=True)
class TrainingJob:
    """What `rule train` asks for: canonical recipes, the name of the block, the device's name in the configuration, the manifest,
    the threads of all processes together, and the scale's precision."""

    recipes: list[dict]
    block: str
    device: str
    manifest: str
    threads: int = 1
    precision: str = FLOAT32

    def set_up(self, processes: int) -> torch.device:
        """Set this process up as one of so many; its device."""
        return set_up(self.device, max(1, self.threads // processes), self.precision)

    def train(self, device: torch.device, say: Callable[[str], None], group: Group = ALONE) -> None:
        """Train as one of the group's processes, into the folder of the manifest."""
        store = NetworkStore(Path(self.manifest).parent, device, self.precision)
        seeds = Block.named(self.block).repetitions
        train_bundle(list(map(Recipe, self.recipes)), seeds, store, Path(self.manifest), say, group)


def run(job: TrainingJob, processes: int, log: Path, say: Callable[[str], None] = print) -> None:
    """Train in this process, or in several whose lines go to the log; raises what `train_bundle` raises in any of them."""
    if processes == 1:
        job.train(job.set_up(processes), say)
        return
    if job.device != "cpu" and torch.cuda.is_available() and torch.cuda.device_count() < processes:
        raise StudyError(
            f"config: device: {job.device}: {processes} GPUs were asked for and {torch.cuda.device_count()} are visible"
            f" (CUDA_VISIBLE_DEVICES={os.environ.get('CUDA_VISIBLE_DEVICES', '')}); ask the scheduler for {processes}"
        )
    with tempfile.TemporaryDirectory() as folder:
        _launch(job, processes, log, Path(folder), say)


def _launch(job: TrainingJob, processes: int, log: Path, folder: Path, say: Callable[[str], None]) -> None:
    description = folder / "job.json"
    description.write_text(json.dumps(dataclasses.asdict(job)))
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id="assay",
        rdzv_backend="c10d",
        rdzv_endpoint="127.0.0.1:0",
        local_addr="127.0.0.1",
        max_restarts=0,
        logs_specs=DefaultLogsSpecs(log_dir=str(folder / "logs"), redirects=Std.ALL),
        signals_to_handle=",".join(each.name for each in STOP_SIGNALS),
        shutdown_timeout=SECONDS_TO_STOP,
    )
    try:
        elastic_launch(config, sys.executable)("-m", "assay.networks.launch", str(description), str(log))
    except SignalException as error:
        raise PreemptedError(f"asked to stop by {error.sigval.name}; run again, it goes on where it was") from None
    except ChildFailedError as error:
        rank, failure = _cause(error.failures)
        known = _user_error(failure)
        if known is None:
            say("\n".join(path.read_text() for path in folder.glob(f"logs/*/attempt_0/{rank}/stderr.log")))
            known = TrainingError(f"process {rank + 1} of {processes} failed: {_message(failure)}")
        raise known from None


def _cause(failures: dict[int, ProcessFailure]) -> tuple[int, ProcessFailure]:
    """Whose failure made the others fail: one that says what to do, else one that was killed, else the first.

    Those who lose a process break down in talking to it, or are ended by torchrun's agent with SIGTERM.
    """

    def order(item: tuple[int, ProcessFailure]) -> tuple:
        failure = item[1]
        killed = failure.exitcode < 0 and -failure.exitcode not in STOP_SIGNALS
        return _user_error(failure) is None, not killed, failure.timestamp

    return min(failures.items(), key=order)


def _user_error(failure: ProcessFailure) -> AssayError | None:
    """The error of a process as it was raised there, if it was one that a user can act on."""
    kind, _, text = _message(failure).partition(": ")
    found = getattr(errors, kind, None)
    return found(text) if isinstance(found, type) and issubclass(found, AssayError) else None


def _message(failure: ProcessFailure) -> str:
    return failure.message if isinstance(failure.message, str) else failure.message["message"]


@record
def main(description: str, log: str) -> None:
    """One of several processes of a job; the first writes the lines."""
    processes = int(os.environ["WORLD_SIZE"])
    os.environ.setdefault("ASSAY_WORKERS", str(max(1, workers() // processes)))
    job = TrainingJob(**json.loads(Path(description).read_text()))
    device = job.set_up(processes)
    with joined(device) as group:

        def say(message: str) -> None:
            if group.leads:
                with open(log, "a", encoding="utf-8") as file:
                    file.write(f"{time.strftime('%H:%M:%S')} {message}\n")

        job.train(device, say, group)


if __name__ == "__main__":
    main(*sys.argv[1:])
