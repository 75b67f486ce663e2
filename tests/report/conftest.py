"""A report built once from synthetic evidence."""

from pathlib import Path

import browsing
import pytest
import synthetic

from assay import report
from assay.language import catalogue
from assay.pipeline.sources import Sources


@pytest.fixture(scope="session")
def results(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("evidence") / "laptop"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def studies(results) -> list[report.StudyView]:
    return synthetic.write_results(results)


@pytest.fixture(scope="session")
def papers() -> catalogue.Catalogue:
    return synthetic.hostile_catalogue()


@pytest.fixture(scope="session")
def site(results, studies, papers, tmp_path_factory) -> Path:
    """A built report."""
    out = tmp_path_factory.mktemp("site")
    report.build(Sources.read(results), out, studies, papers, synthetic.METHODS)
    return out


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = browsing.start(tmp_path_factory.mktemp("profile"), tmp_path_factory.mktemp("downloads"))
    yield browser
    browser.quit()
