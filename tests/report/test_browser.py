"""The report in headless Chromium, opened from disk: filters, sorting, shared views, keyboard, widths, dark mode, no request."""

import csv
import re
import time

import pytest
import synthetic
from browsing import requested, resize, show
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from assay.report.words import VERDICTS

pytestmark = pytest.mark.browser


@pytest.fixture
def atlas(browser, site):
    """The index, freshly opened at desktop width; console and requests are checked when the test ends."""
    resize(browser, 1400)
    show(browser, site / "index.html")
    yield browser
    assert browser.get_log("browser") == []
    assert requested(browser) <= {"file", "data", "blob", "about"}


def shown(browser) -> list[str]:
    """Ids of the rows in sight, in order."""
    return browser.execute_script(
        "return [...document.querySelectorAll('.papers > tbody > tr')].filter((r) => !r.hidden).map((r) => r.id)"
    )


def choose(browser, control: str, value: str) -> None:
    browser.find_element(By.CSS_SELECTOR, f"#{control} option[value='{value}']").click()


def type_query(browser, text: str) -> None:
    field = browser.find_element(By.ID, "query")
    field.clear()
    field.send_keys(text)


def address(browser, part: str) -> str:
    """The hash once it holds the part; it follows typing after a pause."""
    deadline = time.monotonic() + 5
    while part not in (found := browser.execute_script("return location.hash")) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def begun(paper, word: str) -> bool:
    """Whether a word of the paper's title, method or claim begins like this one."""
    return bool(re.search(rf"(?<![^\W_]){word}", f"{paper.title} {paper.method} {paper.claim}".lower()))


def test_a_short_word_is_found_as_a_whole(atlas, papers):
    type_query(atlas, "ViT")
    said = {paper.id: f"{paper.title} {paper.method} {paper.claim}".lower() for paper in papers.values()}
    whole = {key for key, text in said.items() if re.search(r"(?<![^\W_])vit(?![^\W_])", text)}
    assert set(shown(atlas)) == whole
    assert len(whole) < len([text for text in said.values() if "vit" in text])
    type_query(atlas, "mixu")
    assert "P166" in shown(atlas)


def test_search_knows_the_arms_and_plugs_of_studies(atlas):
    type_query(atlas, "shuffled resnet mixup")
    assert "P166" in shown(atlas)
    type_query(atlas, "shuffled nothinglikethis")
    assert shown(atlas) == []


def test_search_needs_every_word_in_title_method_or_claim(atlas, papers):
    type_query(atlas, "MIXUP label")
    expected = {paper.id for paper in papers.values() if begun(paper, "mixup") and begun(paper, "label")}
    assert set(shown(atlas)) == expected
    assert "P166" in expected
    assert atlas.find_element(By.ID, "found").text == f"{len(expected)} of 764 papers"


def test_filters_combine(atlas, papers):
    choose(atlas, "family", "training-recipes")
    assert set(shown(atlas)) == {paper.id for paper in papers.values() if paper.family == "training-recipes"}
    choose(atlas, "verdict", "supported")
    assert shown(atlas) == ["P166"]
    choose(atlas, "verdict", "not supported")
    assert shown(atlas) == []


@pytest.mark.parametrize(
    ("verdict", "count"), [("studied", 8), ("failed", 1), ("not run", 1), ("partly", 1), ("not studied", 756)]
)
def test_verdict_filter(atlas, verdict, count):
    choose(atlas, "verdict", verdict)
    assert len(shown(atlas)) == count


@pytest.mark.parametrize(
    ("control", "value", "rows"),
    [
        ("scale", "gpu", {"P194"}),
        ("evidence", "archived", {"P194"}),
        ("evidence", "recomputed", {"P166", "P196", "P313", "P127", "P223"}),
        ("freshness", "stale", {"P127", "P223"}),
        ("freshness", "fresh", {"P166", "P196", "P313"}),
    ],
)
def test_filters_by_scale_evidence_and_freshness(atlas, control, value, rows):
    choose(atlas, control, value)
    assert set(shown(atlas)) == rows
    assert address(atlas, control) == f"#{control}={value}"


def test_columns_can_be_hidden_and_the_address_says_so(atlas, site):
    def visible() -> list[str]:
        return [h.text for h in atlas.find_elements(By.CSS_SELECTOR, ".papers th") if h.is_displayed()]

    def width(column: str) -> int:
        return atlas.find_element(By.CSS_SELECTOR, f"#P166 > .{column}").size["width"]

    assert visible() == ["Paper", "Claim", "Family", "Verdict", "Evidence", "Effect", "Cost"]
    before = width("paper")
    atlas.find_element(By.CSS_SELECTOR, ".choose summary").click()
    for column in ("claim", "cost"):
        atlas.find_element(By.CSS_SELECTOR, f"input[value={column}]").click()
    assert visible() == ["Paper", "Family", "Verdict", "Evidence", "Effect"]
    assert width("paper") > 1.5 * before
    fragment = address(atlas, "cost")
    show(atlas, site / "index.html", fragment)
    assert visible() == ["Paper", "Family", "Verdict", "Evidence", "Effect"]
    type_query(atlas, "beyond empirical")
    assert shown(atlas) == ["P166"], "a hidden column is still searched"
    atlas.find_element(By.ID, "clear").click()
    assert len(visible()) == 7


def test_studied_papers_come_first(atlas):
    assert set(shown(atlas)[:8]) == {"P166", "P194", "P196", "P313", "P127", "P223", "P234", "P244"}


def test_sorting_by_a_header_and_back(atlas, papers):
    header = atlas.find_element(By.CSS_SELECTOR, "th[data-sort=effect]")
    header.find_element(By.TAG_NAME, "button").click()
    assert header.get_attribute("aria-sort") == "ascending"
    order = shown(atlas)
    assert order[0] == "P166"
    assert len(order) == 764
    header.find_element(By.TAG_NAME, "button").click()
    assert header.get_attribute("aria-sort") == "descending"
    # Papers without an effect stay below in both directions.
    assert shown(atlas)[:5] == order[:5][::-1]
    choose(atlas, "sort", "id")
    atlas.find_element(By.ID, "reverse").click()
    assert shown(atlas) == list(papers)


def test_view_lives_in_the_address(atlas, site):
    type_query(atlas, "label")
    choose(atlas, "family", "data-quality")
    choose(atlas, "sort", "title")
    atlas.find_element(By.ID, "reverse").click()
    rows, fragment = shown(atlas), address(atlas, "reverse=1")
    assert fragment == "#q=label&family=data-quality&sort=title&reverse=1"
    show(atlas, site / "index.html", fragment)
    assert shown(atlas) == rows
    assert atlas.find_element(By.ID, "query").get_attribute("value") == "label"


def test_unknown_values_in_the_address_mean_all(atlas, site):
    show(atlas, site / "index.html", "#family=none-such&verdict=<b>&sort=x&other=1")
    assert len(shown(atlas)) == 764


def test_hostile_address_is_only_text(atlas, site):
    show(atlas, site / "index.html", "#q=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E")
    assert shown(atlas) == ["P223"]  # whose texts have all these words
    assert atlas.find_elements(By.CSS_SELECTOR, "img") == []


def test_places_on_the_page_leave_the_view_alone(atlas):
    type_query(atlas, "mixup")
    rows = shown(atlas)
    atlas.find_element(By.CSS_SELECTOR, "nav a[href='#coverage']").click()
    assert shown(atlas) == rows
    atlas.find_element(By.CSS_SELECTOR, ".tally a[href='#verdict=not%20supported']").click()
    address(atlas, "contradicted")
    assert shown(atlas) == ["P194"]


def test_keyboard_alone_searches_and_opens_a_study(atlas):
    body = atlas.find_element(By.TAG_NAME, "body")
    body.send_keys("/")
    assert atlas.switch_to.active_element.get_attribute("id") == "query"
    atlas.switch_to.active_element.send_keys("beyond empirical risk")
    assert shown(atlas) == ["P166"]
    link = atlas.find_element(By.CSS_SELECTOR, "#P166 a.title")
    atlas.execute_script("arguments[0].focus()", link)
    link.send_keys(Keys.ENTER)
    assert atlas.current_url.endswith("studies/mixup.html")
    atlas.back()
    atlas.find_element(By.ID, "query").send_keys(Keys.ESCAPE)
    assert len(shown(atlas)) == 764


def test_the_index_begins_with_what_came_out(atlas):
    findings = atlas.find_elements(By.CSS_SELECTOR, "#findings li")
    words = [finding.find_element(By.CSS_SELECTOR, ".chip").text for finding in findings]
    assert words == sorted(words, key=list(VERDICTS).index)
    (mixup,) = [finding for finding in findings if "studies/mixup.html" in finding.get_attribute("innerHTML")]
    answer = mixup.find_element(By.CSS_SELECTOR, "p:not(.word)").text
    assert "treated is above erm in accuracy (0.550 against 0.500)" in answer
    mixup.find_element(By.TAG_NAME, "a").click()
    assert answer == atlas.find_element(By.CSS_SELECTOR, ".answer .headline").text


def test_the_counts_of_papers_and_studies_are_not_mixed(atlas):
    first, *words, last = (" ".join(item.text.split()) for item in atlas.find_elements(By.CSS_SELECTOR, ".tally:not(.claims) li"))
    studies, studied = map(int, re.fullmatch(r"(\d+) studies of (\d+) papers:", first).groups())
    assert sum(int(word.split()[0]) for word in words) == studies
    assert studied + int(re.match(r"\d+(?= papers)", last).group()) == 764


def in_sight(browser) -> list[str]:
    """Ids of the rows that are displayed."""
    rows = browser.find_elements(By.CSS_SELECTOR, ".papers > tbody > tr")
    return [row.get_attribute("id") for row in rows if row.is_displayed()]


def test_papers_without_a_study_are_folded_by_family_until_somebody_asks(atlas, papers):
    studied = shown(atlas)[:8]
    assert in_sight(atlas) == studied
    untouched = len({paper.family for paper in papers.values()} - {papers[key].family for key in studied})
    fold = atlas.find_element(By.CSS_SELECTOR, ".untouched > summary")
    assert fold.text.startswith(f"{untouched} families untouched, ")
    fold.click()
    inner = atlas.find_element(By.CSS_SELECTOR, ".untouched .fold > summary")
    inner.click()
    assert len(in_sight(atlas)) == 8 + int(re.search(r"(\d+) papers?$", inner.text)[1])
    choose(atlas, "verdict", "not studied")
    assert not fold.is_displayed()
    assert len(in_sight(atlas)) == 50
    atlas.find_element(By.ID, "clear").click()
    assert fold.is_displayed()


def test_what_fits_is_shown_fifty_at_a_time(atlas):
    more = atlas.find_element(By.ID, "more")
    assert not more.is_displayed()
    choose(atlas, "sort", "id")
    assert in_sight(atlas) == [f"P{number:03}" for number in range(1, 51)]
    assert more.text == "Show 50 more of 714"
    more.click()
    assert in_sight(atlas) == [f"P{number:03}" for number in range(1, 101)]
    assert atlas.switch_to.active_element.find_element(By.XPATH, "ancestor::tr").get_attribute("id") == "P051"
    type_query(atlas, "mixup")
    assert not more.is_displayed()


def test_a_link_to_a_paper_unfolds_it(atlas, site):
    show(atlas, site / "index.html", "#P001")
    assert atlas.find_element(By.ID, "P001").is_displayed()


def test_authors_and_years_are_searched(atlas):
    type_query(atlas, "hongyi 2018")
    assert shown(atlas) == ["P166"]
    choose(atlas, "sort", "year")
    type_query(atlas, "resnet")
    rows = [atlas.find_element(By.ID, key) for key in shown(atlas)]
    years = [int(row.get_dom_attribute("data-year") or 0) for row in rows]
    assert years == sorted(years, reverse=True)
    assert len(set(years)) > 2


def test_marks_of_all_effects_lead_to_their_claim(atlas, site):
    show(atlas, site / "effects.html")
    assert len(atlas.find_elements(By.CSS_SELECTOR, ".forest a.mark")) == 12
    place = "claim-treated.top1-over-erm.top1"
    mark = atlas.find_element(By.CSS_SELECTOR, f".forest a.mark[href='studies/augmix.html#{place}']")
    assert " ".join(mark.text.split()) == "treated.top1 > erm.top1 fails +0.0250 [0.0170, 0.0330]"
    mark.click()
    assert atlas.current_url.endswith(f"studies/augmix.html#{place}")
    assert "treated.top1 > erm.top1" in atlas.find_element(By.ID, place).text


def test_all_effects_stand_on_the_page_in_the_order_asked_for(atlas, site):
    show(atlas, site / "effects.html")

    def names() -> list[str]:
        return [row.get_attribute("data-name") for row in atlas.find_elements(By.CSS_SELECTOR, "#studies > li")]

    assert names()[:3] == ["mixup", "hostile", "augmix"]
    choose(atlas, "sort", "name")
    assert names() == sorted(names())
    choose(atlas, "sort", "word")
    words = [row.find_element(By.CSS_SELECTOR, ".mark") for row in atlas.find_elements(By.CSS_SELECTOR, "#studies > li")]
    assert names()[-1] == "fgsm"
    assert words[-1].get_attribute("class") == "mark invalid"
    inner = "return [...document.querySelectorAll('.forest, .forest *')].filter((e) => e.scrollHeight > e.clientHeight + 1 && "
    assert atlas.execute_script(inner + "getComputedStyle(e).overflowY !== 'visible' && e.tagName !== 'svg').length") == 0


def test_dials_show_what_the_judge_said_of_those_seeds_and_that_margin(atlas, site):
    show(atlas, site / "lesson.html")

    def turn(dial: str, key: str) -> None:
        atlas.find_element(By.ID, dial).send_keys(key)

    def told() -> tuple[str, float]:
        article = atlas.find_element(By.CSS_SELECTOR, ".told")
        line = article.find_element(By.CSS_SELECTOR, ".claim .interval")
        return article.find_element(By.CSS_SELECTOR, ".word .chip").text, float(line.get_attribute("x2")[:-1])

    atlas.find_element(By.CSS_SELECTOR, ".told summary").click()
    cells = [
        [cell.text.split() for cell in row.find_elements(By.TAG_NAME, "td")]
        for row in atlas.find_elements(By.CSS_SELECTOR, ".told[data-claim='0'] .cells tbody tr")
    ]
    word, end = told()
    assert word == cells[0][0][0] == "holds"
    turn("margin", Keys.END)
    assert told()[0] == cells[-1][0][0] == "fails"
    assert atlas.find_element(By.CSS_SELECTOR, "#word .chip").text == "not supported"
    turn("seeds", Keys.END)
    assert told()[0] == cells[-1][3][0]
    assert told()[1] < end
    assert atlas.find_element(By.ID, "seeds-said").text == "40"


def test_rows_in_sight_are_downloaded(atlas, papers):
    choose(atlas, "verdict", "studied")
    atlas.find_element(By.ID, "export").click()
    path = atlas.downloads / "papers.csv"
    deadline = time.monotonic() + 10
    while not (path.exists() and path.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.05)
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == shown(atlas)
    assert len(rows) == 8
    mixup = next(row for row in rows if row["id"] == "P166")
    assert [mixup[key] for key in ("verdict", "scale", "evidence", "freshness")] == ["supported", "laptop", "recomputed", "fresh"]
    assert {row["title"] for row in rows} == {papers[row["id"]].title for row in rows}


def luminance(browser, selector: str, name: str) -> float:
    """Relative luminance of a computed colour, 0 black to 1 white."""
    color = browser.execute_script(f"return getComputedStyle(document.querySelector({selector!r}))[{name!r}]")
    channels = [int(part) / 255 for part in color[4:-1].split(",")]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", ["index", "studies/mixup"])
def test_text_is_readable_in_light_and_dark(browser, site, page, scheme):
    resize(browser, 1400, scheme)
    show(browser, site / f"{page}.html")
    ground = luminance(browser, "body", "backgroundColor")
    assert (ground > 0.5) == (scheme == "light")
    selectors = ["body", ".quiet", ".note", ".eyebrow", "a[href]", ".chip.supported"]
    selectors += [f".chip.{state}" for state in ("not-supported", "partly", "open", "invalid", "failed")] * (page == "index")
    for selector in selectors:
        ink = luminance(browser, selector, "color")
        contrast = (max(ink, ground) + 0.05) / (min(ink, ground) + 0.05)
        assert contrast >= 4.5, f"{selector} in {scheme}: {contrast:.2f}"


def test_figure_turns_with_the_page(browser, site):
    for scheme, bright in (("light", False), ("dark", True)):
        resize(browser, 1400, scheme)
        show(browser, site / "figures" / "mixup.svg")
        assert (luminance(browser, "text", "fill") > 0.5) == bright


def test_hostile_text_runs_nowhere(browser, site):
    resize(browser, 1400)
    for page in ("index", "studies/hostile", "studies/aum"):
        show(browser, site / f"{page}.html")
        assert browser.execute_script("return document.querySelectorAll('img[src=x], script:not([src])').length") == 0
        assert synthetic.HOSTILE in browser.execute_script("return document.body.textContent")
    assert browser.get_log("browser") == []


def test_without_script_every_row_is_still_there(browser, site):
    resize(browser, 1400)
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        show(browser, site / "index.html")
        assert not browser.find_element(By.CSS_SELECTOR, "form.controls").is_displayed()
        assert len(browser.find_elements(By.CSS_SELECTOR, ".papers > tbody > tr")) == 764
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
