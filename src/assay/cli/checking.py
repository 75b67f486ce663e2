"""`assay check` without the other commands: what it finds, and how it is said."""

import json
import sys
from pathlib import Path

from assay.cli.memo import Found, Memo
from assay.storage.places import PROJECT


def report(found: Found, as_json: bool) -> int:
    """Print it; the exit code."""
    if as_json:
        print(json.dumps({**found.counts, "problems": found.problems, "warnings": found.warnings}, indent=1))
        return int(bool(found.problems))
    for problem in found.problems:
        print(f"error: {problem}", file=sys.stderr)
    for line in filter(None, (*(f"warning: {warning}" for warning in found.warnings), found.before)):
        print(line)
    summary = ", ".join(f"{count} {what}" for what, count in found.counts.items())
    verdict = ("red", f"{len(found.problems)} problems") if found.problems else ("green", "all good")
    if sys.stdout.isatty():
        from rich.console import Console

        Console().print(f"{summary}: [{verdict[0]}]{verdict[1]}[/]")
    else:
        print(f"{summary}: {verdict[1]}")
    return int(bool(found.problems))


def check(config: Path = PROJECT / "config") -> Found:
    """Check every study at every scale, every recipe and every plug, as far as it is not known to be right."""
    memo = Memo(config)
    if memo.complete:
        return memo.found
    from assay.cli.looking import look

    return look(memo, config)
