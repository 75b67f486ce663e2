"""What commands share: the console, their common options, JSON, and errors in one line."""

import json
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer
from rich.console import Console

from assay.errors import AssayError

out = Console()
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AtScale = Annotated[str, typer.Option("--scale", help="A file in config/scales/.")]
Remote = Annotated[str | None, typer.Option("--remote", help="A name in .dvc/config; the default one if not given.")]


def in_one_line(command: Callable) -> Callable:
    """Show an error the user can act on as one line, without a traceback, and exit with 1."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except AssayError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(1) from None

    return run


def print_json(data: Any) -> None:
    typer.echo(json.dumps(data, indent=1))
