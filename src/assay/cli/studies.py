"""What there is: list studies and plugs."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from assay.cli.common import AsJson, AtScale, in_one_line, out, print_json, print_line, word_on
from assay.cli.completing import listed_kinds
from assay.errors import AssayError, StudyError, unknown
from assay.language.catalogue import load as load_catalogue
from assay.language.configuration import results_folder
from assay.language.plugs import find, kinds
from assay.language.reading import read_yaml
from assay.language.studies import drafts, load_studies, study_paths
from assay.overview.coverage import released
from assay.overview.finding import title_of
from assay.storage.files import read_json
from assay.storage.places import WORK

commands = typer.Typer()
DRAFT = "draft"
HOLD = re.compile(r"\d+ of \d+(?= hold)")


def verdicts_at(scale: str) -> dict[str, dict]:
    """Verdicts by study at a scale; empty before the first run."""
    path = WORK / results_folder(scale) / "verdicts.json"
    return read_json(path)["studies"] if path.exists() else {}


@commands.command("list")
@in_one_line
def list_what(
    what: Annotated[
        str, typer.Argument(help="studies, or a kind of plug such as worlds.", autocompletion=listed_kinds)
    ] = "studies",
    scale: AtScale = "laptop",
    as_json: AsJson = False,
) -> None:
    """List all studies with their verdicts, a line each, or all plugs of a kind with their parameters."""
    if what != "studies" and what not in kinds():
        raise StudyError(unknown("list", what, ("studies", *kinds())))
    rows = _study_rows(scale) if what == "studies" else _plug_rows(what)
    if as_json:
        print_json(rows)
    elif what == "studies":
        _print_studies(rows, scale)
    else:
        table = Table(*(rows[0] if rows else ("nothing found",)), title=f"{len(rows)} {what}")
        for row in rows:
            table.add_row(*map(str, row.values()))
        out.print(table)


def _study_rows(scale: str) -> list[dict]:
    verdicts, archived, papers = verdicts_at(scale), released(scale, WORK), load_catalogue()
    rows = []
    for study in load_studies(scale).values():
        here, there = verdicts.get(study.name), archived.get(study.name)
        rows.append({
            "study": study.name,
            "family": study.family,
            "paper": study.file.paper,
            "word": here["word"] if here else there and there.word,
            "claims": here["count"] if here else (there.count if there else ""),
            "title": title_of(study, papers),
            "question": study.file.question,
        })  # fmt: skip
    return sorted([*rows, *map(_draft_row, _drafts())], key=lambda row: row["study"])


def _drafts() -> list[Path]:
    paths = study_paths()
    return [paths[name] for name in drafts(paths)]


def _draft_row(path: Path) -> dict:
    """What can be said of a study that is being written: its file may lack anything."""
    try:
        said = read_yaml(path)
    except AssayError:
        said = None
    paper, question = (str(said.get(key, "")) if isinstance(said, dict) else "" for key in ("paper", "question"))
    row = {"study": path.stem, "family": path.parent.name, "paper": paper, "word": DRAFT, "claims": ""}
    return row | {"title": question, "question": question}


def _print_studies(rows: Sequence[dict], scale: str) -> None:
    names = max((len(row["study"]) for row in rows), default=0)
    for row in rows:
        holding = HOLD.match(row["claims"])
        count = f"{holding.group() if holding else '':<8}"
        print_line(f"{row['study']:<{names}}  {word_on(row['word'], 13)}  {count}  {row['paper']}  ", row["title"])
    if out.is_terminal:
        out.print(f"{len(rows)} studies at scale {scale}; for one of them: assay show NAME", highlight=False)


def _plug_rows(kind: str) -> list[dict]:
    return [
        {
            "plug": plug.name,
            "computes": plug.doc.partition("\n\n")[0].replace("\n", " "),
            "parameters": ", ".join(plug.parameters),
        }
        for plug in find(kind).values()
    ]
