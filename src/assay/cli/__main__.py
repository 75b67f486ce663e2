"""The program `assay`, and `python -m assay.cli` for where it is not on the path."""

import os
import sys
from pathlib import Path

from assay.errors import AssayError
from assay.storage.places import warning_of_other_checkout


def main() -> None:
    """Run a command. A plain `assay check`, which editors and hooks call at every change, starts without the other commands."""
    if sys.argv[1:] in (["check"], ["check", "--json"]):
        sys.exit(_check(as_json=len(sys.argv) > 2))
    from assay.cli import app

    app()


def _check(as_json: bool) -> int:
    from assay.cli.checking import check, report

    # There are none, and to find that out it reads what every installed package says of itself.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    if warning := warning_of_other_checkout(Path.cwd()):
        print(warning, file=sys.stderr)
    try:
        return report(check(), as_json)
    except AssayError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    main()
