"""All commands together: to add one, write it in the module of its subject, or in a new one, and name that below."""

import typer

from assay.cli import (
    artifacts,
    authoring,
    datasets,
    freezing,
    measuring,
    more,
    networks,
    overview,
    place,
    planning,
    proving,
    site,
    studies,
)

app = typer.Typer(no_args_is_help=True, add_completion=False, help="An executable literature for computer vision.")
app.callback()(place.warn)
for group in (
    studies,
    authoring,
    freezing,
    overview,
    planning,
    more,
    artifacts,
    proving,
    datasets,
    networks,
    site,
    place,
    measuring,
):
    app.add_typer(group.commands)
