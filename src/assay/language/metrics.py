"""How a protocol's METRICS say what a metric is: "Test accuracy [0 to 1, higher is better]: share of test images ...".

A line holds the label that axes and pages show, unit or range, which direction is better, and a description. Of METRICS no
fingerprint holds more than the names, so a label can be mended without measuring anything again.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from assay.errors import StudyError, quoted

DIRECTIONS = ("higher is better", "lower is better", "neither is better")
LINE = re.compile(r"(?P<label>\S[^\[\]]*?) \[(?P<unit>[^\[\]]+), (?P<direction>[^\[\],]+)\]: (?P<text>\S.*)", re.DOTALL)
LONGEST = 48  # letters of a label, which stands above a figure's panel beside the metric's name
WANTED = f'write "Label [unit, direction]: description", direction one of: {"; ".join(DIRECTIONS)}'


class Metric(NamedTuple):
    """What a metric's line says. unit: what it is counted in, or the range of a share."""

    label: str
    unit: str
    direction: str
    text: str


def read_metric(name: str, line: Any) -> Metric:
    """The parts of a metric's line; StudyError if one is missing."""
    found = LINE.fullmatch(line) if isinstance(line, str) else None
    if found is None:
        raise StudyError(f"metric '{name}': {quoted(line)} has no label, unit and direction; {WANTED}")
    if found["direction"] not in DIRECTIONS:
        raise StudyError(f"metric '{name}': direction {found['direction']!r} is unknown; {WANTED}")
    return Metric(**found.groupdict())


def check_metrics(path: str, metrics: Any) -> None:
    """StudyError, beginning with the file's path, unless each of a protocol's METRICS has such a line and a label that fits an
    axis."""
    if not isinstance(metrics, Mapping) or not metrics:
        raise StudyError(f"{path}: defines no METRICS = {{name: line}} literal; studies are checked against it; {WANTED}")
    for name, line in metrics.items():
        try:
            label = read_metric(name, line).label
        except StudyError as error:
            raise StudyError(f"{path}: METRICS: {error}") from None
        if len(label) > LONGEST:
            raise StudyError(f"{path}: METRICS: metric '{name}': label of {len(label)} letters (allowed: at most {LONGEST})")
