"""The table of faults is the list of the tests of faults: neither has a row the other lacks."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILES = ("pipeline/test_faults.py", "pipeline/test_disks.py", "pipeline/test_damage.py", "forks/test_fork_faults.py")


def test_each_row_names_a_test_and_each_test_of_a_fault_has_a_row():
    rows = re.findall(r"^\|.*`(test_\w+)` \|$", (ROOT / "docs/faults.md").read_text(), re.M)
    sources = [(ROOT / "tests" / name).read_text() for name in FILES]
    tests = [name for source in sources for name in re.findall(r"^def (test_\w+)", source, re.M)]
    assert sorted(rows) == sorted(tests)
