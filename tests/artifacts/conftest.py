"""The trees that tests of other folders work on are found here too."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in ("core", "pipeline")]

from archive_cases import tree  # noqa: E402, F401
