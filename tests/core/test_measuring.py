"""What arms of a study share while they are measured, and what they must not."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from assay.language import plugs
from assay.language.plugs import load
from assay.measuring import arm as measuring
from assay.measuring.arm import Arm, Session
from assay.training.binding import bind, identity
from assay.training.network import Trained

CPU = torch.device("cpu")


@pytest.fixture
def session():
    return Session(SimpleNamespace(name="some", seeds=2, cells=()), SimpleNamespace(device=CPU))


def arm(session, name, seed=0):
    return Arm(session, SimpleNamespace(arm=name, x=None, label=name), seed)


def test_what_is_bound_from_equal_data_is_the_same():
    spec = {"plug": "attacks/pgd", "parameters": {"eps": 0.1, "steps": 3}}
    other = {"plug": "attacks/pgd", "parameters": {"steps": 3, "eps": 0.1}}
    assert identity(bind(spec, None)) == identity(bind(other, None))
    assert hash(identity([bind(spec, None)])) == hash(identity((bind(other, None),)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"plug": "attacks/pgd", "parameters": {"eps": 0.1}}, {"plug": "attacks/pgd", "parameters": {"eps": 0.2}}),
        ({"plug": "attacks/pgd", "parameters": {"eps": 0.1}}, {"plug": "attacks/bim", "parameters": {"eps": 0.1}}),
        ({"plug": "attacks/pgd", "parameters": {"steps": 1}}, {"plug": "attacks/pgd", "parameters": {"steps": True}}),
        ([1, [2, 3]], [1, 2, 3]),
    ],
)
def test_what_is_bound_from_other_data_is_not(one, other):
    assert identity(bind(one, None)) != identity(bind(other, None))


def test_networks_and_tensors_are_themselves_alone():
    network = nn.Linear(1, 1)
    one, twin = Trained(network), Trained(network)
    assert identity(one) == identity(one) != identity(twin)
    values = torch.zeros(2)
    assert identity(values) == identity(values) != identity(values.clone())


def test_arms_of_a_repetition_share_what_they_ask_for_alike_and_no_others(session):
    asked = []

    def drawn(arm, length):
        asked.append((arm.name, arm.seed, length))
        return torch.rand(length, generator=arm.generator("draw"))

    first, second, later = arm(session, "a"), arm(session, "b"), arm(session, "a", seed=1)
    assert first.once(drawn, 3) is second.once(drawn, 3)
    assert not torch.equal(first.once(drawn, 3), later.once(drawn, 3))
    assert len(first.once(drawn, 4)) == 4
    assert asked == [("a", 0, 3), ("a", 1, 3), ("a", 0, 4)]


def test_what_is_shared_is_what_each_arm_would_have_made(session):
    world = bind({"plug": "worlds/digits", "parameters": {"train": 20, "test": 10}}, None)
    shared = arm(session, "a").make(world)
    session.forget_shared()
    again = arm(session, "b").make(world)
    assert again is not shared
    torch.testing.assert_close(again.test.images, shared.test.images, rtol=0, atol=0)
    assert arm(session, "a").make(partial(load("worlds", "digits"), train=20, test=11)) is not again


def double(arm, values):
    return 2 * values


def test_the_same_function_of_other_tensors_is_not_shared(session):
    """A tensor is known by its address, so it must live on; or the next would lie there, and be taken for it."""
    found = [float(arm(session, "a").once(double, torch.tensor(float(number)))) for number in range(50)]
    assert found == [2.0 * number for number in range(50)]


def test_a_repetition_is_measured_whole_then_forgotten_and_rows_come_arm_by_arm(session, monkeypatch):
    def measured(session, cell, seed):
        kept = session.shared(("key", seed), (), lambda: [])
        kept.append(cell)
        assert kept == ["a", "b"][: len(kept)]  # what the arms of this repetition left, in order
        assert len(session._shared) == 1  # and nothing of earlier ones
        return [(cell, seed)]

    monkeypatch.setattr(measuring, "_measure", measured)
    study = SimpleNamespace(name="some", seeds=3, cells=("a", "b"))
    said = []
    rows, _ = measuring.observe(study, SimpleNamespace(device=CPU), said.append)
    assert rows == [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1), ("b", 2)]
    assert said == [f"some: repetition {number} of 3 measured" for number in (1, 2, 3)]


def test_a_measurement_is_not_charged_for_importing_its_methods(monkeypatch, tmp_path):
    class EnoughError(Exception):
        pass

    def observe(*given):
        done.append("observe")
        raise EnoughError

    done = []
    monkeypatch.setattr(plugs, "load", lambda kind, name: done.append(f"{kind}/{name}"))
    monkeypatch.setattr(measuring.time, "process_time", lambda: done.append("clock") or 0.0)
    monkeypatch.setattr(measuring, "observe", observe)
    study = SimpleNamespace(plugs={"worlds/shapes", "models/resnet"})
    with pytest.raises(EnoughError):
        measuring.measure_study(study, None, tmp_path)
    assert done == ["models/resnet", "worlds/shapes", "clock", "observe"]
