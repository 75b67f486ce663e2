"""Ways to harm a file. Each takes the file and a file of the user's elsewhere, which nothing may touch."""

import shutil
from pathlib import Path

MINE = b"\x80\x04 bytes of the user's own"


def truncated(path: Path, elsewhere: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def empty(path: Path, elsewhere: Path) -> None:
    path.write_bytes(b"")


def altered(path: Path, elsewhere: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def foreign(path: Path, elsewhere: Path) -> None:
    path.write_bytes(MINE)


def folder(path: Path, elsewhere: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "mine").write_bytes(MINE)


def link(path: Path, elsewhere: Path) -> None:
    path.unlink()
    path.symlink_to(elsewhere)


def dangling(path: Path, elsewhere: Path) -> None:
    path.unlink()
    path.symlink_to(elsewhere.with_name("nowhere"))


def lost(path: Path, elsewhere: Path) -> None:
    path.unlink()


def no_folder(path: Path, elsewhere: Path) -> None:
    shutil.rmtree(path.parent)
    path.parent.write_bytes(MINE)


DAMAGES = (truncated, empty, altered, foreign, folder, link, dangling, lost)
