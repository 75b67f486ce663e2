"""The whole: coverage of the catalogue, and costs of the studies."""

from collections import Counter
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.table import Table

from assay.cli.common import AsJson, AtScale, in_one_line, of_studies, out, print_json
from assay.errors import StudyError, unknown
from assay.judging.counts import PAPERS
from assay.language.catalogue import load as load_catalogue
from assay.language.studies import load_studies
from assay.overview.coverage import coverage as compute_coverage

commands = typer.Typer()


@commands.command()
@in_one_line
def coverage(as_json: AsJson = False) -> None:
    """Count the papers whose rows work, by family, and say what the others miss."""
    found = compute_coverage(load_catalogue())
    if as_json:
        print_json(found)
        return
    table = Table("family", "papers", "working", title=f"{found['working']} of {found['total']} papers work")
    for family, counts in found["families"].items():
        table.add_row(family, str(counts["total"]), str(counts["working"]) if counts["working"] else "[dim]0[/]")
    out.print(table)
    out.print(_words(found["papers"].values()), highlight=False)
    for paper, row in found["papers"].items():
        if row["study"] and not row["working"]:
            out.print(f"{paper} {row['study']}: {'; '.join(row['missing'])}", highlight=False)


def _words(rows: Iterable[dict]) -> str:
    """How many papers have which word."""
    words = Counter(row["word"] for row in rows if row["word"])
    return ", ".join(f"{words[word]} {word}" for word in PAPERS if words[word]) or "no paper is judged"


@commands.command()
@in_one_line
def costs(
    studies: Annotated[list[str] | None, of_studies("Names of studies; all if not given.")] = None,
    scale: AtScale = "laptop",
    as_json: AsJson = False,
) -> None:
    """Print what studies cost, in core seconds and in trainings of the default network, and what they share with others."""
    from assay.overview.costs import bill

    known = load_studies(scale)
    for name in studies or []:
        if name not in known:
            raise StudyError(unknown("study", name, known))
    found = bill(studies or known, known)
    if as_json:
        print_json(found.as_json())
        return
    table = Table("study", "networks", "training", "own", "measuring", "trainings", "shares with", box=None, pad_edge=False)
    for row in found.studies:
        amounts = (f"{row.training:.0f}", f"{row.own:.0f}", f"{row.measuring:.0f}", _times(row.trainings))
        table.add_row(row.study, str(row.networks), *amounts, f"{len(row.shared_with)} studies" if row.shared_with else "")
    amounts = (f"{found.training:.0f}", f"{found.own:.0f}", f"{found.measuring:.0f}", _times(found.trainings))
    table.add_row("all, each once", "", *amounts, "")
    typer.echo(f"core seconds at scale {scale}; own: of networks that no other study asks for")
    out.print(table)
    out.print(f"beyond what other studies share: {(found.own + found.measuring) / 60:.1f} core minutes")
    if found.default:
        out.print(f"trainings: all of it in trainings of {found.default} in the same run", highlight=False)


def _times(trainings: float | None) -> str:
    return "" if trainings is None else f"{trainings:.1f}"
