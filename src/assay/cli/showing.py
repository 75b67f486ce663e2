"""One study on one screen: its answer, its claims with their effects, and what was tested."""

import textwrap
from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.syntax import Syntax

from assay.cli.common import AsJson, AtScale, OneStudy, in_one_line, out, print_json, print_line, word_on
from assay.cli.studies import verdicts_at
from assay.errors import StudyError
from assay.language.catalogue import NO_PAPER
from assay.language.catalogue import load as load_catalogue
from assay.language.configuration import results_folder
from assay.language.inputs import shown
from assay.language.studies import load_studies
from assay.language.study import Study
from assay.overview.coverage import introduced, released, row_at, vouches
from assay.storage.places import PROJECT, WORK

commands = typer.Typer()
BY_ITSELF = "a question of its own: judged by itself, beside the release"
WIDEST = 100  # letters of a line of prose


@commands.command()
@in_one_line
def show(
    study: OneStudy,
    scale: AtScale = "laptop",
    text: Annotated[bool, typer.Option("--yaml", help="Print the study's file instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one study: its answer, its claims with their effects, what was tested."""
    if text and as_json:
        raise StudyError("--yaml, --json: give one of them")
    compiled = load_studies(scale, only=[study])[study]
    if text:
        _print_text(compiled)
        return
    facts = _facts(compiled)
    if as_json:
        print_json(facts)
    else:
        _print(compiled, facts)


def _print_text(study: Study) -> None:
    """The file as it is, coloured in a terminal; long lines go on below and lose nothing."""
    if out.is_terminal:
        out.print(Syntax(study.text, "yaml", background_color="default", word_wrap=True))
    else:
        typer.echo(study.text, nl=False)


def _print(study: Study, facts: dict) -> None:
    paper, verdict = facts["paper"], facts["verdict"]
    own = paper["id"] == NO_PAPER
    print_line(f"[bold]{study.name}[/]  {'no paper' if own else paper['id']}  ", paper["title"])
    if study.file.draft:
        print_line("[blue]draft[/]: ", "runs of all studies skip it")
    if not own:
        _paragraph(f"The paper: {paper['claim']}")
    _paragraph(f"Asked here: {study.file.question}")
    if verdict is None:
        figure = f"{results_folder(study.scale)}/figures/{study.name}.svg"
        out.print(f"not run at scale {study.scale}: snakemake {figure}", soft_wrap=True)
        return
    _paragraph(f"Answer: {facts['answer']}")
    out.print()
    out.print(f"verdict: {word_on(verdict['word'])}: {verdict['count']}", highlight=False)
    out.print(BY_ITSELF if own else _against_the_release(verdict["release"]), highlight=False)
    _print_claims("its claims:" if own else "the paper's claims:", verdict["expectations"])
    _print_claims("beside them:", verdict["secondary"])
    passed = sum(control["passed"] for control in verdict["controls"])
    out.print(f"controls: {passed} of {len(verdict['controls'])} passed", highlight=False)
    for control in verdict["controls"]:
        if not control["passed"]:
            print_line("  [red]not passed[/]  ", f"{control['text']}  {control['mean']:.3g}")
    _paragraph(f"tested: {_tested(study, facts)}")
    if not own:
        plugs = ", ".join(facts["introduces"]) or "none"
        _paragraph(f"plugs of the paper: {plugs}; vouched for by {len(facts['vouched_by'])} tests")
    for reason in facts["missing"]:
        out.print(f"[yellow]{reason}[/]")
    out.print(f"text: assay show {study.name} --yaml; figure and evidence: make report", highlight=False)


def _paragraph(text: str) -> None:
    """Prose, its further lines indented; whole where a program reads it."""
    width = min(out.width, WIDEST) if out.is_terminal else 10**6
    out.print("\n".join(textwrap.wrap(text, width, subsequent_indent="  ")), highlight=False, markup=False, soft_wrap=True)


def _print_claims(title: str, claims: Iterable[dict]) -> None:
    if claims:
        out.print(title)
    for claim in claims:
        word = word_on(claim["word"], 5) + (f" ({claim['reason']})" if claim["reason"] else "")
        low, high = claim["interval"] or (None, None)
        between = "" if low is None else f"  {low:+.3g} to {high:+.3g}"
        out.print(f"  {word}  effect {claim['effect']:+.3g}{between}", highlight=False)
        print_line("         ", claim["text"])


def _tested(study: Study, facts: dict) -> str:
    networks = f"{len(study.recipes)} networks" if study.recipes else "networks trained by the protocol"
    return f"{networks} x {study.seeds} seeds, protocol {study.protocol}, arms {', '.join(facts['arms'])}"


def _against_the_release(released: dict | None) -> str:
    """How a verdict stands to the released one."""
    if released is None:
        return "not in the release: judged as if it alone joined"
    if released["same_evidence"] and released["same_text"]:
        return "as released"
    return f"released, on other evidence or another text, as: {released['word']}: {released['count']}"


def _facts(study: Study) -> dict:
    from assay.judging.answers import answer

    row, paper = row_at(study), load_catalogue()[study.file.paper]
    verdict = _verdict(study)
    return {
        "study": study.name,
        "family": study.family,
        "paper": {"id": paper.id, "title": paper.title, "claim": paper.claim},
        "file": shown(study.path),
        "question": study.file.question,
        "answer": verdict and answer(verdict, study.metrics),
        "arms": study.file.arms,
        "networks": [recipe.name for recipe in study.recipes],
        "introduces": introduced(study),
        "vouched_by": sorted({v.test for v in vouches(PROJECT / "tests") if v.paper == paper.id}),
        "verdict": verdict,
        "archived": asdict(archived) if (archived := released(study.scale, WORK).get(study.name)) else None,
        "working": row.working,
        "missing": row.missing,
    }


def _verdict(study: Study) -> dict[str, Any] | None:
    """What the last run said, or else what the archive's evidence says now."""
    from assay.pipeline.standing import verdicts_now

    return verdicts_at(study.scale).get(study.name) or verdicts_now({study.name: study}, study.scale, WORK).get(study.name)
