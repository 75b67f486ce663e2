"""docs/worlds.md: its example runs, and it names every world."""

import re
from pathlib import Path

from assay.language.plugs import find

PAGE = (Path(__file__).parents[2] / "docs" / "worlds.md").read_text()


def test_the_example_of_the_page_runs_and_gives_what_it_says():
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    names = {}
    exec(code, names)
    world = names["world"]
    assert world.train.images.shape == (200, 3, 16, 16)
    assert world.train.factors["mask"].shape == (200, 16, 16)
    assert world.classes[:3] == ("circle", "square", "triangle")


def test_the_page_names_every_world():
    assert not [name for name in find("worlds") if f"`{name}`" not in PAGE]
