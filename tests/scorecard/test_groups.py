"""Every group of metrics on a classifier whose answers can be worked out: a linear one, on small worlds."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from assay.data.batch import TensorSplit, to_tensors
from assay.data.seeds import Draw
from assay.errors import StudyError
from assay.language.plugs import load, watched
from assay.scorecard import corrupting
from assay.scorecard.attacking import attacks
from assay.scorecard.corrupting import corruptions
from assay.scorecard.groups import BY_NAME, GROUPS, chosen, described
from assay.scorecard.labelling import duplicates, labels
from assay.scorecard.loading import Loaded, Preparation
from assay.scorecard.measuring import measurable, measure_group
from assay.scorecard.planning import LEAST, costs, within
from assay.scorecard.probing import Probe
from assay.scorecard.representing import representation
from assay.scorecard.subject import Subject, answers, plug
from assay.scorecard.values import Skipped, Value

from timm import create_model  # isort: skip

CPU = torch.device("cpu")
SIDE = 16
COUNTED = {"parameters": 1, "macs": 2, "activations": 3, "weights": 4, "differentiable": True}


def linear(world) -> nn.Module:
    """Least squares from pixels to classes, on the training images."""
    pixels = world.train.images.flatten(1).double()
    wanted = nn.functional.one_hot(world.train.labels, len(world.classes)).double()
    kernel = pixels @ pixels.T + 10 * torch.eye(len(pixels))
    model = nn.Sequential(nn.Flatten(), nn.Linear(pixels.shape[1], len(world.classes)))
    with torch.no_grad():
        model[1].weight.copy_(10 * (torch.linalg.solve(kernel, wanted).T @ pixels))
        model[1].bias.fill_(0)
    return model


def subject_on(world, count: int, model: nn.Module | None = None) -> Subject:
    loaded = Loaded("linear", model or linear(world), Preparation(SIDE, world.test.images.shape[1]))
    network = measurable(loaded, len(world.classes), world.classes, tuple(world.test.images.shape[1:]), 16)
    return Subject(network, world, answers(network, world.test), answers(network, world.train), count)


@pytest.fixture(scope="module")
def shapes():
    world = load("worlds", "shapes")(Draw("scorecard"), size=SIDE, train=200, test=40, classes=6)
    return to_tensors(world, CPU)


@pytest.fixture(scope="module")
def conflict():
    return to_tensors(load("worlds", "cue_conflict")(Draw("scorecard"), size=SIDE, train=70, test=21), CPU)


@pytest.fixture(scope="module")
def found(shapes):
    """What every group gives on the same model, and the plugs it asked for."""
    subject, results = subject_on(shapes, 12), {}
    seen_at_once = results.setdefault("at once", [])
    subject.network.model.register_forward_pre_hook(lambda module, images: seen_at_once.append(len(images[0])))
    for group in GROUPS:
        with watched() as seen:
            test, train = subject.test, subject.train
            results[group.name] = measure_group(group, subject.network, shapes, test, train, 12, COUNTED), set(seen.plugs)
    return results


@pytest.mark.parametrize("name", BY_NAME)
def test_numbers_are_finite_lie_in_their_interval_and_rest_on_declared_plugs(found, name):
    measured, plugs = found[name]
    assert measured.values or measured.skipped
    for value in measured.values:
        assert np.isfinite(value.value)
        assert value.low is None or value.low <= value.value + 1e-9 <= value.high + 2e-9, value.key
        assert value.images <= 40
    assert len({value.key for value in measured.values}) == len(measured.values)
    assert plugs <= set(BY_NAME[name].plugs) | {"corruptions/rotate"}


def test_a_model_never_sees_more_images_at_once_than_memory_was_planned_for(found):
    assert max(found["at once"]) == 16


def test_attacks_take_as_many_gradients_as_planned_and_see_images_in_the_order_that_convolutions_like(shapes):
    subject, group, seen = subject_on(shapes, 12), BY_NAME["attacks"], {True: 0, False: 0}

    def count(module: nn.Module, given: tuple) -> None:
        seen[torch.is_grad_enabled()] += len(given[0])
        assert given[0].is_contiguous(memory_format=torch.channels_last)

    subject.network.model.register_forward_pre_hook(count)
    measure_group(group, subject.network, shapes, subject.test, subject.train, 12, COUNTED)
    assert seen[True] == 12 * group.backward
    assert seen[False] <= 12 * (group.forward + 1)


def test_logits_that_are_no_numbers_are_refused_whatever_images_give_them():
    loaded = Loaded("m", create_model("test_resnet", num_classes=3), Preparation(32))
    network = measurable(loaded, 3, ("a", "b", "c"), (3, 32, 32), 4)
    network.model.fc.bias.data[1] = torch.nan
    for ask in (network, network.answer):
        with pytest.raises(StudyError, match="NaN"):
            ask(torch.rand(2, 3, 32, 32))


def test_every_metric_that_is_declared_is_given_by_some_group(found, conflict):
    subject = subject_on(conflict, 21)
    more = measure_group(BY_NAME["shape"], subject.network, conflict, subject.test, subject.train, 21, COUNTED)
    given = {value.metric for name in BY_NAME for value in found[name][0].values}
    given |= {value.metric for value in more.values}
    assert set(described()) == given


def test_what_does_not_apply_says_why(found):
    reasons = {each.reason for name in BY_NAME for each in found[name][0].skipped}
    assert any("shape and texture disagree" in reason for reason in reasons)
    assert any(reason.startswith("grad_cam:") for reason in reasons)
    assert all("\n" not in reason for reason in reasons)


def test_measuring_again_gives_the_same_numbers(found, shapes):
    subject = subject_on(shapes, 12)
    for name in ("attacks", "flips"):
        again = measure_group(BY_NAME[name], subject.network, shapes, subject.test, subject.train, 12, COUNTED)
        assert [value.value for value in again.values] == [value.value for value in found[name][0].values]


def test_corrupted_errors_are_those_of_the_protocol_for_networks_of_this_project(shapes, monkeypatch):
    monkeypatch.setattr(corrupting, "IMAGENET_C", ("fog", "shot_noise"))
    subject = subject_on(shapes, 40)
    own = {value.key: value.value for value in corruptions(subject)}
    plugs = [plug(f"corruptions/{name}") for name in ("fog", "shot_noise")]
    rows = load("protocols", "corrupted")(subject, corruptions=plugs)
    theirs = {"/".join(map(str, key)): value for *key, value in rows}
    assert own["corrupted_error"] == pytest.approx(theirs["mce"])
    assert own["corruption_error fog"] == pytest.approx(theirs["error/fog"])
    assert own["severity_error 3"] == pytest.approx(theirs["mce/3"])


def test_the_smallest_step_that_fools_a_linear_model_is_the_closed_form(shapes):
    """The sign of the gradient of the loss; the answer changes where a logit that falls is met by one that rises."""
    model = linear(shapes)
    subject = subject_on(shapes, 40, model)
    (value,) = [each for each in attacks(subject) if each.metric == "minimal_size"]
    weights, kept = model[1].weight.detach(), subject.logits.argmax(1) == subject.labels
    sizes = []
    for image, label, logits in zip(subject.images[kept], subject.labels[kept], subject.logits[kept], strict=True):
        slope = (weights * (logits.softmax(0)[:, None])).sum(0) - weights[label]
        rise = (weights - weights[label]) @ slope.sign()
        need = torch.where(rise > 0, (logits[label] - logits) / rise, torch.inf)
        need[label] = torch.inf
        sizes.append(float(need.min()))
        assert image.shape == (3, SIDE, SIDE)
    # Pixels at 0 and 1 do not move any further, so it can be no smaller than without that.
    assert np.median(sizes) * (1 - 2**-4) <= value.value <= np.median(sizes) * 1.5


def test_images_that_stand_twice_and_wrong_labels_are_found(shapes):
    test = shapes.test
    images, marks = test.images.clone(), test.labels.clone()
    images[:3] = shapes.train.images[:3] * 0.9 + 0.05  # another contrast
    images[9] = images[8]
    planted = replace(shapes, test=TensorSplit(images, marks, {}))
    found = {value.metric: value for value in duplicates(subject_on(planted, 40))}
    assert found["duplicates"].rows.nonzero()[0].tolist() == [0, 1, 2]
    assert found["twins"].rows.nonzero()[0].tolist() == [9]


def test_the_label_that_a_certain_model_contradicts_is_suspected(shapes):
    certain = nn.functional.one_hot(shapes.test.labels, 6) * 9.0
    subject = subject_on(shapes, 40)
    wrong = shapes.test.labels.clone()
    wrong[5] = (wrong[5] + 1) % 6
    told = replace(shapes, test=TensorSplit(shapes.test.images, wrong, {}))
    again = Subject(subject.network, told, type(subject.test)(certain, None), subject.train, 40)
    (value,) = labels(again)
    assert value.rows.nonzero()[0].tolist() == again.pictures["suspect"].tolist() == [5]


def test_one_class_and_no_training_images_are_no_errors(shapes):
    one = shapes.test.labels == 0
    only = TensorSplit(shapes.test.images[one], shapes.test.labels[one], {})
    empty = TensorSplit(shapes.train.images[:0], shapes.train.labels[:0], {})
    subject = subject_on(shapes, 40)
    bare = subject_on(replace(shapes, test=only, train=empty), int(one.sum()), subject.network.model)
    for group in (labels, representation, duplicates):
        skipped = [each for each in group(bare) if isinstance(each, Skipped)]
        assert skipped, group
    single = TensorSplit(shapes.test.images[:1], shapes.test.labels[:1], {})
    alone = subject_on(replace(shapes, test=single, train=empty), 1, subject.network.model)
    for name in ("accuracy", "calibration", "labels", "duplicates", "representation", "shifts"):
        for each in BY_NAME[name].measure(alone):
            assert isinstance(each, Skipped) or np.isfinite(each.value)


def test_a_group_that_gives_what_it_does_not_declare_is_refused(shapes):
    group = type(BY_NAME["cost"])("cost", lambda subject: iter([Value("other", None, 1.0)]), {}, ())
    subject = subject_on(shapes, 4)
    with pytest.raises(StudyError, match="'other'"):
        measure_group(group, subject.network, shapes, subject.test, subject.train, 4, COUNTED)


def test_a_model_without_gradients_is_measured_by_what_takes_none(shapes):
    subject = subject_on(shapes, 12)
    blind = {**COUNTED, "differentiable": False}
    for name in ("attacks", "attributions"):
        told = measure_group(BY_NAME[name], subject.network, shapes, subject.test, subject.train, 12, blind)
        assert not told.values
        assert {each.metric for each in told.skipped} == set(BY_NAME[name].metrics)
    scores = measure_group(BY_NAME["ood"], subject.network, shapes, subject.test, subject.train, 12, blind)
    assert {value.x.partition(",")[0] for value in scores.values if value.metric == "auroc"} == {"msp"}


def test_groups_are_named():
    assert [group.name for group in chosen(["ood", "accuracy"])] == ["accuracy", "ood"]
    with pytest.raises(StudyError, match="did you mean 'calibration'"):
        chosen(["calibraton"])


def test_a_budget_takes_the_same_share_of_every_group_and_holds():
    probe = Probe(10, 0.01, 0.03, 1, 1, 1, 1)
    groups = chosen(["corruptions", "attacks", "accuracy"])
    full = within(groups, [probe], 1000, 0, None)
    assert full == {"accuracy": 1000, "corruptions": 500, "attacks": 200}
    assert within(groups, [probe], 100, 0, None, most=30) == dict.fromkeys(full, 30)
    less = within(groups, [probe], 1000, 0, 4.0)
    shares = [less[name] / full[name] for name in full]
    assert max(shares) - min(shares) < 0.01
    assert 200 < costs(groups, probe, less, 1000, 0).total <= 240
    assert within(groups, [probe], 1000, 0, 0.1) == dict.fromkeys(full, LEAST)
