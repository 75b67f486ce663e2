"""Every kind of page under axe-core's rules, in light and dark, on a phone and on a desk; the keyboard reaches everything."""

import hashlib
from pathlib import Path

import pytest
import synthetic
from browsing import requested, resize, show
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from assay import report
from assay.language.catalogue import Catalogue
from assay.pipeline.sources import Sources

pytestmark = pytest.mark.browser

AXE = Path(__file__).parent / "axe-core" / "axe.min.js"
AXE_SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
PAGES = [
    "index",
    "effects",
    "glossary",
    "lesson",
    "methods",
    "worlds",
    "across",
    "judge",
    "benchmarks",
    "methods/augment-mixup",
    "methods/worlds-unseen",
    "studies/mixup",
    "studies/augmix",
    "studies/fgsm",
    "studies/hostile",
    "studies/aum",
]
SERIOUS = {"serious", "critical"}
# Without preload, axe-core asks for no style sheet itself, which the page's policy would refuse.
RUN = """
    const done = arguments[0];
    axe.run(document, { resultTypes: ["violations"], preload: false }).then(done, (error) => done({ error: String(error) }));
"""
CHUNK = 96
PATIENCE = 300  # seconds, for machines with other work
# Leaves so many rows of the table from the given one on; the head of the page is looked at with the first of them.
KEEP = """
    const [first, count] = arguments;
    const rows = [...document.querySelectorAll(".papers > tbody > tr")];
    rows.forEach((row, place) => { if (place < first || place >= first + count) row.remove(); });
    if (first) for (const part of ["#findings", "#coverage"]) document.querySelector(part).remove();
    return document.querySelectorAll(".papers > tbody > tr").length;
"""


@pytest.fixture(scope="module")
def short(results, studies, papers, tmp_path_factory) -> Path:
    """The report over the studied papers and a few others: rows of every kind, but not 764, over which axe-core takes minutes."""
    out = tmp_path_factory.mktemp("short")
    kept = [paper for number, paper in enumerate(papers.values()) if number < 8 or paper.id in {s.paper for s in studies}]
    report.build(Sources.read(results), out, studies, Catalogue(kept), synthetic.METHODS)
    return out


def violations(browser) -> list[str]:
    """What axe-core calls serious or critical on the open page, with the first element of each kind."""
    browser.execute_script(AXE.read_text(encoding="utf-8"))
    browser.set_script_timeout(PATIENCE)
    found = browser.execute_async_script(RUN)
    assert "error" not in found, found
    serious = [violation for violation in found["violations"] if violation["impact"] in SERIOUS]
    return [f"{v['id']}: {v['help']} ({len(v['nodes'])} times): {v['nodes'][0]['html'][:200]}" for v in serious]


def open_everything(browser) -> None:
    browser.execute_script("for (const details of document.querySelectorAll('details')) details.open = true")


@pytest.mark.parametrize("first", range(0, 764, CHUNK))
def test_no_serious_finding_in_all_rows_of_the_index(browser, site, first):
    """Some rows at a time, since axe-core takes minutes over all of them."""
    resize(browser, 360, "dark")
    show(browser, site / "index.html")
    assert browser.execute_script(KEEP, first, CHUNK) == min(CHUNK, 764 - first)
    open_everything(browser)
    assert violations(browser) == []


def test_curves_and_pictures_are_on_a_page_looked_at(short):
    page = (short / "studies" / "mixup.html").read_text()
    assert "mixup.losses.svg" in page
    assert "mixup.0.png" in page


def test_the_rules_are_those_that_were_published():
    assert hashlib.sha256(AXE.read_bytes()).hexdigest() == AXE_SHA256


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1600, "light")])
@pytest.mark.parametrize("page", PAGES)
def test_no_serious_finding(browser, short, page, width, scheme):
    resize(browser, width, scheme)
    show(browser, short / f"{page}.html")
    open_everything(browser)
    assert violations(browser) == []


def test_a_page_with_faults_is_found_out(browser, tmp_path):
    """The check itself: a picture without text and pale ink are reported."""
    page = tmp_path / "faulty.html"
    page.write_text(
        '<!doctype html><html><body><img src="data:,"><p style="color: #ccc; background: #fff">pale</p></body></html>'
    )
    show(browser, page)
    assert {finding.split(":")[0] for finding in violations(browser)} >= {"image-alt", "color-contrast", "html-has-lang"}


@pytest.mark.parametrize("width", [360, 1600])
@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_wider_than_the_window(browser, site, page, width):
    resize(browser, width)
    show(browser, site / f"{page}.html")
    open_everything(browser)
    assert browser.execute_script("return innerWidth") == width
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.get_log("browser") == []
    assert requested(browser) <= {"file", "data", "about"}


def test_tab_goes_through_search_filters_columns_and_rows(browser, site):
    resize(browser, 1600)
    show(browser, site / "index.html")
    browser.find_element(By.ID, "query").send_keys("beyond empirical risk")
    reached = []
    for _ in range(14):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        focus = browser.switch_to.active_element
        reached.append(focus.get_attribute("id") or focus.text or focus.get_attribute("type"))
        outline = browser.execute_script("return getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", f"no sign of focus on {reached[-1]}"
    assert reached[:9] == ["family", "verdict", "scale", "evidence", "freshness", "sort", "reverse", "Columns", "clear"]
    assert "export" in reached
    columns = browser.find_element(By.CSS_SELECTOR, ".choose summary")
    browser.execute_script("arguments[0].focus()", columns)
    columns.send_keys(Keys.ENTER)
    columns.send_keys(Keys.TAB)
    browser.switch_to.active_element.send_keys(Keys.SPACE)
    assert not browser.find_element(By.CSS_SELECTOR, ".papers th.claim").is_displayed()


def test_the_first_tab_leads_past_the_head(browser, site):
    show(browser, site / "index.html")
    browser.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    skip = browser.switch_to.active_element
    assert skip.text == "Skip to content"
    assert skip.rect["x"] >= 0
