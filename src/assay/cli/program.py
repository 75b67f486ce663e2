"""All commands together: to add one, write it in the module of its subject, or in a new one, and name that below."""

import typer

from assay.cli import (
    artifacts,
    authoring,
    beginning,
    datasets,
    differing,
    finding,
    freezing,
    measuring,
    more,
    networks,
    overview,
    place,
    planning,
    proving,
    showing,
    site,
    studies,
)

app = typer.Typer(no_args_is_help=True, help="An executable literature for computer vision.")
app.callback()(place.warn)
READING = (studies, showing, finding, differing)
WRITING = (beginning, authoring, freezing)
for group in (*READING, *WRITING, measuring, overview, planning, more, artifacts, proving, datasets, networks, site, place):
    app.add_typer(group.commands)
