"""`assay check` without the other commands: what it finds, and how it is said."""

import json
import sys
from pathlib import Path

from assay.cli.memo import Found, Memo
from assay.storage.places import CONFIG

NAMED = 3  # studies of a line that is said of several


def report(found: Found, as_json: bool) -> int:
    """Print it; the exit code."""
    if as_json:
        print(json.dumps({**found.counts, "problems": found.problems, "warnings": found.warnings}, indent=1))
        return int(bool(found.problems))
    for problem in found.problems:
        print(f"error: {problem}", file=sys.stderr)
    for line in filter(None, (*(f"warning: {warning}" for warning in in_common(found.warnings)), found.before)):
        print(line)
    summary = ", ".join(f"{count} {what}" for what, count in found.counts.items())
    verdict = ("red", f"{len(found.problems)} problems") if found.problems else ("green", "all good")
    if sys.stdout.isatty():
        from rich.console import Console

        Console().print(f"{summary}: [{verdict[0]}]{verdict[1]}[/]")
    else:
        print(f"{summary}: {verdict[1]}")
    return int(bool(found.problems))


def in_common(warnings: list[str]) -> list[str]:
    """Warnings, each `study: text`, those of one text as one line."""
    studies: dict[str, list[str]] = {}
    for warning in warnings:
        study, _, text = warning.partition(": ")
        studies.setdefault(text, []).append(study)
    return [f"{_some(names)}: {text}" for text, names in studies.items()]


def _some(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def check(config: Path = CONFIG) -> Found:
    """Check every study at every scale, every recipe and every plug, as far as it is not known to be right."""
    memo = Memo(config)
    if memo.complete:
        memo.keep()
        return memo.found
    from assay.cli.looking import look

    return look(memo, config)
