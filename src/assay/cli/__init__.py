"""The command line, `assay`: one module a group of commands. None imports torch; what else is heavy, a command imports itself.

All of them are put together in `program`, which is imported when it is asked for: `assay check` does without (see __main__).
"""

from typing import Any


def __getattr__(name: str) -> Any:
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from assay.cli.program import app

    return app
