"""For papers: a study's figure in a column's width as PDF and SVG, its tables as LaTeX, CSV and HTML; same data, same bytes."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from assay.evidence.summary import summarise
from assay.report.figure import ASSETS, NO_METADATA, draw, lay_out
from assay.report.page import Page
from assay.report.words import finite, number

COLUMN = 3.35  # inches: a column of a two-column paper, on A4 and on letter
SHEET = "body { font: 15px/1.5 sans-serif; margin: 1rem } td, th { text-align: left; padding: 0.2rem 1rem 0.2rem 0 }"
TALLEST = 8.6  # inches: with a caption, a page of either paper
STYLES = [str(ASSETS / name) for name in ("figures.mplstyle", "paper.mplstyle")]
FORMATS = {
    "pdf": (FigureCanvasPdf, {"Creator": None, "Producer": None, "CreationDate": None}),
    "svg": (FigureCanvasSVG, NO_METADATA),
}
SPECIAL = {character: f"\\{character}" for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "\N{HORIZONTAL ELLIPSIS}": r"\ldots{}",
}
PACKAGES = (r"\usepackage[T1]{fontenc}", r"\usepackage{array}", r"\usepackage{booktabs}")
WRAPPED = r">{\raggedright\arraybackslash}p{0.27\linewidth}"  # an expectation is longer than a column is wide
NAMES = {"arm", "metric", "x", "expectation"}  # columns whose text is written as in a study file
TYPEWRITER = SPECIAL | {"-": "-{}", "_": r"\_\allowbreak{}"}  # no dashes out of hyphens; long names may break


@dataclass(frozen=True)
class Table:
    """Column names and rows, of which the first `text` columns hold text and the others numbers or nothing."""

    columns: tuple[str, ...]
    text: int
    rows: Sequence[tuple[Any, ...]]


def paper_files(page: Page, figures: Mapping[str, bytes] | None = None) -> dict[str, bytes]:
    """The figure and the tables of one study by the end of their names; verdict tables only once it is judged.

    figures: the figure by format, where it was drawn before.
    """
    tables = {"means": means(page)} | ({"verdict": findings(page.verdict)} if page.verdict else {})
    files = {f".{kind}": drawn for kind, drawn in (figures or column_figures(page)).items()}
    for name, table in tables.items():
        files |= {f"-{name}.tex": as_latex(table).encode(), f"-{name}.csv": as_csv(table).encode()}
    return files | {"-tables.html": as_html(page.study.name, tables).encode()}


def column_figures(page: Page) -> dict[str, bytes]:
    """The study's figure by format: as PDF with TrueType fonts in it, and as SVG with its text as text, laid out alike."""
    with mpl.rc_context(), mpl.rc_context({"svg.hashsalt": page.study.name}):
        for style in STYLES:
            mpl.rc_file(style, use_default_template=False)
        drawn = draw(page)
        fit(drawn)
        return {kind: _saved(drawn, kind) for kind in FORMATS}


def _saved(drawn: Figure, kind: str) -> bytes:
    canvas, metadata = FORMATS[kind]
    canvas(drawn)
    lay_out(drawn)
    stream = io.BytesIO()
    drawn.savefig(stream, format=kind, metadata=metadata)
    return stream.getvalue()


def fit(drawn: Figure) -> None:
    """Make a figure as wide as a column, and as tall in proportion as a page allows."""
    width, height = drawn.get_size_inches()
    drawn.set_size_inches(COLUMN, min(height * COLUMN / width, TALLEST))


# Tables


def means(page: Page) -> Table:
    """Mean over seeds and 95% interval of each arm's metrics, coordinate by coordinate."""
    rows = summarise(page.observations).itertuples()
    columns = ("arm", "metric", "x", "mean", "low", "high", "seeds")
    return Table(columns, 3, [(r.arm, r.metric, _coordinate(r.x), r.mean, r.low, r.high, r.seeds) for r in rows])


def _coordinate(x: Any) -> str:
    return x if isinstance(x, str) else f"{x:g}" if finite(x) else ""


def findings(verdict: dict[str, Any]) -> Table:
    """What became of each expectation, those beside the claim after those that decide; where a control failed, of none.

    P and q are of `holds`, and of `fails` for one that does: corrected for looks, and over all claims released.
    """
    rows = []
    for role, key in (("claim", "expectations"), ("secondary", "secondary")):
        for item in verdict[key]:
            word = "invalid" if verdict["word"] == "invalid" else item["word"]
            low, high = item["interval"] or (None, None)
            tested = "fails" if item["word"] == "fails" else "holds"
            why = f"{word}: {item['reason']}" if word == "fails" else word
            rows.append((item["text"], role, why, item["effect"], low, high, item["P"][tested], item["q"][tested]))
    return Table(("expectation", "role", "word", "effect", "low", "high", "P", "q"), 3, rows)


def as_csv(table: Table) -> str:
    """Numbers in full, so that nothing is lost; nothing where there is no number."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(table.columns)
    for row in table.rows:
        numbers = (value if finite(value) else "" for value in row[table.text :])
        writer.writerow([*map(_no_formula, row[: table.text]), *numbers])
    return stream.getvalue()


def _no_formula(text: str) -> str:
    """Text that a spreadsheet does not compute: a space before `-0.1 < ...`, which changes no expectation."""
    return f" {text}" if text.startswith(("=", "+", "-", "@")) else text


def as_html(title: str, tables: Mapping[str, Table]) -> str:
    """The tables as one small page that needs no other file, with three significant digits."""
    parts = [f"<h1>{escape(title)}</h1><style>{SHEET}</style>"]
    for name, table in tables.items():
        head = "".join(f'<th scope="col">{escape(column)}</th>' for column in table.columns)
        rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in _cells(table, row))}</tr>\n" for row in table.rows)
        parts.append(f"<h2>{escape(name)}</h2>\n<table><thead><tr>{head}</tr></thead><tbody>\n{rows}</tbody></table>")
    body = "\n".join(parts)
    return f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>\n{body}\n</html>\n'


def _cells(table: Table, row: tuple[Any, ...]) -> list[str]:
    return [str(cell) for cell in row[: table.text]] + [number(value) for value in row[table.text :]]


def as_latex(table: Table) -> str:
    """A tabular in booktabs style, with names in typewriter and three significant digits."""
    lines = [" & ".join(map(escaped, table.columns))]
    for row in table.rows:
        cells = [
            rf"\texttt{{{escaped(text, TYPEWRITER)}}}" if text and name in NAMES else escaped(text)
            for name, text in zip(table.columns, row[: table.text], strict=False)
        ]
        lines.append(" & ".join([*cells, *map(digits, row[table.text :])]))
    head, *body = (rf"{line} \\" for line in lines)
    columns = "".join(WRAPPED if name == "expectation" else "l" for name in table.columns[: table.text])
    columns += "r" * (len(table.columns) - table.text)
    text = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule", *body, r"\bottomrule", r"\end{tabular}"]
    return "\n".join(
        [f"% needs {', '.join(PACKAGES)}", r"{\footnotesize\setlength{\tabcolsep}{3pt}%", *text[:-1], text[-1] + "}", ""]
    )


def escaped(text: str, special: dict[str, str] = SPECIAL) -> str:
    """Text that LaTeX sets as it stands, on one line."""
    return "".join(special.get(character, character) for character in " ".join(text.split()))


def digits(value: Any) -> str:
    """Three significant digits in mathematics, a dash for what is missing."""
    if not finite(value):
        return "--"
    if isinstance(value, int):
        return f"${value}$"
    mantissa, _, exponent = f"{value:#.3g}".removesuffix(".").partition("e")
    return rf"${mantissa} \times 10^{{{int(exponent)}}}$" if exponent else f"${mantissa}$"
