"""Which commit files are at: that of the git work tree they are the top of, and of no other.

A folder inside somebody's own repository is not that repository's commit: git would answer for the folder above.
"""

import os
import subprocess
from pathlib import Path

# Set by git for hooks, whose repository need not be the one that is asked about.
OF_ANOTHER = ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_PREFIX")


def git(root: Path, *arguments: str) -> str:
    """What git says of the repository around a folder; OSError where there is no git, CalledProcessError where it refuses."""
    environment = {name: value for name, value in os.environ.items() if name not in OF_ANOTHER}
    command = ["git", *arguments]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True).stdout


def commit(root: Path) -> tuple[str | None, bool | None]:
    """The commit of the git work tree whose top is `root` (linked ones and submodules too), and whether tracked files differ from
    it; None for both where `root` is no such top."""
    try:
        if Path(git(root, "rev-parse", "--show-toplevel").rstrip("\n")).resolve() != root.resolve():
            return None, None
        head = git(root, "rev-parse", "HEAD").strip()
        return head, bool(git(root, "status", "--porcelain", "--untracked-files=no").strip())
    except (OSError, subprocess.CalledProcessError):
        return None, None
