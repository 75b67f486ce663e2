"""The measures of fitting random labels, on curves and networks with known answers."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from assay.data.batch import TensorSplit, TensorWorld
from assay.errors import StudyError
from assay.protocols.fitting import epochs_to_fit, fitting
from assay.training.network import Network, Trained


def arm(records):
    """A network that answers with its pixels: right on 3 of 4 training images and 1 of 2 test images."""
    train = TensorSplit(torch.eye(3)[[0, 1, 2, 0]].reshape(4, 3, 1, 1), torch.tensor([0, 1, 2, 1]), {})
    test = TensorSplit(torch.eye(3)[[0, 1]].reshape(2, 3, 1, 1), torch.tensor([0, 2]), {})
    network = Network(nn.Flatten(), torch.zeros(3), torch.ones(3))
    return SimpleNamespace(
        name="a", network=network, trained=Trained(network, records), world=TensorWorld(train, test, tuple("abc"), {})
    )


@pytest.mark.vouches("protocols/fitting", paper="P186")
def test_measures_of_a_hand_worked_training():
    margins = torch.tensor([[1.0, -1, -1, -1], [1, 2, -1, 0], [1, 1, 3, -2]])
    rows = list(fitting(arm({"margins": margins}), fit=0.75))
    assert rows == [
        ("train_top1", 0.75),
        ("top1", 0.5),
        ("gap", 0.25),
        ("epochs_to_fit", 3.0),
        ("fitted", 1, 0.25),
        ("fitted", 2, 0.5),
        ("fitted", 3, 0.75),
    ]


@pytest.mark.vouches("protocols/fitting", paper="P186")
def test_epochs_to_fit_counts_from_one_and_passes_the_end_when_never_fitted():
    curve = torch.tensor([0.2, 0.99, 0.7, 1.0])
    assert epochs_to_fit(curve, 0.99) == 2
    assert epochs_to_fit(curve, 1.0) == 4
    assert epochs_to_fit(curve[:3], 1.0) == 4
    assert epochs_to_fit(curve, 0.1) == 1


def test_margins_must_be_recorded():
    with pytest.raises(StudyError, match="record"):
        list(fitting(arm({})))
