"""Versioned folders, evidence in the archive, and what is kept of earlier code: pull, push, archive, recheck, clear."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from assay.cli.common import AsJson, AtScale, OneStudy, Remote, in_one_line, of_studies, out, print_json
from assay.errors import ArtifactError

commands = typer.Typer()
Versioned = Annotated[str, typer.Argument(help="A versioned folder: data or archive.")]
COLOURS = {
    "fresh": "green",
    "incomplete": "cyan",
    "unproven": "yellow",
    "stale": "magenta",
    "withdrawn": "red",
    "missing": "dim",
}


@commands.command()
@in_one_line
def pull(
    folder: Versioned = "data",
    remote: Remote = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that were edited here.")] = False,
) -> None:
    """Bring a versioned folder to what the commit names, every byte checked."""
    from assay.artifacts import archiving, folders

    brought = archiving.pull(remote, force=force) if folder == "archive" else folders.pull(folder, remote, force=force)
    if brought:
        out.print(f"pulled {folder}/")


@commands.command()
@in_one_line
def push(folder: Versioned = "data", remote: Remote = None) -> None:
    """Send a versioned folder to a remote, so that other clones can pull it."""
    from assay.artifacts import archiving, folders

    sent = archiving.push(remote) if folder == "archive" else folders.push(folder, remote)
    out.print(f"pushed {folder}/; objects that were missing there: {sent}")


@commands.command()
@in_one_line
def archive(
    studies: Annotated[list[str] | None, of_studies("Studies; all with evidence here if not given.")] = None,
    scale: AtScale = "laptop",
    status: Annotated[bool, typer.Option("--status", help="List how each study stands, and change nothing.")] = False,
    withdraw: Annotated[str | None, typer.Option("--withdraw", help="Take back the evidence of this study.")] = None,
    why: Annotated[str | None, typer.Option("--why", help="The reason, which is kept.")] = None,
    as_json: AsJson = False,
) -> None:
    """Add studies' evidence to the archive that clones start from, or replace it; all other entries stay as they are."""
    from assay.artifacts import archiving
    from assay.overview.metrics import FILE, write_metrics

    if (withdraw is None) != (why is None):
        raise ArtifactError("--withdraw STUDY and --why TEXT go together; give both")
    if status:
        _show_status(archiving.status(scale), scale, as_json)
        return
    if withdraw:
        changed, done = archiving.withdraw(scale, withdraw, why), "withdrew"
    else:
        changed, done = archiving.archive(scale, studies or ()), "archived"
    write_metrics()
    if as_json:
        print_json({done: changed})
        return
    out.print(f"{done} {len(changed)} {'block' if len(changed) == 1 else 'blocks'} at scale {scale}; now commit them:")
    out.print(f"git add archive.jsonl verdicts.jsonl {FILE} dvcstore && git commit", highlight=False)


@commands.command()
@in_one_line
def recheck(study: OneStudy, scale: AtScale = "laptop", as_json: AsJson = False) -> None:
    """Compute a study's archived evidence again on this machine, and say how well the two agree. No verdict changes."""
    from assay.language.configuration import results_folder
    from assay.pipeline.rechecking import recheck_now

    found = recheck_now(study, scale)
    if as_json:
        print_json(asdict(found))
        return
    out.print(f"{study}: {found.told}", highlight=False, soft_wrap=True)
    out.print(f"archived on {found.archived_on}; here {found.here}", highlight=False, soft_wrap=True)
    out.print(f"rows are in {results_folder(scale)}/recheck/{study}/{found.block}", highlight=False, soft_wrap=True)


@commands.command()
@in_one_line
def clear(
    scale: AtScale = "laptop",
    dry: Annotated[bool, typer.Option("--dry-run", "-n", help="Say what it would free, and free nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Free what is kept of earlier code: networks and measured blocks that an edit replaced, and that undoing it would find."""
    from assay.language.configuration import results_folder
    from assay.language.scales import load_scale
    from assay.storage.earlier import clear as clear_earlier
    from assay.storage.places import WORK

    load_scale(scale)
    found = clear_earlier(WORK / results_folder(scale), act=not dry)
    if as_json:
        print_json({"would_free" if dry else "freed": asdict(found)})
        return
    counted = " and ".join(f"{count} {what}" for what, count in found.counts.items())
    verb = "would free" if dry else "freed"
    out.print(
        f"{verb} {found.size / 1e6:.1f} MB below {results_folder(scale)}: {counted} of earlier code",
        highlight=False,
        soft_wrap=True,
    )


def _show_status(found: list, scale: str, as_json: bool) -> None:
    rows = [{"study": s.study, "status": s.word, "why": list(s.reasons), "entries": list(s.entries)} for s in found]
    if as_json:
        print_json(rows)
        return
    table = Table("study", "status", "why", title=f"the archive at scale {scale}")
    for row in rows:
        why = "; ".join(row["why"][:2]) + (f"; {len(row['why']) - 2} more" if len(row["why"]) > 2 else "")
        table.add_row(row["study"], f"[{COLOURS[row['status']]}]{row['status']}[/]", why)
    out.print(table)
