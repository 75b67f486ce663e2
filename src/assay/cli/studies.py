"""What there is: list studies and plugs, show one study."""

from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.syntax import Syntax
from rich.table import Table

from assay.cli.common import AsJson, AtScale, in_one_line, out, print_json
from assay.errors import StudyError, unknown
from assay.language.catalogue import load as load_catalogue
from assay.language.configuration import results_folder
from assay.language.inputs import shown
from assay.language.plugs import find, kinds
from assay.language.studies import load_studies
from assay.language.study import Study
from assay.overview.coverage import introduced, released, row_at, vouches
from assay.storage.files import read_json
from assay.storage.places import PROJECT, WORK

commands = typer.Typer()
COLOURS = {"supported": "green", "partly": "cyan", "not supported": "magenta", "open": "yellow", "invalid": "red"}


def verdicts_at(scale: str) -> dict[str, dict]:
    """Verdicts by study at a scale; empty before the first run."""
    path = WORK / results_folder(scale) / "verdicts.json"
    return read_json(path)["studies"] if path.exists() else {}


@commands.command("list")
@in_one_line
def list_what(
    what: Annotated[str, typer.Argument(help="studies, or a kind of plug such as worlds.")] = "studies",
    scale: AtScale = "laptop",
    as_json: AsJson = False,
) -> None:
    """List all studies with their verdicts, or all plugs of a kind with their parameters."""
    if what != "studies" and what not in kinds():
        raise StudyError(unknown("list", what, ("studies", *kinds())))
    rows = _study_rows(scale) if what == "studies" else _plug_rows(what)
    if as_json:
        print_json(rows)
        return
    title = f"{len(rows)} {what}" + (f", verdicts at scale {scale}" if what == "studies" else "")
    table = Table(*(rows[0] if rows else ("nothing found",)), title=title)
    for row in rows:
        table.add_row(*(_coloured(value) if key == "word" else str(value) for key, value in row.items()))
    out.print(table)


def _study_rows(scale: str) -> list[dict]:
    verdicts, archived = verdicts_at(scale), released(scale, WORK)
    rows = []
    for study in load_studies(scale).values():
        here, there = verdicts.get(study.name), archived.get(study.name)
        rows.append({
            "study": study.name,
            "family": study.family,
            "paper": study.file.paper,
            "word": here["word"] if here else there and there.word,
            "claims": here["count"] if here else (there.count if there else ""),
            "question": study.file.question,
        })  # fmt: skip
    return rows


def _plug_rows(kind: str) -> list[dict]:
    return [
        {
            "plug": plug.name,
            "computes": plug.doc.partition("\n\n")[0].replace("\n", " "),
            "parameters": ", ".join(plug.parameters),
        }
        for plug in find(kind).values()
    ]


def _coloured(verdict: str | None) -> str:
    return f"[{COLOURS[verdict]}]{verdict}[/]" if verdict else "[dim]not run[/]"


@commands.command()
@in_one_line
def show(study: str, scale: AtScale = "laptop", as_json: AsJson = False) -> None:
    """Show one study: claim, arms, networks, and the verdict if there is one."""
    compiled = load_studies(scale, only=[study])[study]
    paper = load_catalogue()[compiled.file.paper]
    facts = _facts(compiled, paper)
    if as_json:
        print_json(facts)
        return
    out.print(f"[bold]{compiled.name}[/]  {paper.id}  {paper.title}")
    out.print(f"claim: {paper.claim}\nquestion: {compiled.file.question}\n", highlight=False)
    out.print(Syntax(compiled.text, "yaml", background_color="default"))
    out.print(
        f"networks: {len(compiled.recipes)} x {compiled.seeds} seeds: {', '.join(facts['networks']) or 'trained by the protocol'}"
    )
    out.print(f"plugs of the paper: {', '.join(facts['introduces']) or 'none'}; vouched for by {len(facts['vouched_by'])} tests")
    verdict = facts["verdict"]
    if not verdict and facts["archived"]:
        archived = facts["archived"]
        out.print(f"released as: {_coloured(archived['word'])} ({archived['count']}); its numbers: make report", highlight=False)
        return
    if not verdict:
        out.print(f"not run at scale {scale}: snakemake {results_folder(scale)}/figures/{study}.svg")
        return
    out.print(f"verdict: {_coloured(verdict['word'])}: {verdict['count']}", highlight=False, soft_wrap=True)
    out.print(_against_the_release(verdict["release"]), highlight=False, soft_wrap=True)
    for title, tier in (("the paper's claims:", "expectations"), ("beside them:", "secondary")):
        if verdict[tier]:
            out.print(title)
        for each in verdict[tier]:
            word = f"{each['word']} ({each['reason']})" if each["reason"] else each["word"]
            out.print(f"  {word:>16}  {each['text']}  effect {each['effect']:.4g}", highlight=False)
    for reason in facts["missing"]:
        out.print(f"[yellow]{reason}[/]")


def _against_the_release(released: dict | None) -> str:
    """How a verdict stands to the released one."""
    if released is None:
        return "not in the release: judged as if it alone joined"
    if released["same_evidence"] and released["same_text"]:
        return "as released"
    return f"released, on other evidence or another text, as: {released['word']}: {released['count']}"


def _facts(study: Study, paper: Any) -> dict:
    row = row_at(study)
    return {
        "study": study.name,
        "family": study.family,
        "paper": {"id": paper.id, "title": paper.title, "claim": paper.claim},
        "file": shown(study.path),
        "question": study.file.question,
        "arms": study.file.arms,
        "networks": [recipe.name for recipe in study.recipes],
        "introduces": introduced(study),
        "vouched_by": sorted({v.test for v in vouches(PROJECT / "tests") if v.paper == paper.id}),
        "verdict": verdicts_at(study.scale).get(study.name),
        "archived": asdict(archived) if (archived := released(study.scale, WORK).get(study.name)) else None,
        "working": row.working,
        "missing": row.missing,
    }
