"""The frame around jobs: what a failed one leaves for the report and for the terminal."""

import json
from types import SimpleNamespace

import pytest

from assay.errors import PreemptedError, StudyError
from assay.pipeline.running import failure_file, job


def failed(tmp_path, error: Exception) -> tuple[str, str]:
    """The reason that the report finds, and what the process ends with."""
    log = tmp_path / "results" / "ci" / "logs" / "train" / "mixup.log"
    log.parent.mkdir(parents=True)
    asked = SimpleNamespace(log=[str(log)], params={}, output=[], rule="train")
    with pytest.raises(SystemExit) as ended, job(asked):
        raise error
    return json.loads(failure_file(log).read_text())["error"], str(ended.value)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("\n\n  Some tensors share memory: a, b\nmore"), "RuntimeError: Some tensors share memory: a, b"),
        (ValueError(""), "ValueError"),
        (KeyError("x"), "KeyError: 'x'"),
        (StudyError("study.yaml: key 'a': wrong"), "study.yaml: key 'a': wrong"),
        (AssertionError(), "AssertionError"),
    ],
)
def test_a_failure_says_why_in_its_first_line(tmp_path, error, reason):
    said, ended = failed(tmp_path, error)
    assert said == reason
    assert ended.startswith(f"train: {reason}")


def test_a_job_that_was_asked_to_stop_did_not_fail(tmp_path):
    with pytest.raises(FileNotFoundError):
        failed(tmp_path, PreemptedError("mixup seed 1: asked to stop after step 81 of 400; run again, it goes on there"))
    assert "asked to stop" in (tmp_path / "results/ci/logs/train/mixup.log").read_text()
