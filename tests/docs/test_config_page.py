"""config/README.md: every file and key of the configuration, with its default."""

import re
from pathlib import Path

from assay.language.configuration import Config

CONFIG = Path(__file__).parents[2] / "config"
PAGE = (CONFIG / "README.md").read_text()


def test_every_key_stands_there_with_its_default():
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", PAGE, re.MULTILINE))
    assert rows == {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in Config()}


def test_every_file_stands_there_and_every_link_leads_somewhere():
    named = set(re.findall(r"^\| `([\w.-]+)", PAGE, re.MULTILINE))
    assert {path.name for path in CONFIG.iterdir()} - {"README.md", "seeds"} <= named
    for target in re.findall(r"\]\(([^)#]+)", PAGE):
        assert (CONFIG / target).exists(), target
