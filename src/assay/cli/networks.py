"""Trained networks: networks push, networks pull."""

from typing import Annotated

import typer

from assay.cli.common import AtScale, Remote, in_one_line, out

commands = typer.Typer()
networks = typer.Typer(no_args_is_help=True, help="Trained networks that another machine can reuse.")
commands.add_typer(networks, name="networks")
OfStudies = Annotated[str | None, typer.Option("--studies", help="Names with commas between; all studies if not given.")]


@networks.command("push")
@in_one_line
def push_networks(scale: AtScale = "laptop", remote: Remote = None, studies: OfStudies = None) -> None:
    """Send what is trained here to a remote; then commit the two files that point to it."""
    from assay.networks.transfer import push

    done = push(scale, remote, studies and studies.split(","))
    out.print(f"pushed the networks of {len(done.taken)} jobs; {len(done.outdated)} are incomplete or made with other code")
    out.print(f"to share them: git add networks-{scale}.dvc networks-{scale}.sha256 && git commit")


@networks.command("pull")
@in_one_line
def pull_networks(scale: AtScale = "laptop", remote: Remote = None, studies: OfStudies = None) -> None:
    """Take trained networks from a remote where they fit the code here, so that Snakemake does not train them."""
    from assay.networks.transfer import pull

    done = pull(scale, remote, studies and studies.split(","))
    out.print(f"took the networks of {len(done.taken)} jobs; {len(done.present)} were here; {len(done.outdated)} need other code")
