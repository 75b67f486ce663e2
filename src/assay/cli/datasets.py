"""Data sets: retrieve."""

from typing import Annotated

import typer
from rich.table import Table

from assay.cli.common import AsJson, in_one_line, out, print_json

commands = typer.Typer()


@commands.command()
@in_one_line
def retrieve(
    names: Annotated[list[str] | None, typer.Argument(help="Data sets; none lists what there is.")] = None,
    track: Annotated[bool, typer.Option(help="Put the archives under DVC's control.")] = True,
    arrange: Annotated[bool, typer.Option("--arrange", help="Sort a flat val/ of ImageNet in a copy that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Download data sets, check and unpack them; without a name, list what there is."""
    from assay.datasets.retrieving import retrieve

    if not names:
        _list_data_sets(as_json)
        return
    for name in names:
        retrieve(name, say=typer.echo, track=track, arranged=arrange)


def _list_data_sets(as_json: bool) -> None:
    from assay import datasets

    known = datasets.table().datasets
    rows = [
        {
            "data set": name,
            "here": datasets.marker(name).exists(),
            "GB": round(sum(file.bytes or 0 for file in about.files) / 1e9, 2),
            "licence": about.licence,
            "title": about.title,
        }
        for name, about in known.items()
    ]
    if as_json:
        print_json(rows)
        return
    table = Table(*rows[0], title=f"{len(rows)} data sets, in {datasets.folder()}")
    for row in rows:
        table.add_row(*(("yes" if value else "no") if isinstance(value, bool) else str(value) for value in row.values()))
    out.print(table)
