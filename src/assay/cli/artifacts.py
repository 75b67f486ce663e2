"""Versioned folders: pull, push, archive."""

from typing import Annotated

import typer

from assay.cli.common import AtScale, Remote, in_one_line, out

commands = typer.Typer()
Versioned = Annotated[str, typer.Argument(help="A versioned folder: data or archive.")]


@commands.command()
@in_one_line
def pull(
    folder: Versioned = "data",
    remote: Remote = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that were edited here.")] = False,
) -> None:
    """Bring a versioned folder to what the commit names, every byte checked."""
    from assay.artifacts.folders import pull

    if pull(folder, remote, force=force):
        out.print(f"pulled {folder}/")


@commands.command()
@in_one_line
def push(folder: Versioned = "data", remote: Remote = None) -> None:
    """Send a versioned folder to a remote, so that other clones can pull it."""
    from assay.artifacts.folders import push

    out.print(f"pushed {folder}/; objects that were missing there: {push(folder, remote)}")


@commands.command()
@in_one_line
def archive(scale: AtScale = "laptop") -> None:
    """Make the results of a scale the archive that a clone can pull; refuses what cannot stand for the commit."""
    from assay.artifacts.archiving import promote

    release = promote(scale)
    out.print(f"archived {release.studies} studies at scale {scale}, commit {release.commit[:7]}; now commit them:")
    out.print("git add archive.dvc archive.sha256 dvcstore && git commit")
