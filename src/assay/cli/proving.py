"""`assay prove`."""

import os
import resource
import signal
import sys
from typing import Annotated

import typer

from assay.cli.common import AsJson, in_one_line, of_studies, print_json
from assay.evidence.freshness import FRESH, STALE, UNPROVEN

commands = typer.Typer()


@commands.command()
@in_one_line
def prove(
    studies: Annotated[list[str] | None, of_studies("Studies; all whose evidence is unproven if not given.")] = None,
    since: Annotated[list[str] | None, typer.Option("--since", help="Compare with this commit, not the evidence's.")] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes at a time.")] = os.cpu_count() or 1,
    as_json: AsJson = False,
) -> None:
    """Find out whether changed code computes what it did when evidence was made, and record it in proofs.txt.

    Canaries, small forms of studies, are run with the code of the commit that the evidence was made at and with the code in the
    working tree, committed or not. If they are equal to the last bit, the evidence counts as fresh; otherwise what shares a plug
    with a canary that differs is stale. Canaries run on the CPU. Nothing in results/ is touched. Exits with 1 if something could
    not be tried.
    """
    from assay.pipeline import proving

    # A kill ends as Ctrl-C does: with the other commits' folders removed.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    made = proving.unproven(studies or ())
    outcomes = proving.prove(made, since or (), jobs, say=lambda line: typer.echo(line, err=True))
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    cost = round(spent.ru_utime + spent.ru_stime, 1)
    words = {each.name: each.freshness for each in made}
    if as_json:
        print_json(
            {
                "commits": [vars(outcome) for outcome in outcomes],
                "evidence": {name: {"word": found.word, "reasons": found.reasons} for name, found in words.items()},
                "core_seconds": cost,
            }
        )
    else:
        for outcome in outcomes:
            for line in proving.lines(outcome):
                typer.echo(line)
        if not outcomes:
            typer.echo("nothing to prove: no evidence here or in the archive is unproven")
        for word in (FRESH, STALE, UNPROVEN):
            names = [name for name, found in words.items() if found.word == word]
            if names:
                typer.echo(f"now {word}: {', '.join(names)}")
        typer.echo(f"{cost:.0f} core seconds")
    if any(outcome.failure for outcome in outcomes):
        raise typer.Exit(1)
