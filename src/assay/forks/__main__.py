"""Run Python in a forked child where one can be had: `python -m assay.forks (-c CODE | -m MODULE | SCRIPT) [ARGUMENTS]`."""

import os
import sys

from assay.forks.aside import own_process
from assay.forks.client import fork

MODULE = "import runpy; runpy.run_module({!r}, run_name='__main__', alter_sys=True)"


def main(arguments: list[str]) -> None:
    """What `python` does with these arguments."""
    if not arguments or (arguments[0] in ("-c", "-m") and len(arguments) < 2):
        sys.exit(__doc__)
    if not own_process():
        kind, rest = arguments[0], arguments[1:]
        script = {"-c": "".join(rest[:1]), "-m": MODULE.format("".join(rest[:1]))}.get(kind)
        sys.argv = ["-c" if kind == "-c" else kind, *rest[1:]] if script else arguments
        sys.path[0] = {"-c": "", "-m": os.getcwd()}.get(kind, os.path.dirname(os.path.abspath(kind)))
        if child := fork({"code": script} if script else {"path": kind}):
            child.end_likewise()
    os.execv(sys.executable, [sys.executable, *arguments])


main(sys.argv[1:])
