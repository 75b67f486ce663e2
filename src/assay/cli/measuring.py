"""`assay measure`: everything this project measures, for any model on any data."""

import os
from typing import Annotated

import typer

from assay.cli.common import in_one_line

commands = typer.Typer()
GIVEN = ("size", "channels", "crop", "interpolation", "mean", "std")


@commands.command()
@in_one_line
def measure(
    models: Annotated[
        list[str], typer.Argument(help="Names of timm, files, folders of results/<scale>/networks/, module:function.")
    ],
    data: Annotated[
        str | None, typer.Option(help="A folder of images, or a world: NAME or '{NAME: {parameter: value}}'.")
    ] = None,
    weights: Annotated[list[str] | None, typer.Option(help="A file for each model that takes one, in order.")] = None,
    names: Annotated[str | None, typer.Option(help="A file with the names of the logits, one a line.")] = None,
    only: Annotated[str | None, typer.Option(help="Groups of metrics, as calibration,attacks.")] = None,
    budget: Annotated[str | None, typer.Option(help="Core minutes, as 5min: fewer images in each group.")] = None,
    images: Annotated[int | None, typer.Option(min=1, help="Test images of each group, at most.")] = None,
    out: Annotated[str | None, typer.Option(help="The folder of results; results/measured/<data> if not given.")] = None,
    size: Annotated[int | None, typer.Option(min=1, help="Pixels of a side, where the model does not say.")] = None,
    channels: Annotated[int | None, typer.Option(min=1, help="Channels of the images, where the model does not say.")] = None,
    crop: Annotated[float | None, typer.Option(help="Share of the shorter side that is cut out.")] = None,
    interpolation: Annotated[str | None, typer.Option(help="nearest, bilinear, bicubic or lanczos.")] = None,
    mean: Annotated[str | None, typer.Option(help="Of the normalisation, as 0.5,0.5,0.5.")] = None,
    std: Annotated[str | None, typer.Option(help="Of the normalisation.")] = None,
    skip_unreadable: Annotated[bool, typer.Option("--skip-unreadable", help="Leave out files that cannot be read.")] = False,
    profile: Annotated[str | None, typer.Option(help="A profile of Snakemake's, as slurm.")] = None,
    cores: Annotated[int, typer.Option(min=1, help="Cores of the run.")] = os.cpu_count() or 1,
    threads: Annotated[int, typer.Option(min=1, help="Threads of a job.")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Say what would be done, and how long it takes.")] = False,
) -> None:
    """Measure everything that applies to these models, and compare them: report, tables, model card.

    Prints how each model wants its images and the plan, then runs it; what is there and unchanged is kept.
    """
    from assay.scorecard.request import folder_for, request
    from assay.scorecard.running import minutes_of, numbers_of, run

    given = dict(zip(GIVEN, (size, channels, crop, interpolation, numbers_of(mean), numbers_of(std)), strict=True))
    asked = request(
        models,
        weights=weights or (),
        data=data,
        names=names,
        only=only.split(",") if only else (),
        minutes=minutes_of(budget),
        most=images,
        given={key: value for key, value in given.items() if value is not None},
        skip_unreadable=skip_unreadable,
        threads=threads,
        device=device,
        say=typer.echo,
    )
    typer.echo("\n".join(asked.lines(cores)))
    if not dry_run:
        typer.echo(run(asked, folder_for(out, asked.data), cores, profile))
