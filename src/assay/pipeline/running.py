"""The frame around every job: a log, a receipt for what it left, and failures left where the report finds them."""

import contextlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from assay.cluster.slurm import wait_to_be_ended
from assay.errors import AssayError, PreemptedError, StudyError, in_a_line, reason
from assay.language.draws import require
from assay.pipeline.forwarding import spent_before
from assay.pipeline.usage import note_usage, usage_file
from assay.storage.files import write_atomic
from assay.storage.receipts import receipt_of_job

UNSAFE = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"


@contextlib.contextmanager
def job(snakemake: Any, made: Sequence[Path] = ()) -> Iterator[Callable[[str], None]]:
    """Log to the job's log file, and in the end write the receipt for its outputs and for what else the body says it `made`.

    On failure write one line for the report and for the terminal, and exit with 1. An error the user can act on is shown in one
    line; any other keeps its traceback in the log.
    """
    log_path = Path(snakemake.log[0])
    failure_file(log_path).unlink(missing_ok=True)
    usage_file(log_path).unlink(missing_ok=True)
    log_path.unlink(missing_ok=True)
    # Appended to, because the processes of one training share the log.
    with open(log_path, "a", encoding="utf-8", buffering=1) as log:

        def say(message: str) -> None:
            log.write(f"{time.strftime('%H:%M:%S')} {message}\n")

        try:
            refuse_loading_code()
            if name := snakemake.params.get("draws"):
                require(name)
            with contextlib.redirect_stdout(log), receipt_of_job(log_path) as receipt:
                yield say
                note_usage(log_path, spent_before())
                receipt.write([*map(Path, snakemake.output), *made])
        except Exception as error:
            stopped = isinstance(error, PreemptedError)
            if stopped and "SLURM_JOB_ID" in os.environ:
                say(f"{error}; waiting for Slurm to send the job back into the queue")
                wait_to_be_ended()
            line = reason(error)
            log.write(line if isinstance(error, AssayError) else traceback.format_exc())
            if not stopped:  # a job that was asked to stop did not fail
                note_failure(log_path, snakemake.rule, error)
            sys.exit(f"{snakemake.rule}: {line}")


def refuse_loading_code() -> None:
    """StudyError where PyTorch is told to run the code that files of weights may hold."""
    if os.environ.get(UNSAFE):
        raise StudyError(f"{UNSAFE}={os.environ[UNSAFE]} lets files of weights run code; unset it")


def note_failure(log_path: Path, rule: str, error: Exception) -> None:
    """Leave a line for the report of why a job failed, or a part of what it was to do."""
    write_atomic(failure_file(log_path), json.dumps({"stage": rule, "error": in_a_line(error), "log": str(log_path)}))


def failure_file(log_path: Path) -> Path:
    """Where a failed job says why; never an output, so a failure is never cached."""
    return log_path.with_suffix(".failed.json")
