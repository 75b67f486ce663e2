"""Data sets that a package of a Linux distribution installs: distributions strip name and time from gzip headers, so that the
bytes are no longer the published ones. Put back, they are."""

from pathlib import Path

from assay.datasets import Installed
from assay.errors import DataError

GZIP, WITH_NAME = b"\x1f\x8b\x08", b"\x08"  # how a gzip file of deflated bytes begins; the flag of a name in its header


def published_bytes(about: Installed, name: str) -> bytes:
    """The installed copy of a file of this name, its gzip header as the publisher's; DataError for a file of another kind."""
    content = Path(about.path).read_bytes()
    if content[:4] != GZIP + b"\0":
        raise DataError(f"{about.path}: is no gzip file without a name; install {about.package} again")
    header = GZIP + WITH_NAME + about.time.to_bytes(4, "little") + content[8:10]
    return header + name.removesuffix(".gz").encode() + b"\0" + content[10:]
