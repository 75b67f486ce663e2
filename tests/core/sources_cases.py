"""A study of two blocks, measured or archived, and where its evidence is taken from."""

import pytest
from project_tree import HERE, Tree

from assay.evidence.tables import study_code
from assay.language.blocks import Block
from assay.language.studies import load_studies
from assay.pipeline.deciding import decide
from assay.pipeline.sources import Sources

FIRST, SECOND = Block(0, 4), Block(5, 9)
THIRD = HERE | {"cpu": "A Third Processor", "vendor": "third"}


@pytest.fixture
def unmeasured(tmp_path) -> Tree:
    """A study of two blocks that was never measured."""
    tree = Tree(tmp_path)
    tree.scale(first_look=10)
    tree.study()
    return tree


def decided(tree, mode="auto", chosen=("mixup",), platform=HERE, **changes) -> Sources:
    studies = load_studies("laptop", tree.root / "config")
    return decide(studies, chosen, mode, changes.get("results", tree.results), platform, tree.root)


def where(sources: Sources, study: str = "mixup") -> list[tuple[str, str, str]]:
    return [(place.block.name, place.where, place.word) for place in sources.places[study]]


def keys(sources: Sources, study: str = "mixup") -> list[str]:
    """The entries of the archive that count."""
    return [place.key for place in sources.places[study] if place.where == "archive"]


def archived(tree, *blocks: str, **changes) -> list:
    return [tree.archive(block=block, **changes) for block in blocks or ("0-4", "5-9")]


def measured(tree, *blocks: str, **changes) -> None:
    for block in blocks or ("0-4", "5-9"):
        tree.measure(block=block, **changes)


def code(tree, changes: dict[str, str]) -> dict[str, str]:
    """A fingerprint that differs from today's in these modules."""
    return study_code(tree.compiled()) | changes


ARCHIVED = [("0-4", "archive", "fresh"), ("5-9", "archive", "fresh")]
LOCAL = [("0-4", "here", "fresh"), ("5-9", "here", "fresh")]
COMPUTED = [("0-4", "computed", "fresh"), ("5-9", "computed", "fresh")]
CORE = {"assay.training.run": "another"}
