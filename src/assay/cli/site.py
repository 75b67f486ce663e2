"""The machine and the site: doctor."""

import typer

from assay.cli.common import AsJson, out, print_json

commands = typer.Typer()


@commands.command()
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
