"""Other commits of this project, checked out for a while."""

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from assay.errors import EvidenceError
from assay.storage.places import WORK


def full_name(commit: str, root: Path = WORK) -> str | None:
    """The commit's hash, whatever names it: HEAD, a tag, the first digits. None if this clone does not hold it: a shallow one
    may not, and what is no clone does not."""
    try:
        return _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}").strip()
    except (OSError, subprocess.CalledProcessError):
        return None


@contextlib.contextmanager
def worktree(commit: str, root: Path = WORK) -> Iterator[Path]:
    """A folder with the commit's files, gone afterwards, whatever happens in between."""
    folder = Path(tempfile.mkdtemp(prefix="assay-"))
    tree = folder / "tree"
    try:
        _git(root, "worktree", "prune")
        _git(root, "-c", "core.hooksPath=/dev/null", "worktree", "add", "--quiet", "--detach", str(tree), commit)
        yield tree
    except subprocess.CalledProcessError as error:
        said = (error.stderr or str(error)).strip().splitlines()[-1]
        raise EvidenceError(f"cannot be checked out ({said})") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            _git(root, "worktree", "prune")


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True).stdout
