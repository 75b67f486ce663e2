"""The command line: `assay list, show, check, new, coverage, costs, plan, pull, push, archive`. None of it imports torch."""

import json
import re
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table

from assay.errors import AssayError, StudyError, unknown
from assay.language.catalogue import load as load_catalogue
from assay.language.inputs import shown
from assay.language.plugs import everything, find, kinds
from assay.language.scales import scales
from assay.language.studies import NAME, load_studies, study_paths
from assay.language.study import Study
from assay.overview.coverage import coverage as compute_coverage
from assay.overview.coverage import introduced, row_at, vouches
from assay.pipeline import place
from assay.storage.files import read_json, write_atomic
from assay.storage.places import PROJECT, WORK, require_checkout

app = typer.Typer(no_args_is_help=True, add_completion=False, help="An executable literature for computer vision.")
place.register(app)
out = Console()
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AtScale = Annotated[str, typer.Option("--scale", help="A file in config/scales/.")]
COLOURS = {"supported": "green", "contradicted": "magenta", "no effect": "blue", "inconclusive": "yellow", "invalid": "red"}


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


def verdicts_at(scale: str) -> dict[str, dict]:
    """Verdicts by study at a scale; empty before the first run."""
    path = WORK / "results" / scale / "verdicts.json"
    return read_json(path)["studies"] if path.exists() else {}


@app.command("list")
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
        table.add_row(*(_coloured(value) if key == "verdict" else str(value) for key, value in row.items()))
    out.print(table)


def _study_rows(scale: str) -> list[dict]:
    verdicts = verdicts_at(scale)
    return [
        {
            "study": study.name,
            "family": study.family,
            "paper": study.file.paper,
            "verdict": verdicts.get(study.name, {}).get("verdict"),
            "question": study.file.question,
        }
        for study in load_studies(scale).values()
    ]


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


@app.command()
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
    if not verdict:
        out.print(f"not run at scale {scale}: snakemake results/{scale}/figures/{study}.svg")
        return
    out.print(f"verdict: {_coloured(verdict['verdict'])} (q = {verdict['q']:.2g})")
    for title, tier in (("the paper's claims:", "expectations"), ("beside them:", "secondary")):
        if verdict[tier]:
            out.print(title)
        for each in verdict[tier]:
            out.print(f"  {each['verdict']:>13}  {each['text']}  effect {each['effect']:.4g}", highlight=False)
    for reason in facts["missing"]:
        out.print(f"[yellow]{reason}[/]")


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
        "working": row.working,
        "missing": row.missing,
    }


@app.command()
@in_one_line
def check(as_json: AsJson = False) -> None:
    """Check every study at every scale, every recipe and every plug, without importing any of them."""
    problems = [*_plug_problems(), *_study_problems()]
    counts = {"studies": len(study_paths()), "scales": len(scales()), "plugs": sum(1 for _ in everything())}
    if as_json:
        print_json({**counts, "problems": problems})
    else:
        for problem in problems:
            typer.echo(f"error: {problem}", err=True)
        summary = ", ".join(f"{count} {what}" for what, count in counts.items())
        out.print(f"{summary}: {f'[red]{len(problems)} problems[/]' if problems else '[green]all good[/]'}")
    if problems:
        raise typer.Exit(1)


def _plug_problems() -> list[str]:
    problems = []
    for plug in everything():
        try:
            _ = plug.parameters
            if not plug.doc:
                problems.append(f"{plug.path}: has no module docstring; say what it computes and cite the paper")
        except StudyError as error:
            problems.append(str(error))
    return problems


def _study_problems() -> list[str]:
    problems = []
    for name in study_paths():
        try:
            for scale in scales():
                load_studies(scale, only=[name])
        except StudyError as error:
            problems.append(str(error))
    return problems


@app.command()
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


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check this machine, and the Slurm site if there is one, before the first submission."""
    from assay.cluster.doctor import as_rows, examine

    findings = []
    for finding in examine():
        findings.append(finding)
        if not as_json:
            mark = "[green]ok[/]     " if finding.ok else "[red]problem[/]"
            remedy = f"\n         {finding.remedy}" if finding.remedy else ""
            out.print(f"{mark}  {finding.what}: {finding.seen}{remedy}", highlight=False, soft_wrap=True)
    if as_json:
        print_json(as_rows(findings))
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


@app.command()
@in_one_line
def coverage(as_json: AsJson = False) -> None:
    """Count the papers whose rows work, by family, and say what the others miss."""
    found = compute_coverage(load_catalogue())
    if as_json:
        print_json(found)
        return
    table = Table("family", "papers", "working", title=f"{found['working']} of {found['total']} papers work")
    for family, counts in found["families"].items():
        table.add_row(family, str(counts["total"]), str(counts["working"]) if counts["working"] else "[dim]0[/]")
    out.print(table)
    for paper, row in found["papers"].items():
        if row["study"] and not row["working"]:
            out.print(f"{paper} {row['study']}: {'; '.join(row['missing'])}", highlight=False)


@app.command()
@in_one_line
def costs(
    studies: Annotated[list[str] | None, typer.Argument(help="Names of studies; all if not given.")] = None,
    scale: AtScale = "laptop",
    as_json: AsJson = False,
) -> None:
    """Print what studies cost in core seconds, and what they add to the others, with whom they share networks."""
    from assay.overview.costs import bill

    known = load_studies(scale)
    for name in studies or []:
        if name not in known:
            raise StudyError(unknown("study", name, known))
    found = bill(studies or known, known)
    if as_json:
        print_json(found.as_json())
        return
    table = Table("study", "networks", "training", "of which own", "measuring", title=f"core seconds at scale {scale}")
    for row in found.studies:
        table.add_row(row.study, str(row.networks), f"{row.training:.0f}", f"{row.own:.0f}", f"{row.measuring:.0f}")
    table.add_section()
    table.add_row("all, each network once", "", f"{found.training:.0f}", f"{found.own:.0f}", f"{found.measuring:.0f}")
    out.print(table)
    out.print(f"beyond what other studies share: {(found.own + found.measuring) / 60:.1f} core minutes")


Versioned = Annotated[str, typer.Argument(help="A versioned folder: data or archive.")]
Remote = Annotated[str | None, typer.Option("--remote", help="A name in .dvc/config; the default one if not given.")]


@app.command()
@in_one_line
def pull(
    folder: Versioned = "data",
    remote: Remote = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that were edited here.")] = False,
) -> None:
    """Bring a versioned folder to what the commit names, every byte checked."""
    from assay.artifacts.folders import pull

    if pull(folder, remote, force=force):
        out.print(f"pulled {folder}/")


@app.command()
@in_one_line
def archive(scale: AtScale = "laptop") -> None:
    """Make the results of a scale the archive that a clone can pull; refuses what cannot stand for the commit."""
    from assay.artifacts.archiving import promote

    release = promote(scale)
    out.print(f"archived {release.studies} studies at scale {scale}, commit {release.commit[:7]}; now commit them:")
    out.print("git add archive.dvc archive.sha256 dvcstore && git commit")


@app.command()
@in_one_line
def push(folder: Versioned = "data", remote: Remote = None) -> None:
    """Send a versioned folder to a remote, so that other clones can pull it."""
    from assay.artifacts.folders import push

    out.print(f"pushed {folder}/; objects that were missing there: {push(folder, remote)}")


@app.command()
@in_one_line
def retrieve(
    names: Annotated[list[str] | None, typer.Argument(help="Data sets; none lists what there is.")] = None,
    track: Annotated[bool, typer.Option(help="Put the archives under DVC's control.")] = True,
    as_json: AsJson = False,
) -> None:
    """Download data sets, check and unpack them; without a name, list what there is."""
    from assay.datasets.retrieving import retrieve

    if not names:
        _list_data_sets(as_json)
        return
    for name in names:
        retrieve(name, say=typer.echo, track=track)


def _list_data_sets(as_json: bool) -> None:
    from assay import datasets

    known = datasets.table().datasets
    rows = [
        {
            "data set": name,
            "here": datasets.marker(name).exists(),
            "GB": round(sum(file.bytes or 0 for file in about.files) / 1e9, 2),
            "licence": about.licence,
            "title": about.title,
        }
        for name, about in known.items()
    ]
    if as_json:
        print_json(rows)
        return
    table = Table(*rows[0], title=f"{len(rows)} data sets, in {datasets.folder()}")
    for row in rows:
        table.add_row(*(("yes" if value else "no") if isinstance(value, bool) else str(value) for value in row.values()))
    out.print(table)


@app.command()
@in_one_line
def plan(scale: AtScale = "laptop", as_json: AsJson = False) -> None:
    """Show the data and models each study has at a scale, its networks, and the hours they are estimated to take."""
    from assay.pipeline.forecast import forecast_at

    forecast = forecast_at(scale)
    if as_json:
        print_json(forecast.as_json(scale))
    else:
        typer.echo("\n".join(forecast.lines(scale)))


networks = typer.Typer(no_args_is_help=True, help="Trained networks that another machine can reuse.")
app.add_typer(networks, name="networks")
OfStudies = Annotated[str | None, typer.Option("--studies", help="Names with commas between; all studies if not given.")]


@networks.command("push")
@in_one_line
def push_networks(scale: AtScale = "laptop", remote: Remote = None, studies: OfStudies = None) -> None:
    """Send what is trained here to a remote; then commit the two files that point to it."""
    from assay.networks.transfer import push

    done = push(scale, remote, studies and studies.split(","))
    out.print(f"pushed the networks of {len(done.taken)} jobs; {len(done.outdated)} are incomplete or made with other code")
    out.print(f"to share them: git add networks-{scale}.dvc networks-{scale}.sha256 && git commit")


@networks.command("pull")
@in_one_line
def pull_networks(scale: AtScale = "laptop", remote: Remote = None, studies: OfStudies = None) -> None:
    """Take trained networks from a remote where they fit the code here, so that Snakemake does not train them."""
    from assay.networks.transfer import pull

    done = pull(scale, remote, studies and studies.split(","))
    out.print(f"took the networks of {len(done.taken)} jobs; {len(done.present)} were here; {len(done.outdated)} need other code")


if __name__ == "__main__":
    app()
