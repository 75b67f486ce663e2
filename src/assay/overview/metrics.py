"""metrics.json: the words of the committed ledger as numbers, for `dvc metrics diff` between releases.

By scale: how many studies of papers have which word, how many claims, and of each study how many hold, fail and are open on how
many seeds. `assay archive` writes it; `python -m assay.overview.metrics` does so where a merge of two ledgers left it behind.
"""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from assay.artifacts.archiving import METRICS
from assay.artifacts.ledger import read_ledger
from assay.judging.counts import CLAIMS, PAPERS
from assay.judging.release import Release
from assay.storage.files import write_atomic
from assay.storage.places import WORK

FILE = METRICS


def metrics_of(root: Path) -> dict[str, Any]:
    """What the ledger of a project says, by scale."""
    return {scale: _of_scale(Release.at(scale, root)) for scale in sorted({scale for scale, _ in read_ledger(root)})}


def _of_scale(release: Release) -> dict[str, Any]:
    conclusions = {study: release.conclusion(study) for study in release.lines}
    words = [conclusions[study].word for study, line in release.lines.items() if not line.own]
    claims = {study: [claim.word for claim in found.claims] for study, found in conclusions.items()}
    return {
        "words": _counted(words, PAPERS),
        "claims": _counted((word for each in claims.values() for word in each), CLAIMS),
        "studies": {study: _counted(each, CLAIMS) | {"seeds": release.lines[study].seeds} for study, each in claims.items()},
    }


def _counted(words: Iterable[str], known: Iterable[str]) -> dict[str, int]:
    counts = Counter(words)
    return {word: counts[word] for word in known}


def write_metrics(root: Path = WORK) -> None:
    """Write the file beside the ledger."""
    write_atomic(root / FILE, json.dumps(metrics_of(root), indent=1) + "\n")


if __name__ == "__main__":
    write_metrics()
