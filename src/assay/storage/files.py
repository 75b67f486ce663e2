"""Files that are whole or not there: writing by rename, reading with a clear error."""

import hashlib
import json
import os
from pathlib import Path

from assay.errors import EvidenceError


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write to a temporary name beside the path, flush to disk, and rename; a kill leaves the old file or the new one."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """The hex digest of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_json(path: Path) -> dict:
    """Parse a JSON object; EvidenceError if the file is missing, truncated or something else."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise EvidenceError(f"{path}: does not exist; run snakemake to make it") from None
    except (OSError, ValueError, RecursionError) as error:
        raise EvidenceError(f"{path}: truncated or not JSON ({error}); delete it and run snakemake again") from None
    if not isinstance(data, dict):
        raise EvidenceError(f"{path}: expected a JSON object; delete it and run snakemake again")
    return data
