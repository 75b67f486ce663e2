"""What commands share: the console, their common options, JSON, and errors in one line."""

import json
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from assay.cli.completing import scale_names, study_names
from assay.errors import AssayError

out = Console()
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AtScale = Annotated[str, typer.Option("--scale", help="A file in config/scales/.", autocompletion=scale_names)]
COLOURS = {"supported": "green", "partly": "cyan", "not supported": "magenta", "open": "yellow", "invalid": "red"}
DRAFT = {"draft": "blue"}
CLAIMS = {"holds": "green", "fails": "magenta", "open": "yellow"}


def of_studies(text: str) -> Any:
    """An argument that names studies."""
    return typer.Argument(help=text, autocompletion=study_names)


OneStudy = Annotated[str, of_studies("The study's name.")]
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


def word_on(word: str | None, width: int = 0) -> str:
    """A verdict's word or a claim's in its colour, padded, as markup."""
    colour = (COLOURS | CLAIMS | DRAFT)[word] if word else "dim"
    return f"[{colour}]{word or 'not run':<{width}}[/]"


def print_line(markup: str, text: str = "") -> None:
    """Print what is marked up and then the text: cut to one line of a terminal, and whole where a program reads it."""
    line = Text.from_markup(markup + escape(text))
    if out.is_terminal:
        line.truncate(out.width, overflow="ellipsis")
    out.print(line, soft_wrap=True, highlight=False)
