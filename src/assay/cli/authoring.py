"""What the author of a study uses: new, check."""

import json
import re
from typing import Annotated, Any

import typer

from assay.cli.checking import check as checked
from assay.cli.checking import report
from assay.cli.common import AsJson, in_one_line, out, print_json
from assay.errors import StudyError
from assay.language.catalogue import load as load_catalogue
from assay.language.inputs import shown
from assay.language.studies import NAME, study_paths
from assay.storage.files import write_atomic
from assay.storage.places import PROJECT, require_checkout

commands = typer.Typer()


@commands.command()
@in_one_line
def new(paper: str, name: Annotated[str | None, typer.Option(help="The study's name.")] = None, as_json: AsJson = False) -> None:
    """Write the skeleton of a study for a paper of the catalogue."""
    require_checkout("new studies")
    row = load_catalogue()[paper]
    name = name or re.sub(r"[^a-z0-9]+", "-", row.method.lower().split("(")[0]).strip("-")[:64]
    if not NAME.fullmatch(name):
        raise StudyError(f"--name: '{name}' is not allowed; use lower-case letters, digits, - and _")
    taken = study_paths()
    if name in taken:
        raise StudyError(f"--name: '{name}' is taken by {shown(taken[name])}; choose another")
    path = PROJECT / "config" / "studies" / row.family / f"{name}.yaml"
    write_atomic(path, skeleton(row))
    if as_json:
        print_json({"study": name, "file": shown(path)})
    else:
        out.print(f"wrote {shown(path)}; fill in arms, controls and expect, then: assay check")


def skeleton(row: Any) -> str:
    """A study file with what the catalogue knows as comments; `assay check` says what is left to fill in."""
    notes = [f"# {row.title}", f"# claim: {row.claim}"]
    notes += [f"# suggested {key}: {json.dumps(value, ensure_ascii=False)}" for key, value in row.experiment.items()]
    notes += [f"# published: {json.dumps(number, ensure_ascii=False)}" for number in row.numbers]
    body = f"""paper: {row.id}
question: ""                  # what the study asks, in a sentence
base:                         # recipe fields shared by all arms
  world: shapes
  model: resnet
arms:                         # the baseline first; each arm: fields on top of base
  baseline: {{}}
protocol: classify            # a file in src/assay/protocols/
controls: []                  # what must hold for the instrument to work, e.g. baseline.top1 > 0.3
expect: []                    # what the paper expects, e.g. method.top1 > baseline.top1
margin: {{}}                    # smaller differences count as none, e.g. {{top1: 0.01}}
figure: bars                  # a file in src/assay/figures/
"""
    return "\n".join(notes) + "\n" + body


@commands.command()
@in_one_line
def check(as_json: AsJson = False) -> None:
    """Check every study at every scale, every recipe and every plug, without importing any of them."""
    raise typer.Exit(report(checked(PROJECT / "config"), as_json))
