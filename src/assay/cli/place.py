"""Where things are: the Snakefile, and a warning in a checkout whose code is not what runs."""

from pathlib import Path

import typer

from assay.storage.places import PROJECT, warning_of_other_checkout

commands = typer.Typer()


def warn() -> None:
    """Say so where the current folder is in another checkout than the code that runs."""
    if warning := warning_of_other_checkout(Path.cwd()):
        typer.echo(warning, err=True)


@commands.command()
def where() -> None:
    """Print the path of the Snakefile, for use in any folder: snakemake -s "$(assay where)"."""
    typer.echo(PROJECT / "Snakefile")
