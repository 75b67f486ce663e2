"""Whatever stands for a parameter's value: one line that says what is wrong, or a value that can be meant."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from study_cases import GOOD, compiled

from assay.errors import LONGEST, StudyError
from assay.language.compiling import Compiler
from assay.language.inputs import parse
from assay.language.limits import LARGEST, MOST, MOST_OF, SMALLEST, check_limits
from assay.language.plugs import PlugInfo, everything, kinds
from assay.language.scales import load_scale
from assay.language.study import StudyFile

VALUES = (
    *(None, True, 0, -1, 10**9, 2**31, 10**30, -(10**9), 1e308, -1e308, 5e-324, 1e200),
    *("", "  ", "x" * 3000, "\x00", "\u00e9", [], [[]], [[[[]]]], [None], [1, 1], ["a", "a"], [0] * 1000, [1e308], [10**9]),
    *({}, {"": {}}, {"a": None}, {"a": 1, "b": 2}, {"a": {"a": {"a": {}}}}),
)


@pytest.fixture(scope="module")
def compiler() -> Compiler:
    path = Path("study.yaml")
    found = Compiler(path, parse(StudyFile, GOOD, path), "laptop", load_scale("laptop"))
    found.protocol_fields = set()
    return found


def plugs(kind: str) -> list[PlugInfo]:
    return [plug for plug in everything() if plug.kind == kind]


def numbers(value: object) -> Iterator[int | float]:
    """All numbers in canonical data."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from numbers(inner)


@pytest.mark.parametrize("kind", kinds())
def test_any_value_is_taken_or_refused_in_a_line(compiler, kind):
    for plug in plugs(kind):
        for name, parameter in plug.parameters.items():
            for value in VALUES:
                try:
                    found = compiler._value(parameter, {name: value}, f"{kind}.{plug.name}.{name}")
                except StudyError as error:
                    said = str(error)
                    assert "\n" not in said
                    assert repr(value)[: LONGEST + 1] not in said or len(repr(value)) <= LONGEST, said
                else:
                    sizes = [abs(number) for number in numbers(found)]
                    assert all(math.isfinite(size) and size <= max(MOST, LARGEST) for size in sizes), (plug, name, value)


@pytest.mark.parametrize("name", ["size", "width", "epochs", "anything"])
def test_where_whole_numbers_end(name):
    most = MOST_OF.get(name, MOST)
    for value in (most, -most, [most], {"a": [most]}, True):
        check_limits(name, value)
    for value in (most + 1, -most - 1, [most + 1], {"a": [1, most + 1]}):
        with pytest.raises(ValueError, match=f"at most {most} here"):
            check_limits(name, value)


def test_where_other_numbers_end():
    for value in (0.0, SMALLEST, LARGEST, -LARGEST, [0.5]):
        check_limits("lr", value)
    for value in (LARGEST * 1.01, -LARGEST * 1.01, SMALLEST * 0.99, -SMALLEST * 0.99, [1e308]):
        with pytest.raises(ValueError, match="from 1e-30 to 1e"):
            check_limits("lr", value)


def test_a_field_of_recipes_may_be_emptied(tmp_path):
    """An arm may take away what the base augments with."""
    assert compiled(tmp_path, arms={"erm": {"augment": []}, "mixup": {}})
