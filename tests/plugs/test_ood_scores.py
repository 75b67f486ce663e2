"""MSP, ODIN and the two detection metrics, against scikit-learn and the closed form of a linear classifier."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score, roc_curve
from torch import nn

from assay.metrics.auroc import auroc
from assay.metrics.fpr95 import fpr95
from assay.scores.coin import coin
from assay.scores.msp import msp
from assay.scores.odin import odin
from assay.training.network import Network, Samples


def samples(classes: int) -> Samples:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, classes)).double()
    network = Network(model, torch.full((3,), 0.4).double(), torch.full((3,), 0.5).double())
    return Samples(network, torch.rand(30, 3, 2, 2, dtype=torch.float64), torch.zeros(30, dtype=torch.long))


@pytest.mark.vouches("scores/msp", paper="P196")
def test_msp_of_known_logits():
    network = nn.Identity()
    logits = torch.tensor([[0.0, 0.0, np.log(2.0)], [5.0, 5.0, 5.0]])
    scores = msp(Samples(network, logits, torch.zeros(2)))
    np.testing.assert_allclose(scores, [0.5, 1 / 3])


@pytest.mark.vouches("scores/odin", paper="P196")
@pytest.mark.parametrize(("temperature", "eps"), [(1.0, 0.0), (1.0, 0.03), (1000.0, 0.0), (1000.0, 0.0014)])
def test_odin_of_a_two_class_linear_network_is_its_closed_form(temperature, eps):
    """The step adds eps ||w||_1 to the logit difference |w x + b|, w in pixel units; the score is its sigmoid over T."""
    given = samples(2)
    logits = given.network(given.images)
    w = (given.network.model[1].weight[1] - given.network.model[1].weight[0]) / 0.5
    gap = (logits[:, 1] - logits[:, 0]).abs() + eps * w.abs().sum()
    torch.testing.assert_close(odin(given, temperature=temperature, eps=eps), torch.sigmoid(gap / temperature))


@pytest.mark.vouches("scores/odin", paper="P196")
@pytest.mark.parametrize(("temperature", "eps"), [(1.0, 0.03), (1000.0, 0.03)])
def test_odins_step_depends_on_the_temperature(temperature, eps):
    """With softmax S at T of a linear network, the step goes along the sign of w_y less the others' mean by S."""
    given = samples(5)
    weight = given.network.model[1].weight.detach() / 0.5
    logits = given.network(given.images).detach()
    top = logits.argmax(1)
    share = (logits / temperature).scatter(1, top[:, None], float("-inf")).softmax(1)
    step = (weight[top] - share @ weight).sign().reshape(given.images.shape)
    moved = given.network(given.images + eps * step)
    expected = (moved / temperature).softmax(1).amax(1)
    torch.testing.assert_close(odin(given, temperature=temperature, eps=eps), expected.detach())
    other = (logits / (1001 - temperature)).scatter(1, top[:, None], float("-inf")).softmax(1)
    assert ((weight[top] - other @ weight).sign().reshape(given.images.shape) != step).any()


@pytest.mark.vouches("scores/odin", paper="P196")
@pytest.mark.parametrize("margin", [60.0, 150.0])
def test_odin_steps_towards_the_prediction_however_certain_the_network(margin):
    """In single precision; the score at T = 1 is 1 there, so the step is looked at through a second question."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 2)).requires_grad_(False)
    model[1].bias.data = torch.tensor([0.0, margin])
    network = Network(model, torch.zeros(3), torch.ones(3))
    asked = []

    def watch(module, inputs):
        asked.append(inputs[0].detach())

    images = torch.rand(4, 3, 2, 2)
    with network.register_forward_pre_hook(watch):
        odin(Samples(network, images, torch.zeros(4, dtype=torch.long)), temperature=1.0, eps=0.1)
    step = (model[1].weight[1] - model[1].weight[0]).sign().reshape(1, 3, 2, 2)
    torch.testing.assert_close(asked[-1] - images, (0.1 * step).expand(4, -1, -1, -1))


@pytest.mark.vouches("scores/odin", paper="P196")
def test_odin_without_step_at_temperature_one_is_msp():
    given = samples(5)
    torch.testing.assert_close(odin(given, temperature=1.0, eps=0.0), msp(given))
    assert (odin(given, temperature=1.0, eps=0.01) > msp(given)).all()


@pytest.mark.vouches("scores/odin", paper="P196")
def test_high_temperature_ranks_by_the_mean_gap_of_the_top_logit():
    """The paper's section 5.1: at large T the score grows with U1 = mean over i != y of (f_y - f_i), first order in 1 / T."""
    given = samples(5)
    logits = given.network(given.images)
    top = logits.amax(1)
    mean_gap = top - (logits.sum(1) - top) / 4
    assert odin(given, temperature=1e4, eps=0.0).argsort().equal(mean_gap.argsort())


@pytest.mark.vouches("metrics/auroc", paper="P196")
@pytest.mark.vouches("metrics/fpr95", paper="P196")
def test_detection_metrics_agree_with_scikit_learn_ties_included():
    generator = np.random.default_rng(0)
    for _ in range(20):
        inside = np.round(generator.normal(1, 1, 73), 1)
        outside = np.round(generator.normal(0, 1, 91), 1)
        truth = np.r_[np.ones(73), np.zeros(91)]
        assert auroc(inside, outside) == pytest.approx(roc_auc_score(truth, np.r_[inside, outside]))
        false_rate, true_rate, _ = roc_curve(truth, np.r_[inside, outside], drop_intermediate=False)
        assert fpr95(inside, outside) == pytest.approx(false_rate[true_rate >= 0.95].min())


def test_fpr95_by_hand():
    inside = np.arange(1, 21)  # 19 of 20 pass at threshold 2
    assert fpr95(inside, np.array([1.0, 1.5, 2.0, 30.0])) == 0.5


def test_coin_knows_nothing_and_repeats_itself():
    given = samples(2)
    assert coin(given).equal(coin(given))
    assert 0 <= float(coin(given).min()) <= float(coin(given).max()) < 1
