"""metrics.json: the ledger's words as numbers, which DVC compares between commits."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from released import commit, git

from assay.artifacts.archiving import _clean_commit
from assay.artifacts.ledger import Found, Line, write_ledger
from assay.errors import ArtifactError
from assay.overview.metrics import FILE, metrics_of, write_metrics

ROOT = Path(__file__).parents[2]


def line(study: str, *p: tuple[float, float], scale: str = "laptop", **more) -> Line:
    claims = [Found(text=f"c{n}", holds=holds, fails=fails, reversed=1, absent=1) for n, (holds, fails) in enumerate(p)]
    known = {"judgement": "t", "blocks": {"0-4": "s"}, "first": 0, "seeds": 5, "valid": True}
    return Line(scale=scale, study=study, claims=claims, **known | more)


def write(root: Path, *lines: Line) -> None:
    write_ledger({each.key: each for each in lines}, root)
    write_metrics(root)


def test_the_committed_file_is_that_of_the_committed_ledger():
    assert json.loads((ROOT / FILE).read_text()) == metrics_of(ROOT), f"write it again: python -m {write_metrics.__module__}"


def test_words_are_counted_by_scale_and_ones_own_study_among_no_papers(tmp_path):
    both = line("both", (0.001, 1), (1, 0.001), seeds=10)
    write(tmp_path, line("good", (0.001, 1)), both, line("mine", (0.001, 1), own=True), line("good", (1, 1), scale="gpu"))
    found = json.loads((tmp_path / FILE).read_text())
    assert found["gpu"]["studies"] == {"good": {"holds": 0, "fails": 0, "open": 1, "seeds": 5}}
    laptop = found["laptop"]
    assert laptop["words"] == {"supported": 1, "partly": 1, "not supported": 0, "open": 0, "invalid": 0}
    assert laptop["claims"] == {"holds": 3, "fails": 1, "open": 0}
    assert laptop["studies"]["both"] == {"holds": 1, "fails": 1, "open": 0, "seeds": 10}


@pytest.fixture
def repository(tmp_path) -> Path:
    """A commit with metrics of one open claim."""
    (tmp_path / ".dvc").mkdir()
    shutil.copy(ROOT / ".dvc/config", tmp_path / ".dvc")
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    git(tmp_path, "init", "-q", "-b", "main")
    write(tmp_path, line("good", (1, 1)))
    commit(tmp_path)
    return tmp_path


def test_dvc_compares_it_between_commits(repository):
    write(repository, line("good", (0.001, 1)))
    command = [sys.executable, "-m", "dvc", "metrics", "diff", "--json"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)
    changed = json.loads(done.stdout)[FILE]
    assert changed["laptop.studies.good.holds"] == {"old": 0, "new": 1, "diff": 1}
    assert changed["laptop.words.supported"]["diff"] == 1
    assert "laptop.studies.good.seeds" not in changed  # equal


def test_it_may_differ_from_the_commit_where_evidence_is_archived(repository):
    write(repository, line("good", (0.001, 1)))
    assert _clean_commit(repository) == git(repository, "rev-parse", "HEAD")
    (repository / "dvc.yaml").write_text("")
    with pytest.raises(ArtifactError, match=r"dvc\.yaml: differs"):
        _clean_commit(repository)
