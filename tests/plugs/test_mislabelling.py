"""AUM with threshold samples, final loss, confident learning, and the removal of flagged samples, against hand-worked cases
and scikit-learn."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss, precision_score, recall_score, roc_auc_score, zero_one_loss

from assay.data.batch import TensorSplit, TensorWorld, to_tensors
from assay.data.seeds import Draw
from assay.errors import StudyError
from assay.models.linear import Linear
from assay.protocols.mislabelled import detection, mislabelled
from assay.scores._flagging import Judgement, judge
from assay.scores.aum import aum
from assay.scores.confident_learning import confident_class, confident_learning
from assay.scores.final_loss import final_loss
from assay.scores.random_flags import random_flags
from assay.training.network import Network, Samples, Trained
from assay.training.run import margins
from assay.worlds.digits import digits
from assay.worlds.fold import fold
from assay.worlds.threshold_samples import threshold_samples
from assay.worlds.without_flagged import without_flagged

DIGITS = {"train": 220, "test": 100, "label_noise": 0.3}
SPEC = {"plug": "worlds/digits", "parameters": DIGITS}


def network(classes, pixels=1):
    """A linear network on images of one row; weights 1 on the pixel of the class's number, so pixels are logits."""
    model = Linear(1, classes, 1)
    model.fc = torch.nn.Linear(pixels, classes)
    torch.nn.init.eye_(model.fc.weight)
    torch.nn.init.zeros_(model.fc.bias)
    return Network(model, torch.zeros(1), torch.ones(1)).eval().requires_grad_(False)


def samples(logits, labels, records=None):
    """Samples whose network answers with exactly these logits."""
    logits = torch.as_tensor(logits, dtype=torch.float32)
    return Samples(network(logits.shape[1], logits.shape[1]), logits[:, None, None, :], torch.as_tensor(labels), records or {})


@pytest.mark.vouches("scores/aum", paper="P234")
def test_aum_of_a_hand_worked_training():
    # Two epochs, classes 0 and 1 and the made-up class 2. Margins: label's logit minus the largest other logit.
    labels = torch.tensor([0, 1, 0, 2, 2])
    epochs = [
        torch.tensor([[3.0, 1, 0], [0, 2, 1], [0, 4, 0], [1, 0, 0], [0, 0, 2]]),  # margins 2, 1, -4, -1, 2
        torch.tensor([[5.0, 1, 2], [0, 4, 1], [1, 3, 0], [2, 0, -3], [0, 0, 4]]),  # margins 3, 3, -2, -5, 4
    ]
    record = torch.stack([margins(logits, labels) for logits in epochs])
    assert record.mean(0).tolist() == [2.5, 2.0, -3.0, -3.0, 3.0]
    found = aum(samples(torch.zeros(5, 3), labels, {"margins": record}), percentile=50)
    # The median of the threshold samples' AUMs -3 and 3 is 0; samples below it are flagged, threshold samples are not judged.
    assert found[:3].tolist() == [-2.5, -2.0, 3.0]
    assert found[3:].isnan().all()


@pytest.mark.vouches("scores/aum", paper="P234")
def test_threshold_is_numpys_percentile_of_the_threshold_samples():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(4).repeat(50)
    record = torch.randn(6, 200, generator=generator, dtype=torch.float64)
    found = aum(samples(torch.zeros(200, 4), labels, {"margins": record}))
    area = record.mean(0).numpy()
    cut = np.percentile(area[labels == 3], 99)
    np.testing.assert_allclose(found[labels != 3].numpy(), cut - area[labels != 3], rtol=1e-6)
    assert int((found > 0).sum()) == int((area[labels != 3] < cut).sum())


def test_aum_says_what_is_missing():
    with pytest.raises(StudyError, match="record"):
        aum(samples(torch.zeros(4, 3), torch.tensor([0, 1, 0, 1])))
    with pytest.raises(StudyError, match="threshold_samples"):
        aum(samples(torch.zeros(4, 3), torch.tensor([0, 1, 0, 1]), {"margins": torch.zeros(2, 4)}))


def test_final_loss_is_the_log_loss_of_each_sample_less_a_quantile():
    logits = torch.randn(40, 5, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(40) % 5
    expected = [
        log_loss([y], [p], labels=range(5)) for y, p in zip(labels.tolist(), logits.double().softmax(1).numpy(), strict=True)
    ]
    found = final_loss(samples(logits, labels), share=0.25)
    np.testing.assert_allclose(found - found[0], np.array(expected) - expected[0], atol=1e-5)
    assert int((found > 0).sum()) == 10


def test_confident_learning_on_a_hand_worked_joint():
    probabilities = torch.tensor(
        [
            [0.9, 0.1],  # label 0, confidently 0
            [0.6, 0.4],  # label 0: the mean p_0 of label 0 is (0.9 + 0.6 + 0.1) / 3 = 0.533, so confidently 0
            [0.1, 0.9],  # label 0: the mean p_1 of label 1 is (0.8 + 0.7 + 0.3) / 3 = 0.6, so confidently 1: counted as wrong
            [0.2, 0.8],  # label 1, confidently 1
            [0.3, 0.7],  # label 1, confidently 1
            [0.7, 0.3],  # label 1, confidently 0: counted as wrong
        ]
    )
    labels = torch.tensor([0, 0, 0, 1, 1, 1])
    assert confident_class(probabilities.double(), labels).tolist() == [0, 0, 1, 1, 1, 0]
    found = confident_learning(samples(probabilities.log(), labels))
    assert (found > 0).tolist() == [False, False, True, False, False, True]
    assert found.argmax() == 2  # the margin 0.9 - 0.1 is the largest
    # Margins are 0.8 and 0.4 for the two flagged, and at most -0.2 for the others: zero lies halfway.
    torch.testing.assert_close(found, torch.tensor([-0.8, -0.2, 0.8, -0.6, -0.4, 0.4]).double() - 0.1)


@pytest.mark.vouches("scores/confident_learning")
def test_what_no_class_is_confident_of_counts_as_rightly_labelled():
    """Means of p_0 over label 0: (0.9 + 0.8 + 0.45) / 3 = 0.717; of p_1 over label 1: 0.9. The third sample likes class 1 better,
    but less than those labelled so."""
    probabilities = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.45, 0.55], [0.1, 0.9], [0.1, 0.9]])
    labels = torch.tensor([0, 0, 0, 1, 1])
    assert confident_class(probabilities.double(), labels).tolist() == [0, 0, 0, 1, 1]
    assert not (confident_learning(samples(probabilities.log(), labels)) > 0).any()
    # Of two classes that are confident the likelier counts.
    probabilities = torch.tensor([[0.5, 0.1, 0.4], [0.1, 0.5, 0.4], [0.2, 0.45, 0.35], [0.3, 0.3, 0.4]])
    assert confident_class(probabilities.double(), torch.tensor([0, 1, 2, 2])).tolist() == [0, 1, 2, 2]
    probabilities = torch.tensor([[0.3, 0.1, 0.6], [0.1, 0.3, 0.6], [0.35, 0.45, 0.2], [0.3, 0.3, 0.4]])
    assert confident_class(probabilities.double(), torch.tensor([0, 1, 2, 2])).tolist() == [2, 2, 1, 2]


def test_confident_learning_flags_nothing_where_nothing_is_off_the_diagonal():
    found = confident_learning(samples(torch.tensor([[5.0, 0], [0, 5.0]]), torch.tensor([0, 1])))
    assert not (found > 0).any()


def test_random_flags_flag_the_share():
    found = random_flags(samples(torch.randn(50, 3), torch.zeros(50, dtype=torch.long)), share=0.4)
    assert int((found > 0).sum()) == 20


def world_of(labels, truth, **factors):
    count = len(labels)
    factors = {"clean_label": torch.tensor(truth), **{name: torch.tensor(value) for name, value in factors.items()}}
    split = TensorSplit(torch.zeros(count, 1, 1, 1), torch.tensor(labels), factors)
    return TensorWorld(split, split, ("a", "b"), {})


@pytest.mark.vouches("scores/aum", paper="P234")
def test_a_second_run_judges_the_threshold_samples_of_the_first():
    scores = iter([torch.tensor([1.0, float("nan"), -1.0]), torch.tensor([-9.0, 2.0, float("nan")])])
    worlds = [world_of([0, 2, 1], [0, 0, 1]), world_of([0, 1, 2], [0, 0, 1])]
    found = judge(lambda samples: next(scores), [(Trained(network(3)), world) for world in worlds])
    assert found.suspicion.tolist() == [1.0, 2.0, -1.0]
    # Row 1 is judged by the second run, in which it has its own, wrong label.
    assert found.wrong.tolist() == [False, True, False]


def test_folds_partition_the_training_split_and_keep_every_row():
    draw = Draw("world", 0, 0)
    whole = digits(draw, **DIGITS)
    parts = [fold(draw, of=partial(digits, **DIGITS), folds=3, part=part) for part in range(3)]
    held_out = np.concatenate([part.extra["held_out"].factors["row"] for part in parts])
    assert sorted(held_out) == list(range(220))
    for part in parts:
        rows = part.train.factors["row"]
        assert not set(rows) & set(part.extra["held_out"].factors["row"])
        np.testing.assert_array_equal(part.train.images, whole.train.images[rows])
        np.testing.assert_array_equal(part.train.labels, whole.train.labels[rows])
    with pytest.raises(StudyError, match="0 to 2"):
        fold(draw, of=partial(digits, **DIGITS), folds=3, part=3)


def run(part, seed=0):
    """A judge whose recorded margins are -1 where the label is wrong or made up and 1 where it is right."""
    world = threshold_samples(Draw("world", 0, seed), of=partial(digits, **DIGITS), part=part)
    right = world.train.labels == world.train.factors["clean_label"]
    record = torch.where(torch.from_numpy(right), 1.0, -1.0).repeat(3, 1)
    # Threshold samples a little above the wrong ones, as the threshold asks for.
    record[:, torch.from_numpy(world.train.factors["threshold"])] = -0.5
    recipe = {"world": {"plug": "worlds/threshold_samples", "parameters": {"of": SPEC, "part": part}}}
    model = Linear(1, 11, 8)
    return Trained(Network(model, torch.zeros(1), torch.ones(1)), {"margins": record}, recipe)


@pytest.mark.vouches("worlds/without_flagged", paper="P234")
def test_two_runs_remove_exactly_the_wrong_labels_when_margins_tell_them():
    draw = Draw("world", 0, 0)
    whole = digits(draw, **DIGITS)
    wrong = whole.train.labels != whole.train.factors["clean_label"]
    cleaned = without_flagged(draw, judges=[run(0), run(1)], score=aum, of=partial(digits, **DIGITS))
    assert 0.2 < wrong.mean() < 0.4
    np.testing.assert_array_equal(cleaned.train.factors["row"], np.flatnonzero(~wrong))
    np.testing.assert_array_equal(cleaned.train.images, whole.train.images[~wrong])
    np.testing.assert_array_equal(cleaned.test.images, whole.test.images)
    # One run alone cannot judge its own threshold samples, so it leaves the wrong ones among them.
    alone = without_flagged(draw, judges=[run(0)], score=aum, of=partial(digits, **DIGITS))
    threshold = threshold_samples(draw, of=partial(digits, **DIGITS), part=0).train.factors["threshold"]
    assert set(alone.train.factors["row"]) - set(cleaned.train.factors["row"]) == set(np.flatnonzero(wrong & threshold))


def test_flagging_all_samples_or_judging_others_is_an_error():
    draw = Draw("world", 0, 0)
    everything = partial(lambda samples: torch.ones(len(samples.labels)))
    with pytest.raises(StudyError, match="flagged"):
        without_flagged(draw, judges=[run(0)], score=everything, of=partial(digits, **DIGITS))
    with pytest.raises(StudyError, match="220 of 300"):
        without_flagged(draw, judges=[run(0)], score=aum, of=partial(digits, **{**DIGITS, "train": 300}))


@pytest.mark.vouches("protocols/mislabelled", paper="P234")
def test_detection_agrees_with_scikit_learn():
    generator = np.random.default_rng(0)
    wrong = generator.random(300) < 0.3
    suspicion = generator.standard_normal(300) + wrong
    found = detection(Judgement(torch.from_numpy(suspicion), torch.from_numpy(wrong)))
    assert found["auroc"] == pytest.approx(roc_auc_score(wrong, suspicion))
    assert found["precision"] == pytest.approx(precision_score(wrong, suspicion > 0))
    assert found["recall"] == pytest.approx(recall_score(wrong, suspicion > 0))
    assert found["flagged"] == pytest.approx((suspicion > 0).mean())
    assert found["noise"] == pytest.approx(wrong.mean())


@pytest.mark.vouches("protocols/mislabelled", paper="P234")
def test_what_was_judged_is_kept_beside_the_error_of_the_arms_network():
    draw, kept = Draw("world", 0, 0), {}
    world = to_tensors(digits(draw, **DIGITS), torch.device("cpu"))
    wrong = world.train.labels != world.train.factors["clean_label"]
    model = Linear(1, 10, world.test.images.shape[-1])
    arm = SimpleNamespace(
        network=Network(model, torch.zeros(1), torch.ones(1)).eval(),
        world=world,
        make=lambda plug: to_tensors(plug(draw), torch.device("cpu")),
        keep=kept.__setitem__,
    )
    found = dict(mislabelled(arm, judges=[run(0), run(1)], score=aum))
    with torch.no_grad():
        answers = model(world.test.images).argmax(1)
    assert found["error"] == pytest.approx(zero_one_loss(world.test.labels, answers))
    assert found["auroc"] == found["precision"] == found["recall"] == found["kept"] == 1
    assert torch.equal(kept["wrong"], wrong)
    assert torch.equal(kept["suspicion"] > 0, wrong)
