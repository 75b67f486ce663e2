"""The built folder, read with a parser: everything is there, links resolve, hostile text stays text, bytes repeat."""

import csv
import json
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import synthetic
from jinja2 import FileSystemLoader

from assay import report
from assay.errors import StudyError
from assay.evidence.tables import Observation
from assay.language import catalogue, kept
from assay.language.plugs import find
from assay.language.published import Published, PublishedNumber
from assay.pipeline.sources import Sources
from assay.report.atlas import Entry, Row, by_family, claim_counts, folds
from assay.report.download import parquet
from assay.report.methods import prose
from assay.report.page import as_table
from assay.report.site import make_environment, recipe_diffs

STUDIES = [*synthetic.VERDICTS, "hostile", "aum", "blurpool"]
SCRIPTS = {"index.html": "atlas.js", "effects.html": "effects.js", "lesson.html": "lesson.js"}
VOID = {"meta", "link", "img", "input", "br"}


class Document(HTMLParser):
    """Elements with their attributes, ids, and the text of the whole page."""

    def __init__(self, path: Path):
        super().__init__()
        self.path, self.elements, self.text, self.open = path, [], "", []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"{self.path}: </{tag}> at {self.getpos()}"

    def handle_data(self, data):
        self.text += data

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def pages(site) -> dict[str, Document]:
    return {path.relative_to(site).as_posix(): Document(path) for path in site.rglob("*.html")}


def test_every_page_is_there(site, pages):
    methods = {f"methods/{method.kind}-{method.name}.html" for method in synthetic.METHODS}
    studies = {f"studies/{name}.html" for name in STUDIES}
    shared = ("index", "effects", "glossary", "lesson", "methods", "worlds", "across", "judge", "benchmarks")
    assert set(pages) == {*(f"{name}.html" for name in shared), *methods, *studies}
    assert {path.stem for path in (site / "studies").glob("*.csv")} == {*synthetic.VERDICTS, "hostile"}


def test_papers_are_found_by_their_address_or_a_search_for_their_title(pages):
    """Without a script: who wrote it, when, and a link, each paper once."""
    page = pages["index.html"]
    links = [link["href"] for link in page.all("a")]
    assert "https://arxiv.org/abs/1710.09412" in links
    assert len([link for link in links if link.startswith(("https://arxiv.org/", "https://doi.org/"))]) == 764
    assert "Hongyi Zhang et al. 2018" in page.text
    assert "https://arxiv.org/abs/1710.09412" in [link["href"] for link in pages["studies/mixup.html"].all("a")]


def test_findings_and_studied_papers_come_fifty_at_a_time(papers):
    study = synthetic.view("x", "P166", "video")
    found = [Row(paper, [Entry(study, paper, None, None, "ci")] * (number < 120)) for number, paper in enumerate(papers.values())]
    folded = folds(found)
    assert [len(folded["first"]), *map(len, folded["studied"])] == [50, 50, 20]
    left = [row.paper.id for family in ("begun", "untouched") for _, rows in folded[family] for row in rows]
    assert sorted(left) == sorted(list(papers)[120:])
    assert not {family for family, _ in folded["begun"]} & {family for family, _ in folded["untouched"]}


def test_claims_are_counted_over_all_studies():
    studies = [
        {"word": "partly", "expectations": [{"word": "holds"}, {"word": "fails"}]},
        {"word": "supported", "expectations": [{"word": "holds"}]},
        {"word": "invalid", "expectations": [{"word": "open"}]},
    ]
    assert claim_counts(studies) == {"holds": 2, "fails": 1, "open": 1}


def test_the_index_counts_claims_first(pages):
    text = pages["index.html"].text
    # Of six equivalences one fails; mixup and hostile hold, augmix and grad-cam fail, odin and fgsm are open.
    assert "10 of 12 claims decided" in text
    assert text.index("claims decided") < text.index("not studied")
    assert "1 of 2 hold, 1 absent" in text


def test_a_study_that_is_not_released_is_marked(pages):
    assert "Not in the release" in pages["studies/odin.html"].text
    assert "Not in the release, so judged as if each alone joined it: odin" in pages["index.html"].text
    assert "Not in the release" not in pages["studies/mixup.html"].text


def test_another_word_of_the_release_stands_beside_that_of_other_evidence(results, papers, tmp_path):
    verdicts = json.loads((results / "verdicts.json").read_text())
    other = {"word": "partly", "count": "3 of 4 hold, 1 open", "seeds": 20, "same_evidence": False, "same_text": True}
    verdicts["studies"]["mixup"]["release"] = other
    verdicts["since"] = {
        "tag": "v7",
        "changes": [{"study": "mixup", "claim": "", "before": "open", "after": "supported", "cause": "new evidence"}],
    }
    (results / "verdicts-other.json").write_text(json.dumps(verdicts))
    studies = [synthetic.view("mixup", "P166", "training-recipes")]
    report.build(Sources.read(results), tmp_path, studies, papers, verdicts_name="verdicts-other.json")
    text = Document(tmp_path / "studies" / "mixup.html").text
    assert "Released on other evidence as partly 3 of 4 hold, 1 open (20 seeds)." in re.sub(r"\s+", " ", text)
    index = Document(tmp_path / "index.html").text
    assert "Words that changed since v7" in index
    assert "new evidence" in index


def test_coverage_and_verdicts_are_counted_by_family(papers):
    """Two of three papers studied, one of them twice: the bar takes the first study's state, the counts take all."""
    first, second, third = (replace(paper, family="video") for paper in list(papers.values())[:3])
    failed, waiting = ({"stage": "train", "error": "x"}, None)
    study = synthetic.view("x", "P166", "video")
    rows = [
        Row(first, [Entry(study, first, None, failed, "ci"), Entry(study, first, None, waiting, "ci")]),
        Row(second, [Entry(study, second, None, waiting, "ci")]),
        Row(third, []),
    ]
    (family,) = by_family(rows)
    assert (family["total"], family["studied"]) == (3, 2)
    assert family["states"] == {"failed": 1, "not run": 2}
    assert family["shares"] == [("failed", 0, 33.33), ("not run", 33.33, 33.33)]


def test_rows_say_where_evidence_comes_from_and_whether_it_is_fresh(pages):
    rows = {attributes.get("id"): attributes for attributes in pages["index.html"].all("tr")}
    names = ("data-scale", "data-evidence", "data-freshness")
    assert [rows["P166"][name] for name in names] == ["laptop", "recomputed", "fresh"]
    assert [rows["P127"][name] for name in names] == ["laptop", "recomputed", "stale"]
    assert [rows["P194"][name] for name in names] == ["laptop|gpu", "archived", "not checked"]
    assert [rows["P234"].get(name) for name in names] == [None, "none", None]
    assert [rows["P001"].get(name) for name in names] == [None, "none", None]


def test_index_has_a_row_for_every_paper(pages):
    rows = [attributes for attributes in pages["index.html"].all("tr") if "data-family" in attributes]
    assert sorted(row["id"] for row in rows) == sorted(catalogue.load())
    assert len(rows) == 764


def test_elements_are_balanced(pages):
    assert [page.path for page in pages.values() if page.open] == []


def test_links_resolve_inside_the_folder_or_lead_to_the_web(site, pages):
    for page in pages.values():
        for tag, attributes in page.elements:
            target = attributes.get("href", attributes.get("src"))
            if target is None or target == "data:,":
                continue
            parts = urlsplit(target)
            if parts.scheme:
                assert parts.scheme in {"http", "https"}, f"{page.path}: {target}"
                assert tag == "a", f"{page.path}: {target} would be fetched"
                continue
            found = (page.path.parent / unquote(parts.path)).resolve() if parts.path else page.path
            assert found.is_relative_to(site), target
            assert found.is_file(), f"{page.path}: {target}"
            if parts.fragment and "=" not in parts.fragment and found.suffix == ".html":
                ids = {values.get("id") for _, values in pages[found.relative_to(site).as_posix()].elements}
                assert parts.fragment in ids, f"{page.path}: {target}"


def test_ids_are_unique(pages):
    for page in pages.values():
        ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
        assert len(ids) == len(set(ids)), page.path


def test_hostile_text_is_shown_as_text(pages):
    for page in pages.values():
        scripts = [attributes.get("src") for attributes in page.all("script")]
        assert scripts in ([], [f"assets/{SCRIPTS.get(page.path.name)}"]), page.path
        assert all(attributes["src"].startswith(("../figures/", "../worlds/", "worlds/")) for attributes in page.all("img")), (
            page.path
        )
        for tag, attributes in page.elements:
            assert not [name for name in attributes if name.startswith("on")], f"{page.path}: {tag}"
            assert "style" not in attributes, f"{page.path}: {tag}"
            assert not attributes.get("href", "").lower().lstrip().startswith("javascript"), page.path
    hostile = pages["studies/hostile.html"].text
    # Question, family, base, arms, metrics, notes, yaml, claim, published figures and verdict: nothing is dropped or evaluated.
    assert hostile.count(synthetic.HOSTILE) > 25
    assert synthetic.HOSTILE in pages["studies/aum.html"].text
    assert "javascript:alert(3)" in pages["index.html"].text


@pytest.mark.parametrize(("name", "verdict"), [(name, verdict) for name, (_, _, verdict) in synthetic.VERDICTS.items()])
def test_study_page_says_verdict_evidence_and_how_to_repeat_it(pages, name, verdict):
    text = pages[f"studies/{name}.html"].text
    for part in (
        verdict,
        "16 px shapes, 78k-parameter ResNet, 5 seeds",
        f"Does {name} do what its paper says?",
        "treated.top1 > erm.top1",
        "erm.top1 > 0.3",
        "accuracy on the test split",
        "< 0.001",
        "Sixteen pixels only.",
        f"snakemake results/laptop/figures/{name}.svg",
        "snakemake results/laptop/report/manifest.json --config scale=laptop",
        f"assay show {name} --scale laptop",
        "868a97f",
        "training 42 s",
        "resnet-shapes-erm-3f9a2c1e",
        "  budget:−   epochs: 8+   epochs: 9    batch: 64+ augment:+ - mixup",
    ):
        assert part in text, part
    assert catalogue.load()[synthetic.VERDICTS[name][0]].claim in text


def test_stale_evidence_is_said(pages):
    assert "stale: augment/mixup.py changed" in pages["studies/fgsm.html"].text
    assert "stale" not in pages["studies/mixup.html"].text


def test_many_reasons_for_stale_evidence_are_counted_first_and_listed_below(results, papers, tmp_path):
    reasons = tuple(f"module_{number}.py changed" for number in range(9))
    report.build(Sources.read(results), tmp_path, [synthetic.view("mixup", "P166", "training-recipes", stale=reasons)], papers)
    text = Document(tmp_path / "studies" / "mixup.html").text
    assert "Out of date: module_0.py changed; module_1.py changed; module_2.py changed; 6 more." in text
    assert f"stale: {'; '.join(reasons)}" in text


def test_unproven_evidence_is_said_and_shown(results, papers, tmp_path):
    changed = ("training/run.py changed",)
    report.build(Sources.read(results), tmp_path, [synthetic.view("mixup", "P166", "training-recipes", unproven=changed)], papers)
    text = Document(tmp_path / "studies" / "mixup.html").text
    assert "Unproven: the code changed since (training/run.py changed), and nobody has shown yet" in text
    assert "unproven: training/run.py changed" in text
    assert "Out of date" not in text
    (row,) = (row for row in Document(tmp_path / "index.html").all("tr") if row.get("id") == "P166")
    assert row["data-freshness"] == "unproven"


def test_why_a_study_has_no_evidence_is_said(results, papers, tmp_path):
    study = synthetic.view("other", "P166", "training-recipes", lacking=("its evidence is stale: data/CIFAR.npz changed",))
    report.build(Sources.read(results), tmp_path, [study], papers)
    assert "Its evidence is stale: data/CIFAR.npz changed." in Document(tmp_path / "studies" / "other.html").text


def test_failed_study_says_where_and_why(pages):
    text = pages["studies/aum.html"].text
    for part in ("failed", "stage “train”", "TrainingError: ", "results/laptop/logs/train/aum.log"):
        assert part in text
    assert "has not run" in pages["studies/blurpool.html"].text


def test_figures_have_a_description_from_the_data(pages):
    image, *_ = pages["studies/mixup.html"].all("img")
    assert re.match(r"Means over seeds\. top1: erm 0\.\d{3}, treated 0\.\d{3}", image["alt"])


def test_every_figure_plug_says_how_to_read_it(pages):
    assert "thick lines 95% intervals" in pages["studies/mixup.html"].text
    assert "bands and bars 95% intervals" in pages["studies/augmix.html"].text
    assert all(plug.constants["CAPTION"] for plug in find("figures").values())


def test_effect_of_an_invalid_study_is_not_listed(pages):
    rows = {attributes.get("id"): attributes for attributes in pages["index.html"].all("tr")}
    assert "data-effect" not in rows["P127"]
    assert float(rows["P166"]["data-effect"]) > 0


def test_studies_of_a_family_are_chained_in_order(results, papers, tmp_path):
    family = [synthetic.view(name, "P166", "training-recipes") for name in ("c", "a", "b")]
    report.build(Sources.read(results), tmp_path, [*family, synthetic.view("d", "P127", "adversarial")], papers)

    def around(name: str) -> dict[str, str]:
        links = Document(tmp_path / "studies" / f"{name}.html").all("a")
        return {link["rel"]: link["href"] for link in links if link.get("rel") in ("prev", "next")}

    assert around("a") == {"next": "b.html"}
    assert around("b") == {"prev": "a.html", "next": "c.html"}
    assert around("c") == {"prev": "b.html"}
    assert around("d") == {}


def test_study_page_shows_its_worlds(site, pages):
    page = pages["studies/mixup.html"]
    pictures = [image for image in page.all("img") if image["src"].startswith("../worlds/")]
    assert [image["src"] for image in pictures] == ["../worlds/shapes-0a1b2c3d.png", "../worlds/dsd-0a1b2c3d.png"]
    assert "16 by 16 pixels: square (in truth circle), square, star" in pictures[0]["alt"]
    for part in (
        "{shapes: {label_noise: 0.4}}",
        "erm, treated",
        "square (in truth circle)",
        "train: 1,536 images of 3 × 16 × 16; test: 1,024 images",
        "3 classes",
        "clean label, mask 16 × 16",
        "are drawn from black to white",
        "worlds/lost-0a1b2c3d/card.json: does not exist",
    ):
        assert part in page.text, part
    assert all(path.stat().st_size < 8_000 for path in (site / "worlds").iterdir())


def test_worlds_beyond_the_first_are_folded_away(results, papers, tmp_path):
    names = ("shapes-0a1b2c3d", "dsd-0a1b2c3d", "hostile-0a1b2c3d", "lost-0a1b2c3d", "gone-0a1b2c3d")
    study = synthetic.view("mixup", "P166", "training-recipes", worlds=dict.fromkeys(names, ("erm",)))
    report.build(Sources.read(results), tmp_path, [study], papers)
    page = Document(tmp_path / "studies" / "mixup.html")
    assert "2 more worlds" in page.text
    assert page.open == []


def test_study_page_says_what_the_paper_brings_and_who_checks_it(pages):
    works, stale = pages["studies/mixup.html"].text, pages["studies/fgsm.html"].text
    for part in ("augment/mixup", "Convex combinations of pairs.", "1 oracle test", "tests/plugs/test_mixup.py::test_pairs"):
        assert part in works, part
    assert "No oracle test vouches for it." in works
    assert "This row of the catalogue works" in works
    assert "does not count as working yet" in stale
    assert "evidence is stale: augment/mixup.py changed" in stale


def test_method_page_says_source_parameters_papers_tests_and_studies(pages):
    page = pages["methods/augment-mixup.html"]
    for part in ("Mixup: convex combinations\nof pairs.", synthetic.FORMULA, "one lam a batch", "Images (B, C, H, W)."):
        assert part in page.text, part
    for part in (
        "Annotated[float, Gt(0)]",
        "must be given",
        "tests/plugs/test_mixup.py::test_pairs",
        "src/assay/augment/mixup.py",
    ):
        assert part in page.text, part
    links = [link["href"] for link in page.all("a")]
    assert {"../index.html#P166", "../studies/mixup.html", "../studies/augmix.html"} <= set(links)
    assert not [link for link in links if "P999" in link or "dropped" in link]
    assert "Accuracy [0 to 1, higher is better]: accuracy" in pages["methods/protocols-classify.html"].text
    assert "No test against an independent truth" in pages["methods/worlds-shapes.html"].text
    assert pages["methods/worlds-unseen.html"].text.count(synthetic.HOSTILE) == 8


def test_worlds_are_shown_with_the_studies_that_draw_from_them(pages):
    gallery, world = pages["worlds.html"], pages["methods/worlds-shapes.html"]
    assert [image["src"] for image in gallery.all("img")] == ["worlds/shapes-0a1b2c3d.png"]
    assert [image["src"] for image in world.all("img")] == ["../worlds/shapes-0a1b2c3d.png"]
    assert "studies/mixup.html" in {link["href"] for link in gallery.all("a")}
    assert "clean label, mask 16 × 16" in gallery.text
    assert "Not drawn from by a study yet" in gallery.text


def test_views_across_papers_lead_to_their_studies(pages):
    """The synthetic studies share a network, a recipe for each arm, and the comparison of the same two arms."""
    text = pages["across.html"].text
    for part in ("one study at most", "outcomes differ", "accuracy on the test split", "resnet-shapes-erm-3f9a2c1e"):
        assert part in text, part
    assert {"studies/mixup.html", "studies/augmix.html"} <= {link["href"] for link in pages["across.html"].all("a")}
    assert "resnet-shapes-erm-3f9a2c1e with augmix" in pages["studies/mixup.html"].text


def test_study_page_leads_to_the_methods_it_uses(pages):
    links = {link["href"] for link in pages["studies/mixup.html"].all("a")}
    assert {"../methods/augment-mixup.html", "../methods/worlds-shapes.html", "../methods/protocols-classify.html"} <= links
    assert not [link for link in links if "resnet" in link]


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a *b* _c_ **d** u_t = u_{t-1} * w_t", "<p>a *b* _c_ **d** u_t = u_{t-1} * w_t</p>"),
        ("<b>&amp; <Y_t, X_t>", "<p>&lt;b&gt;&amp;amp; &lt;Y_t, X_t&gt;</p>"),
        (
            "![i](http://a/b.png) [l](http://a) http://a <http://a>",
            "<p>![i](http://a/b.png) [l](http://a) http://a &lt;http://a&gt;</p>",
        ),
        ("Lists:\n\n- `a < b`\n- c", "<p>Lists:</p>\n<ul>\n<li><code>a &lt; b</code></li>\n<li>c</li>\n</ul>"),
        ("# no heading\n\n    x = 1 < 2", "<p># no heading</p>\n<pre><code>x = 1 &lt; 2\n</code></pre>"),
    ],
)
def test_docstrings_are_text_with_lists_and_code(text, html):
    assert prose(text).strip() == html


def test_what_papers_print_is_beside_the_page(site, pages):
    """The numbers of the page, for spreadsheets and for LaTeX."""
    links = {link["href"] for link in pages["studies/augmix.html"].all("a") if "download" in link}
    wanted = {f"../tables/augmix-{what}.{end}" for what in ("claims", "means") for end in ("csv", "tex")}
    assert wanted <= links
    with open(site / "tables" / "augmix-claims.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert (rows[0]["expectation"].strip(), rows[0]["word"]) == ("treated.top1 > erm.top1", "fails: reversed")
    assert float(rows[0]["effect"]) == 0.025
    assert r"\begin{tabular}" in (site / "tables" / "augmix-means.tex").read_text()


def test_parquet_holds_the_same_table(site, results):
    for name in ("mixup", "hostile"):
        rows = pq.read_table(site / "studies" / f"{name}.parquet").to_pylist()
        with open(results / "observations" / name / "0-4" / "observations.csv", newline="", encoding="utf-8") as file:
            stored = list(csv.DictReader(file))
        assert [row["value"] for row in rows] == [float(row["value"]) for row in stored]
        assert [row["seed"] for row in rows] == [int(row["seed"]) for row in stored]
        assert [row["x"] for row in rows] == [float(row["x"]) if row["x"] else None for row in stored]
        assert [(row["arm"], row["metric"]) for row in rows] == [(row["arm"], row["metric"]) for row in stored]


@pytest.mark.parametrize(("xs", "stored"), [((1.0, None), [1.0, None]), (("conv1", 2.0, None), ["conv1", "2", None])])
def test_coordinates_in_parquet_are_numbers_or_names(xs, stored):
    table = as_table([Observation("s", "a", 0, "m", x, 0.5) for x in xs])
    assert pq.read_table(pa.BufferReader(parquet(table)))["x"].to_pylist() == stored
    assert parquet(table) == parquet(table.copy())


def test_arms_are_shown_as_a_diff_against_the_baseline():
    study = synthetic.view("mixup", "P166", "training-recipes")
    diffs = recipe_diffs(study)
    assert list(diffs) == ["treated", "shuffled"]
    expected = ["  budget:", "-   epochs: 8", "+   epochs: 9", "    batch: 64", "+ augment:", "+ - mixup"]
    assert [f"{mark} {line}" for mark, line in diffs["treated"]] == expected
    assert diffs["shuffled"] == []
    recipes = {"erm": {"world": "shapes", "surgery": [{"gpfq": {"bits": 2}}]}, "none": {"world": "digits"}}
    (lines,) = recipe_diffs(replace(study, recipes=recipes)).values()
    assert [f"{mark} {line}" for mark, line in lines] == [
        "- world: shapes", "+ world: digits", "- surgery:", "- - gpfq:", "-     bits: 2",
    ]  # fmt: skip


def test_csv_is_the_stored_table(site, results):
    stored = results / "observations" / "mixup" / "0-4" / "observations.csv"
    assert (site / "studies" / "mixup.csv").read_bytes() == stored.read_bytes()


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_same_evidence_gives_same_bytes(site, results, studies, papers, tmp_path):
    report.build(Sources.read(results), tmp_path, list(reversed(studies)), papers, synthetic.METHODS)
    assert snapshot(tmp_path) == snapshot(site)


def test_rebuilding_leaves_unchanged_files_and_removes_dropped_studies(results, studies, papers, tmp_path):
    report.build(Sources.read(results), tmp_path, studies, papers)
    for path in tmp_path.rglob("*.*"):
        os.utime(path, (1, 1))
    (tmp_path / "mine.txt").write_text("kept")
    report.build(Sources.read(results), tmp_path, [study for study in studies if study.name != "odin"], papers)
    assert not list(tmp_path.rglob("odin*"))
    assert (tmp_path / "mine.txt").exists()
    assert (tmp_path / "studies" / "mixup.csv").stat().st_mtime == 1
    assert (tmp_path / "figures" / "mixup.svg").stat().st_mtime == 1
    assert (tmp_path / "worlds" / "shapes-0a1b2c3d.png").stat().st_mtime == 1
    report.build(Sources.read(results), tmp_path, [], papers)
    assert not list((tmp_path / "worlds").iterdir())


def test_altered_evidence_fails_that_study_alone(studies, papers, tmp_path):
    results = tmp_path / "laptop"
    results.mkdir()
    synthetic.write_results(results)
    table = results / "observations" / "mixup" / "0-4" / "observations.csv"
    table.write_text(table.read_text().replace("0.6", "0.9", 1))
    report.build(Sources.read(results), tmp_path / "out", studies, papers)
    text = Document(tmp_path / "out" / "studies" / "mixup.html").text
    assert "stage “report”" in text
    assert "truncated or altered" in text
    assert "Holds" not in text
    assert "Does not hold" in Document(tmp_path / "out" / "studies" / "augmix.html").text


def test_nothing_run_yet_still_gives_an_atlas(papers, tmp_path):
    results = tmp_path / "laptop"
    results.mkdir()
    report.build(Sources.read(results), tmp_path / "out", [synthetic.view("mixup", "P166", "training-recipes")], papers)
    assert "Nothing is judged yet" in Document(tmp_path / "out" / "index.html").text


def test_measured_but_not_judged(studies, papers, tmp_path):
    results = tmp_path / "laptop"
    results.mkdir()
    synthetic.write_results(results)
    (results / "verdicts.json").write_text(json.dumps({"alpha": 0.05, "studies": {}, "failed": {}}))
    report.build(Sources.read(results), tmp_path / "out", studies, papers)
    text = Document(tmp_path / "out" / "studies" / "mixup.html").text
    assert "not judged yet" in text
    assert "Expectations" not in text


def test_paper_that_the_catalogue_lacks_is_an_error(results, papers, tmp_path):
    with pytest.raises(StudyError, match="unknown paper 'P999'"):
        report.build(Sources.read(results), tmp_path, [synthetic.view("x", "P999", "video")], papers)


def test_name_that_leaves_the_folder_is_an_error(results, papers, tmp_path):
    with pytest.raises(StudyError, match=r"'\.\./x' cannot be a file name"):
        report.build(Sources.read(results), tmp_path, [synthetic.view("../x", "P166", "video")], papers)


def test_index_stays_small(site):
    assert (site / "index.html").stat().st_size < 1_500_000


def test_the_platform_is_told_in_words(pages):
    text = pages[f"studies/{next(iter(synthetic.VERDICTS))}.html"].text
    assert "Linux, x86_64, 16 p, cpu, float32, 1 thread a job; networks trained on 1 x cpu" in text


def test_secondary_expectations_stand_apart_from_the_claim(pages):
    page = pages[f"studies/{next(iter(synthetic.VERDICTS))}.html"].text.split("The claims, one by one", 1)[1]
    claim, beside = page.split("Beside the claim")
    assert "treated.top1 > shuffled.top1" in beside
    assert "treated.top1 > shuffled.top1" not in claim


def test_each_claim_has_its_chart_with_a_text_for_those_who_do_not_see_it(pages):
    page = pages["studies/augmix.html"]
    charts = [svg for svg in page.all("svg") if svg.get("role") == "img"]
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert len(charts) == 3
    assert all(set(chart["aria-labelledby"].split()) <= set(ids) for chart in charts)
    said = re.sub(r"\s+", " ", page.text)
    assert "treated 0.525 against erm 0.500, claimed higher by more than 0.01 fails the other way round" in said
    assert "0.0250, 95% interval [0.0170, 0.0330], 5 seeds; claimed higher by more than 0.01: fails" in said
    assert "claim-treated.top1-over-erm.top1" in ids


def test_a_chart_shows_the_papers_own_effect(results, papers, tmp_path):
    numbers = [PublishedNumber(metric=f"{arm}.top1", value=value, source="table 3", setting="ImageNet") for arm, value in
               (("erm", 0.7), ("treated", 0.75))]  # fmt: skip
    study = synthetic.view("mixup", "P166", "training-recipes", published=tuple(Published(each, False) for each in numbers))
    report.build(Sources.read(results), tmp_path, [study], papers)
    said = Document(tmp_path / "studies" / "mixup.html").text
    assert "the paper: +0.0500 (ImageNet; table 3)" in said
    assert "the paper has 0.0500 (ImageNet; table 3)" in said


def test_templates_are_compiled_once_and_again_where_they_changed_or_what_is_kept_is_damaged(tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "FOLDER", str(tmp_path / "kept"))
    (tmp_path / "page.html").write_text("{{ 1 + 1 }}")

    def compiled() -> tuple[str, int]:
        """What the page says, and how many templates were compiled for it."""
        environment, made = make_environment(), []
        environment.loader = FileSystemLoader(tmp_path)
        compile_it = environment.compile
        environment.compile = lambda *given, **named: made.append(given) or compile_it(*given, **named)
        return environment.get_template("page.html").render(), len(made)

    assert [compiled(), compiled()] == [("2", 1), ("2", 0)]
    (tmp_path / "page.html").write_text("{{ 1 + 2 }}")
    assert [compiled(), compiled()] == [("3", 1), ("3", 0)]
    for path in (tmp_path / "kept/templates").iterdir():
        path.write_bytes(b"damaged")
    assert [compiled(), compiled()] == [("3", 1), ("3", 0)]


def test_where_no_template_can_be_kept_all_are_compiled(tmp_path, monkeypatch):
    (tmp_path / "kept").write_text("no folder")
    monkeypatch.setattr(kept, "FOLDER", str(tmp_path / "kept"))
    assert make_environment().bytecode_cache is None
