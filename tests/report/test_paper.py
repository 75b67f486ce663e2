"""Figures and tables for papers: a column's width, fonts in the file, LaTeX that sets any text, numbers that lose nothing."""

import csv
import io
import re
import zlib
from dataclasses import replace
from xml.etree import ElementTree

import pandas as pd
import pytest
import synthetic

from assay import report
from assay.language import catalogue
from assay.language.expectations.expectation import normal
from assay.report.paper import WRAPPED, Table, as_csv, as_html, as_latex, column_figures, digits, escaped, paper_files

STUDY = synthetic.view("mixup", "P166", "training-recipes")


@pytest.fixture(scope="module")
def page() -> report.Page:
    rows = [(arm, seed, m, float("nan") if x == "" else x, float(v)) for _, arm, seed, m, x, v in synthetic.rows(STUDY)]
    table = pd.DataFrame(rows, columns=["arm", "seed", "metric", "x", "value"])
    return report.Page(STUDY, catalogue.load()["P166"], table, {}, synthetic.judged(STUDY, "supported"), {})


@pytest.fixture(scope="module")
def files(page) -> dict[str, bytes]:
    return paper_files(page)


@pytest.mark.parametrize("figure", [{"bars": {}}, {"lines": {}}, {"scatter": {"x": "top1", "y": "top1"}}])
def test_same_data_gives_same_bytes_whatever_the_day(page, figure, monkeypatch):
    drawn = replace(page, study=replace(STUDY, figure=figure))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    first = paper_files(drawn)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert paper_files(drawn) == first


def test_figures_are_as_wide_as_a_column(files):
    assert float(re.search(rb"/MediaBox \[ 0 0 ([\d.]+)", files[".pdf"])[1]) == pytest.approx(3.35 * 72, abs=0.5)
    assert ElementTree.fromstring(files[".svg"]).get("width") == "241.2pt"


def test_a_figure_of_many_panels_fits_a_page(page):
    rows = [(arm, seed, f"metric{k}", float("nan"), float(seed)) for arm in STUDY.arms for seed in range(3) for k in range(20)]
    table = pd.DataFrame(rows, columns=["arm", "seed", "metric", "x", "value"])
    drawn = column_figures(replace(page, observations=table))["svg"]
    assert float(ElementTree.fromstring(drawn).get("height").removesuffix("pt")) <= 8.6 * 72 + 0.1


def test_long_expectations_wrap_and_long_names_break():
    table = Table(("expectation", "p"), 1, [("guided_backprop.faithfulness > other.faithfulness", 0.5)])
    assert WRAPPED in as_latex(table)
    assert r"guided\_\allowbreak{}backprop" in as_latex(table)


def test_fonts_are_truetype_and_in_the_file_and_text_is_text(files):
    assert b"/FontFile2" in files[".pdf"]
    assert b"/Type3" not in files[".pdf"]
    words = "".join(ElementTree.fromstring(files[".svg"]).itertext())
    assert "treated" in words
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", files[".pdf"], re.DOTALL)
    assert any(
        b"Tj" in zlib.decompress(stream) or b"TJ" in zlib.decompress(stream) for stream in streams[:5] if stream[:1] == b"x"
    )


def test_csv_keeps_every_digit(page, files):
    rows = list(csv.DictReader(io.StringIO(files["-means.csv"].decode())))
    top1 = page.observations.query("arm == 'treated' and metric == 'top1'")["value"]
    (row,) = [row for row in rows if row["arm"] == "treated" and row["metric"] == "top1"]
    assert float(row["mean"]) == pytest.approx(top1.mean(), abs=1e-15)
    assert row["seeds"] == "5"
    verdicts = list(csv.DictReader(io.StringIO(files["-verdict.csv"].decode())))
    assert [(row["expectation"], row["role"], row["word"]) for row in verdicts] == [
        ("treated.top1 > erm.top1", "claim", "holds"),
        (" -0.01 < shuffled.top1 - erm.top1 < 0.01", "claim", "holds"),  # no formula for a spreadsheet
        ("treated.top1 > shuffled.top1", "secondary", "holds"),
    ]
    assert [float(verdicts[0][key]) for key in ("effect", "low", "high", "P", "q")] == [0.04, 0.032, 0.048, 0.0004, 0.0031]


@pytest.mark.parametrize("text", ["-0.1 < a.m - b.m < 0.1", "=1+1", "+a.m > 0", "@a"])
def test_a_spreadsheet_computes_no_text(text):
    (_, line) = as_csv(Table(("expectation", "p"), 1, [(text, -0.5)])).splitlines()
    assert line == f" {text},-0.5"
    assert normal(line.split(",")[0]) == normal(text)


def test_tables_as_a_page_are_those_of_the_csv_files_with_three_digits(files):
    page = files["-tables.html"].decode()
    tables = [ElementTree.fromstring(table) for table in re.findall(r"<table>.*?</table>", page, re.DOTALL)]
    for name, table in zip(("means", "verdict"), tables, strict=True):
        exact = list(csv.DictReader(io.StringIO(files[f"-{name}.csv"].decode())))
        head, *shown = ([cell.text or "" for cell in row] for row in table.iter("tr"))
        assert head == list(exact[0])
        assert [row[0] for row in shown] == [row[head[0]].strip() for row in exact]
        place = head.index("low")
        lows = [float(row[place].replace("\N{MINUS SIGN}", "-")) for row in shown]
        assert lows == pytest.approx([float(row["low"]) for row in exact], rel=0.005)


def test_text_in_a_page_of_tables_stays_text():
    hostile = Table(("arm", "mean"), 1, [(synthetic.HOSTILE, float("nan"))])
    page = as_html(synthetic.HOSTILE, {synthetic.HOSTILE: hostile})
    assert "<script" not in page
    assert "<img" not in page


def test_where_a_control_failed_no_expectation_is_said_to_hold(page):
    files = paper_files(replace(page, verdict=synthetic.judged(STUDY, "invalid")))
    rows = csv.DictReader(io.StringIO(files["-verdict.csv"].decode()))
    assert {row["word"] for row in rows} == {"invalid"}


def test_a_single_seed_has_no_interval():
    table = Table(("arm", "mean", "low"), 1, [("erm", 0.5, float("nan"))])
    assert as_csv(table) == "arm,mean,low\nerm,0.5,\n"
    assert r"\texttt{erm} & $0.500$ & -- \\" in as_latex(table)


def test_latex_is_balanced_and_every_row_has_every_column(files):
    for end in ("-means.tex", "-verdict.tex"):
        check_latex(files[end].decode())


def test_hostile_text_stays_text():
    nasty = synthetic.HOSTILE + r" \input{/etc/passwd} ~^&%#_ | -- line" + "\nbreak"
    table = Table(("name", "value"), 1, [(nasty, 1.0)])
    check_latex(as_latex(table))
    assert "\\input" not in as_latex(table)
    assert escaped(r"a_b 50% \x") == r"a\_b 50\% \textbackslash{}x"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0123456, "$0.0123$"), (-1.5, "$-1.50$"), (123.4, "$123$"), (12345.0, r"$1.23 \times 10^{4}$"), (0.0, "$0.00$"),
     (4e-7, r"$4.00 \times 10^{-7}$"), (None, "--"), (5, "$5$")],
)  # fmt: skip
def test_numbers(value, text):
    assert digits(value) == text


def check_latex(text: str) -> None:
    """One tabular, its rules, only known commands, balanced braces, and as many cells in each row as columns."""
    comment, opening, *lines = text.splitlines()
    assert comment == r"% needs \usepackage[T1]{fontenc}, \usepackage{array}, \usepackage{booktabs}"
    assert opening == r"{\footnotesize\setlength{\tabcolsep}{3pt}%"
    (spec,) = re.findall(r"\\begin\{tabular\}\{([lr]+)\}", lines[0].replace(WRAPPED, "l"))
    assert (lines[1], lines[3], lines[-2], lines[-1]) == (r"\toprule", r"\midrule", r"\bottomrule", r"\end{tabular}}")
    for line in (lines[2], *lines[4:-2]):
        assert line.endswith(r" \\")
        row = line.removesuffix(r" \\")
        bare = re.sub(r"\\[&%$#_{}]", "", row)  # escaped characters
        assert bare.count("&") == len(spec) - 1
        assert bare.count("{") == bare.count("}")
        assert bare.count("$") % 2 == 0
        assert not set('%#~<>|"') & set(bare)
        commands = {"texttt", "textbackslash", "textasciitilde", "textasciicircum", "textless", "textgreater", "textbar",
                    "textquotedbl", "ldots", "times", "allowbreak"}  # fmt: skip
        assert set(re.findall(r"\\([a-zA-Z]+|.)", bare)) <= commands
