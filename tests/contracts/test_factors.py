"""Plugs declare the factors they read, and worlds those they have: what decides whether a data set can stand in."""

import ast
from functools import cache, partial

import pytest

from assay.data.seeds import Draw
from assay.language.plugs import PlugInfo, find, load
from assay.language.scales import factors, factors_needed
from assay.provenance.fingerprints import closure, module_path

READERS = [plug for kind in ("protocols", "objectives", "augment", "surgery", "scores") for plug in find(kind).values()]
SIZES = {"size": 16, "train": 64, "test": 48}
DRAWN = [plug for plug in find("worlds").values() if not any(p.parent or p.required for p in plug.parameters.values())]
NEEDS_MORE = {"shapes": {"shortcut": "patch"}}  # parameters without which a declared factor is not there


def reads(info: PlugInfo) -> tuple[set[str], bool]:
    """Factors that a plug and the modules it imports read by name, and whether some are read by a name that is computed."""
    literal, computed = set(), False
    for module in closure(info.module):
        if module.startswith(("assay.worlds", "assay.data")):  # which have factors, or take those that others name
            continue
        for node in ast.walk(ast.parse(module_path(module).read_text())):
            if not isinstance(node, ast.Subscript) or not isinstance(node.value, ast.Attribute) or node.value.attr != "factors":
                continue
            if isinstance(node.slice, ast.Constant):
                literal.add(node.slice.value)
            else:
                computed = True
    return literal, computed


@pytest.mark.parametrize("info", READERS, ids=lambda info: f"{info.kind}/{info.name}")
def test_what_a_plug_reads_it_declares(info):
    literal, computed = reads(info)
    declared = factors(f"{info.kind}/{info.name}")
    assert literal <= declared, f"{info.path}: add FACTORS = {tuple(sorted(literal | declared))}"
    assert not computed or declared or "factors" in info.parameters, f"{info.path}: reads factors, declare FACTORS"


def test_a_read_is_seen():
    """The test above can fail: it sees literal and computed names."""
    assert reads(find("protocols")["localisation"])[0] == {"objects", "masks", "boxes"}
    assert reads(find("objectives")["group_dro"])[1]


def test_a_parameter_may_name_factors():
    spec = {"plug": "objectives/group_dro", "parameters": {"factors": ["background"], "step_size": 0.01}}
    assert factors_needed({"objective": spec}) == {"background"}


@cache
def drawn(name: str):
    declared = find("worlds")[name].parameters
    given = {key: value for key, value in SIZES.items() if key in declared} | NEEDS_MORE.get(name, {})
    if "of" in declared:
        given["of"] = partial(_inner, "shapes")
    return load("worlds", name)(Draw("world"), **given)


def _inner(name: str, draw: Draw):
    return drawn(name)


@pytest.mark.parametrize("info", DRAWN, ids=lambda info: info.name)
def test_a_world_has_the_factors_it_declares(info, tiny_datasets):
    world = drawn(info.name)
    seen = set().union(*(split.factors for split in world.splits().values()))
    inner = set(drawn("shapes").train.factors) if "of" in info.parameters else set()
    assert seen - inner <= factors(f"worlds/{info.name}") <= seen
