"""What arms of a study share while they are measured, what they must not, and that blocks are cut where one likes."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from assay.data.seeds import seed_of
from assay.errors import EvidenceError
from assay.evidence.tables import Observation
from assay.language import plugs
from assay.language.blocks import Block
from assay.language.plugs import load
from assay.measuring import observing
from assay.measuring.arm import CellArm, Session
from assay.pipeline import measurement
from assay.training.binding import bind, identity
from assay.training.network import Trained

CPU = torch.device("cpu")


@pytest.fixture
def session():
    return Session(SimpleNamespace(name="some", cells=()), SimpleNamespace(device=CPU))


def arm(session, name, seed=0):
    return CellArm(session, SimpleNamespace(arm=name, x=None, label=name), seed)


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

    monkeypatch.setattr(observing, "_measure", measured)
    study = SimpleNamespace(name="some", cells=("a", "b"))
    said = []
    rows, _ = observing.observe(study, Block(2, 4), SimpleNamespace(device=CPU), said.append)
    assert rows == [("a", 2), ("a", 3), ("a", 4), ("b", 2), ("b", 3), ("b", 4)]
    assert said == [f"some: repetition {number} of 2-4 measured" for number in (2, 3, 4)]


def careless(arm):
    """A protocol that draws from torch's own generator, and keeps what it drew."""
    yield "first", torch.rand(()).item()
    for x in (1, 2):
        yield "by_x", x, torch.randn(()).item()
    arm.keep("drawn", torch.rand(3))


@pytest.fixture
def observe(monkeypatch):
    """Observe a block of a study of two arms with the careless protocol: rows, and the arrays kept."""
    monkeypatch.setattr(observing, "bind", lambda spec, load: careless)
    cells = [SimpleNamespace(arm=name, x=None, label=name, protocol=None) for name in ("erm", "mixup")]

    def measured(first, last, name="some"):
        study = SimpleNamespace(name=name, cells=cells, metrics={"first": "", "by_x": ""}, protocol="careless")
        rows, session = observing.observe(study, Block(first, last), SimpleNamespace(device=CPU), lambda line: None)
        return rows, {key: array.tolist() for key, array in session.arrays.items()}

    return measured


def of_seed(rows, seed):
    return [row for row in rows if row.seed == seed]


def test_a_repetition_has_the_same_numbers_in_whichever_block_it_is_measured(observe):
    """Even where a protocol draws from a generator that all share, and whatever was drawn before."""
    torch.manual_seed(1)
    together, _ = observe(0, 1)
    torch.manual_seed(2)
    first, second, later = observe(0, 0)[0], observe(1, 1)[0], observe(1, 2)[0]
    assert of_seed(together, 0) == first
    assert of_seed(together, 1) == second == of_seed(later, 1)
    assert len(first) == 2 * 3


def test_repetitions_arms_and_studies_have_numbers_of_their_own(observe):
    rows, _ = observe(0, 1)
    values = [row.value for row in (*rows, *observe(0, 1, "other")[0])]
    assert len(set(values)) == len(values) == 2 * 2 * 2 * 3


def test_the_seed_of_a_repetition_is_named_after_the_study_and_the_repetition(observe):
    torch.manual_seed(seed_of("measure", "some", 3))
    expected = torch.rand(()).item()
    assert observe(3, 3)[0][0] == Observation("some", "erm", 3, "first", None, expected)


def test_what_is_kept_is_the_first_repetitions(observe):
    _, arrays = observe(0, 2)
    assert arrays == observe(0, 0)[1]
    assert set(arrays) == {"erm/drawn", "mixup/drawn"}
    assert arrays != observe(1, 2)[1] == observe(1, 1)[1]


@pytest.mark.parametrize(
    ("yielded", "said"),
    [
        ([("frist", 1.0)], "unknown metric 'frist'; did you mean 'first'? (allowed: by_x, first); declare it in METRICS"),
        ([("first", 1.0), ("first", 1.0)], "some: protocol careless yields metric 'first' twice at x = None"),
        ([], "some: protocol careless yields no observation for arm 'erm'"),
    ],
)
def test_what_a_protocol_may_not_yield_is_said_in_one_line(observe, monkeypatch, yielded, said):
    monkeypatch.setattr(observing, "bind", lambda spec, load: lambda arm: iter(yielded))
    with pytest.raises(EvidenceError) as caught:
        observe(0, 0)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_measurement_is_not_charged_for_importing_its_methods(monkeypatch, tmp_path):
    class EnoughError(Exception):
        pass

    def observe(*given):
        done.append("observe")
        raise EnoughError

    done = []
    monkeypatch.setattr(plugs, "load", lambda kind, name: done.append(f"{kind}/{name}"))
    monkeypatch.setattr(measurement.time, "process_time", lambda: done.append("clock") or 0.0)
    monkeypatch.setattr(measurement, "observe", observe)
    study = SimpleNamespace(name="some", cells=(SimpleNamespace(label="one"),), plugs={"worlds/shapes", "models/resnet"})
    monkeypatch.setattr(measurement, "alone", lambda study, cell: SimpleNamespace(plugs=study.plugs, recipes=[]))
    store = SimpleNamespace(device=CPU, failures=lambda seeds: {})
    with pytest.raises(EnoughError):
        measurement.measure_block(study, Block(0, 4), store, tmp_path)
    assert done == ["models/resnet", "worlds/shapes", "clock", "observe"]
