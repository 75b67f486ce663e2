"""The plan: what a run would do now, and what it is predicted to take."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from assay.cli.common import AsJson, AtScale, in_one_line, of_studies, print_json
from assay.errors import StudyError, unknown
from assay.language.scales import load_scale
from assay.language.studies import load_left_out, study_paths
from assay.storage.places import PROJECT, WORK

commands = typer.Typer()


@commands.command()
@in_one_line
def plan(
    studies: Annotated[list[str] | None, of_studies("Names of studies to compute; all if not given.")] = None,
    scale: AtScale = "laptop",
    cores: Annotated[int, typer.Option(min=1, help="Cores of the run; those of this machine if not given.")] = os.cpu_count()
    or 1,
    evidence: Annotated[str, typer.Option(help="As in config/config.yaml: auto, recomputed or archive.")] = "auto",
    as_json: AsJson = False,
) -> None:
    """Say what a run would do now: its jobs, core minutes, and minutes on these cores.

    At a scale that trains on GPUs: the data and models of each study, and the hours its networks are estimated to take.
    """
    known = study_paths()
    for name in studies or []:
        if name not in known:
            raise StudyError(unknown("study", name, known))
    if load_scale(scale).job.gpus:
        _print_prospect(scale, studies, as_json)
        return
    found = _of_a_dry_run(scale, studies, cores, evidence)
    if as_json:
        print_json(found)
        return
    if found["jobs"]:
        typer.echo(f"{'scale ' + scale:24}  {'jobs':>5}  {'core minutes':>12}")
        for rule, row in found["rules"].items():
            typer.echo(f"{rule:24}  {row['jobs']:5}  {row['core_minutes']:12.1f}")
    typer.echo(found["line"] if found["jobs"] else "plan: nothing to do")
    for name, why in load_left_out(scale).items():
        typer.echo(f"left out at scale {scale}: {name} keeps {why}")


def _print_prospect(scale: str, studies: list[str] | None, as_json: bool) -> None:
    from assay.pipeline.forecast import forecast_at

    forecast = forecast_at(scale, studies)
    if as_json:
        print_json(forecast.as_json(scale))
    else:
        typer.echo("\n".join(forecast.lines(scale)))


def _of_a_dry_run(scale: str, studies: list[str] | None, cores: int, evidence: str) -> dict[str, Any]:
    """What Snakemake finds to be done, with the seconds predicted, as rules/hooks.smk leaves it."""
    from assay.pipeline.prediction import PLAN_FILE

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "plan.json")
        terms = [f"scale={scale}", f"evidence={evidence}", *([f"studies=[{','.join(studies)}]"] if studies else [])]
        command = [str(Path(sys.executable).with_name("snakemake")), "-s", str(PROJECT / "Snakefile"), "--dry-run"]
        command += ["--cores", str(cores), "--config", *terms]
        environment = os.environ | {PLAN_FILE: str(path)}
        done = subprocess.run(command, cwd=WORK, env=environment, capture_output=True, text=True, check=False)
        if done.returncode or not path.exists():
            # Snakemake ends with the error, and with the lines of rules that led to it.
            said = [line.strip() for line in done.stderr.splitlines() if line.strip() and not line.lstrip().startswith("File ")]
            raise StudyError(said[-1] if said else "snakemake --dry-run failed")
        return json.loads(path.read_text(encoding="utf-8"))
