"""`assay freeze`: the record of a study's trial."""

from typing import Annotated

import typer

from assay.cli.common import AsJson, AtScale, OneStudy, in_one_line
from assay.language.frozen import warnings_of, write_record
from assay.language.inputs import shown
from assay.language.studies import load_studies

commands = typer.Typer()


@commands.command()
@in_one_line
def freeze(
    study: OneStudy,
    scale: AtScale = "laptop",
    draws: Annotated[str, typer.Option("--draws", help="The draws that it was tried on.")] = "trial",
    as_json: AsJson = False,
) -> None:
    """Write the record of a study's trial, without which its judged draws are not made.

    Trains and measures its networks in two repetitions at twice the epochs: of five, four fifths of the trial's training.
    """
    from assay.judging.freezing import freeze as record_of

    compiled = load_studies(scale, only=[study])[study]
    record = record_of(compiled, draws, say=lambda line: typer.echo(line, err=True))
    path = write_record(record)
    if as_json:
        typer.echo(record.text, nl=False)
        return
    for claim in record.claims:
        longer = "" if claim.change is None else f"; at twice the budget {claim.twice:g} where it is {claim.once:g}"
        typer.echo(f"{claim.text}: effect {claim.mean:g}, varies by {claim.deviation:g} a seed, margin {claim.margin:g}{longer}")
    for name, accuracy in record.accuracy.items():
        typer.echo(f"{name}: accuracy {accuracy.once:.4f}, {accuracy.twice:.4f} at twice the budget")
    for name, why in record.left_out.items():
        typer.echo(f"{name}: accuracy left out, {why}")
    for warning in warnings_of(compiled):
        typer.echo(f"warning: {warning}")
    typer.echo(f"wrote {shown(path)}; commit it with the study before its judged draws are made")
