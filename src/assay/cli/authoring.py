"""What the author of a study uses: new, check."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from assay.cli.checking import check as checked
from assay.cli.checking import report
from assay.cli.common import AsJson, in_one_line, out, print_json, print_line
from assay.cli.completing import paper_keys
from assay.errors import StudyError
from assay.language.catalogue import NO_PAPER, Paper
from assay.language.catalogue import load as load_catalogue
from assay.language.inputs import shown
from assay.language.studies import NAME, study_paths
from assay.overview.finding import papers
from assay.storage.files import write_atomic
from assay.storage.places import CONFIG, require_project

commands = typer.Typer()
PAPERS = "A paper's key, words of its title or claim, or none."
PAPER = re.compile(r"^paper *: *([\w-]+)", re.MULTILINE)


@commands.command()
@in_one_line
def new(
    paper: Annotated[
        list[str],
        typer.Argument(help="A paper's key, words of its title or claim, or none.", metavar="PAPER", autocompletion=paper_keys),
    ],
    name: Annotated[str | None, typer.Option(help="The study's name.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the skeleton of a study as a draft: for a paper of the catalogue, or, with none, for a question of your own.

    Words are looked for as `assay find` does; if several papers have them all, they are listed, with the studies there are.
    """
    require_project("new studies")
    row = _paper(paper, (lambda *line: None) if as_json else print_line)
    if row.id == NO_PAPER and name is None:
        raise StudyError("--name: is missing; a study without a paper needs a name: assay new none --name my-question")
    named, name = name is not None, name or re.sub(r"[^a-z0-9]+", "-", row.method.lower().split("(")[0]).strip("-")[:64]
    if not NAME.fullmatch(name):
        raise StudyError(f"--name: '{name}' is not allowed; use lower-case letters, digits, - and _")
    taken = study_paths()
    there = [] if row.id == NO_PAPER else _studies_of(taken).get(row.id, [])
    if name in taken and there and not named:
        raise StudyError(f"{_has(row, there)}; for another one give it a name: --name")
    if name in taken:
        raise StudyError(f"--name: '{name}' is taken by {shown(taken[name])}; choose another")
    path = CONFIG / "studies" / row.family / f"{name}.yaml"
    write_atomic(path, skeleton(row))
    if as_json:
        print_json({"study": name, "file": shown(path), "paper": row.id, "studies": there})
        return
    if there:
        out.print(_has(row, there), highlight=False, soft_wrap=True)
    text = f"wrote {shown(path)}, a draft: fill in arms, controls and expect; what is left says: assay check"
    out.print(text, highlight=False, soft_wrap=True)


def _has(row: Paper, studies: Sequence[str]) -> str:
    return f"{row.id} has {'a study' if len(studies) == 1 else 'studies'} already: {', '.join(studies)}"


def _paper(given: Sequence[str], say: Callable[[str, str], None]) -> Paper:
    """The paper of a key or of words. StudyError for a key there is not, and for words of several papers, which are listed."""
    catalogue = load_catalogue()
    if len(given) == 1 and (given[0] in catalogue or re.fullmatch(r"P\d+", given[0])):
        return catalogue[given[0]]
    found = papers(given, catalogue)
    if len(found) == 1:
        return found[0]
    words = " ".join(given)
    if not found:
        raise StudyError(f"no paper has '{words}' in what is said of it; use fewer words, a key such as P127, or none")
    studies = _studies_of(study_paths())
    for row in found:
        there = f"  studied by {', '.join(studies[row.id])}" if row.id in studies else ""
        say(f"{row.id}  ", f"{row.title}{there}")
    raise StudyError(f"{len(found)} papers have '{words}'; name one, as: assay new {found[0].id}")


def _studies_of(paths: Mapping[str, Path]) -> dict[str, list[str]]:
    """The studies of each paper, drafts too."""
    found: dict[str, list[str]] = {}
    for name, path in paths.items():
        if named := PAPER.search(path.read_text(encoding="utf-8", errors="replace")):
            found.setdefault(named[1], []).append(name)
    return found


def skeleton(row: Paper) -> str:
    """A study file with what the catalogue knows as comments; `assay check` says what is left to fill in."""
    notes = [f"# {row.title}"] + ([f"# claim: {row.claim}"] if row.claim else [])
    notes += [f"# suggested {key}: {json.dumps(value, ensure_ascii=False)}" for key, value in row.experiment.items()]
    notes += [f"# published: {json.dumps(number, ensure_ascii=False)}" for number in row.numbers]
    body = f"""paper: {row.id}
draft: true                   # runs of all studies skip it; take this line out when the study is to count
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
    raise typer.Exit(report(checked(CONFIG), as_json))
