"""A report of the size to come, 764 papers of which 200 are studied: small on disk, built soon, answering as one types."""

import statistics
import time

import pytest
import synthetic
from browsing import resize, show

from assay import report
from assay.language import catalogue
from assay.pipeline.sources import Sources

STUDIES = 200
MEGABYTE = 1_000_000

KEYSTROKES = """
    const [typed, done] = arguments;
    const field = document.getElementById("query");
    const measured = [];
    const next = () => {
      if (!typed.length) return done(measured);
      const start = performance.now();
      field.value = typed.shift();
      field.dispatchEvent(new Event("input", { bubbles: true }));
      // The first frame after the event has the new layout; a task after it runs when that frame is painted.
      requestAnimationFrame(() => setTimeout(() => { measured.push(performance.now() - start); setTimeout(next, 20); }));
    };
    next();
"""


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    results = tmp_path_factory.mktemp("many") / "laptop"
    results.mkdir()
    return results, synthetic.write_many(results, STUDIES)


@pytest.fixture(scope="module")
def large(many, tmp_path_factory):
    out = tmp_path_factory.mktemp("large")
    started = time.monotonic()
    report.build(Sources.read(many[0]), out, many[1], catalogue.load())
    print(f"{STUDIES} studied pages built in {time.monotonic() - started:.1f} s")
    return out


def test_the_folder_and_its_index_stay_small(large):
    total = sum(path.stat().st_size for path in large.rglob("*") if path.is_file())
    index = (large / "index.html").stat().st_size
    print(f"{total / MEGABYTE:.1f} MB on disk, index {index / MEGABYTE:.2f} MB")
    assert len(list((large / "studies").glob("*.html"))) == STUDIES
    assert total < 60 * MEGABYTE
    assert index < 1.5 * MEGABYTE


@pytest.mark.browser
def test_typing_is_answered_frame_by_frame(browser, large):
    """From the keystroke to the painted rows. Typically a tenth of this bound, which is for machines with other work."""
    resize(browser, 1400)
    show(browser, large / "index.html")
    assert browser.execute_script("return document.querySelectorAll('.papers > tbody > tr').length") == 764
    words = ["m", "mi", "mix", "", "s", "se", "self", "x", "", "a", "an", ""]
    measured = browser.execute_async_script(KEYSTROKES, words)
    print(f"answer to a keystroke: median {statistics.median(measured):.1f} ms, longest {max(measured):.1f} ms")
    assert statistics.median(measured) < 500
