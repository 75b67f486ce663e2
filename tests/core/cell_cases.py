"""Studies whose cells are measured."""

import pytest

from assay.language.blocks import Block
from assay.language.studies import load_studies

BLOCK = Block(0, 1)
# Arms that differ in their training; arms that share a reference network's answers; a sweep.
STUDIES = ("adversarial_shape_bias", "mnist_c", "random_labels")


def quiet(line):
    pass


@pytest.fixture(scope="module")
def studies():
    return load_studies("ci", only=STUDIES)


@pytest.fixture
def study(studies):
    return studies["adversarial_shape_bias"]


def everywhere(study):
    return {cell.label for cell in study.cells}
