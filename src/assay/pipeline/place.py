"""The command line's sense of place: where the Snakefile is, and a warning in a checkout whose code is not what runs."""

from pathlib import Path

import typer

from assay.storage.places import PROJECT, warning_of_other_checkout


def register(app: typer.Typer) -> None:
    """Add the command `where`, and the warning before every command."""
    app.callback()(warn)
    app.command()(where)


def warn() -> None:
    if warning := warning_of_other_checkout(Path.cwd()):
        typer.echo(warning, err=True)


def where() -> None:
    """Print the path of the Snakefile, for use in any folder: snakemake -s "$(assay where)"."""
    typer.echo(PROJECT / "Snakefile")
