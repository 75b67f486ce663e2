"""A data set to retrieve."""

from pathlib import Path

import numpy as np
import pytest
from tiny_datasets import tar

from assay.datasets.retrieving import retrieve
from assay.errors import DataError

CONTENT = np.random.default_rng(0).integers(0, 256, 200_000, np.uint8).tobytes()
ARCHIVE = tar({"photos/a.bin": CONTENT, "photos/b.bin": b"b"}, "w")


@pytest.fixture
def bring():
    """Retrieve a data set without waiting; returns (what was said, pauses asked for)."""

    def run(name: str = "photos", **options):
        said, pauses = [], []
        retrieve(name, said.append, **{"track": False, "pause": pauses.append, **options})
        return said, pauses

    return run


@pytest.fixture
def photos(offer):
    """A data set of one archive."""
    offer("photos", {"photos.tar": ("tar", ARCHIVE)})


def arrived(place: Path) -> bool:
    return (place / "photos" / "photos" / "a.bin").read_bytes() == CONTENT and (place / "photos.json").exists()


def refused(bring, *words: str) -> str:
    """The one line that retrieving ends with."""
    with pytest.raises(DataError) as error:
        bring()
    text = str(error.value)
    assert "\n" not in text
    for word in words:
        assert word in text, text
    return text
