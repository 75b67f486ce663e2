"""Find papers, studies and plugs by words."""

from typing import Annotated

import typer

from assay.cli.common import AsJson, AtScale, in_one_line, out, print_json, print_line
from assay.errors import StudyError
from assay.language.catalogue import load as load_catalogue
from assay.language.studies import load_studies

commands = typer.Typer()
NEXT = {"study": "assay show NAME", "paper": "assay new ID", "plug": "assay list KIND"}


@commands.command()
@in_one_line
def find(
    words: Annotated[list[str], typer.Argument(help="Words that must all be there, such as label noise.")],
    scale: AtScale = "laptop",
    as_json: AsJson = False,
) -> None:
    """Find studies, papers without one, and plugs by words: a line each."""
    from assay.overview.finding import find as found

    hits = found(words, load_catalogue(), load_studies(scale))
    if as_json:
        print_json([hit._asdict() for hit in hits])
        return
    if not hits:
        raise StudyError(f"nothing has '{' '.join(words)}' in what is said of it; use fewer words")
    longest = max(len(hit.name) for hit in hits)
    for hit in hits:
        print_line(f"{hit.kind:<5}  {hit.name:<{longest}}  ", hit.text)
    if out.is_terminal:
        out.print("; ".join(f"{kind}: {NEXT[kind]}" for kind in dict.fromkeys(hit.kind for hit in hits)), highlight=False)
