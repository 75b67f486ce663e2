"""The L2-SVM objective and the SVM head against liblinear, and the digit network against a count and a plain composition."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.svm import LinearSVC

from assay.data.batch import Batch, TensorSplit, TensorWorld
from assay.errors import StudyError
from assay.models.convnet import ConvNet
from assay.models.linear import Linear
from assay.objectives.l2_svm import l2_svm
from assay.surgery.svm_head import svm_head
from assay.training.network import Bench, Network


def blobs(count=120, pixels=6, classes=3):
    generator = np.random.default_rng(0)
    labels = np.arange(count) % classes
    images = generator.standard_normal((count, pixels)) + 1.5 * generator.standard_normal((classes, pixels))[labels]
    return torch.from_numpy(images).float().reshape(count, pixels, 1, 1), torch.from_numpy(labels)


def batch_of(images, labels, classes):
    targets = F.one_hot(labels, classes).float()
    return Batch(images, labels, targets, torch.arange(len(labels)), images)


def linear_network(pixels, classes):
    return Network(Linear(pixels, classes, 1), torch.zeros(pixels), torch.ones(pixels))


@pytest.mark.vouches("objectives/l2_svm", paper="P331")
def test_loss_of_a_hand_worked_batch():
    network = linear_network(2, 2)
    with torch.no_grad():
        network.model.fc.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
        network.model.fc.bias.zero_()
    images = torch.tensor([[2.0, 0.25], [0.5, -1.0]]).reshape(2, 2, 1, 1)
    # Scores (2, 0.5) and (0.5, -2), both of class 0: 1 - t s is (-1, 1.5) and (0.5, -1), squared hinges 0, 2.25, 0.25, 0.
    loss = l2_svm(network, batch_of(images, torch.tensor([0, 0]), 2), c=3.0)
    assert loss.item() == pytest.approx((1 + 4) / 4 + 3 * (2.25 + 0.25) / 4)


@pytest.mark.vouches("objectives/l2_svm", paper="P331")
def test_minimum_is_that_of_liblinear():
    images, labels = blobs()
    count, features, classes, c = len(labels), 6, 3, 4.0
    network = linear_network(features, classes).double()
    network.model.fc.bias = None  # liblinear would shrink the bias with the weights
    images = images.double()
    batch = batch_of(images, labels, classes)
    optimizer = torch.optim.LBFGS(network.parameters(), max_iter=500, tolerance_grad=1e-12, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = l2_svm(network, batch, c=c)
        loss.backward()
        return loss

    optimizer.step(closure)
    # mean(w^2) + C mean(hinge) times features * classes / 2 is liblinear's 1/2 |w|^2 + C' sum(hinge).
    svm = LinearSVC(C=c * features / (2 * count), fit_intercept=False, dual=False, tol=1e-9, max_iter=20000)
    svm.fit(images.flatten(1).numpy(), labels.numpy())
    np.testing.assert_allclose(network.model.fc.weight.detach().numpy(), svm.coef_, atol=1e-4)


def test_a_network_without_linear_classifier_is_refused():
    network = Network(torch.nn.Flatten(), torch.zeros(6), torch.ones(6))
    images, labels = blobs()
    with pytest.raises(StudyError, match="linear classifier"):
        l2_svm(network, batch_of(images, labels, 6))


@pytest.mark.vouches("surgery/svm_head", paper="P331")
def test_head_decides_as_the_svm_on_frozen_features():
    torch.manual_seed(0)
    images = torch.rand(200, 1, 8, 8)
    labels = (images.mean((1, 2, 3)) * 7).long() % 3 + 1  # class 0 has no sample
    network = Network(ConvNet(1, 4, 8), images.mean((0, 2, 3)), images.std((0, 2, 3))).eval().requires_grad_(False)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    split = TensorSplit(images, labels, {})
    bench = Bench(TensorWorld(split, split, tuple("abcd"), {}), torch.Generator().manual_seed(0), torch.device("cpu"))
    made = svm_head(network, bench, c=0.5)
    features = network.features(images).numpy()
    scale = features.std(0, ddof=1).max()
    svm = LinearSVC(C=0.5, dual=False).fit(features / scale, labels.numpy())
    np.testing.assert_allclose(made(images)[:, 1:].numpy(), svm.decision_function(features / scale), atol=1e-3)  # liblinear's own
    np.testing.assert_array_equal(made(images).argmax(1).numpy(), svm.predict(features / scale))
    torch.testing.assert_close(made.features(images), network.features(images))
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


@pytest.mark.vouches("models/convnet", paper="P331")
def test_at_the_papers_size_it_has_the_papers_parameters():
    # 5*5*1*32+32, 5*5*32*64+64, 7*7*64*1024+1024, 1024*10+10
    model = ConvNet(1, 10, 28, width=32, dense=1024)
    assert sum(p.numel() for p in model.parameters()) == 832 + 51264 + 3212288 + 10250


@pytest.mark.vouches("models/convnet", paper="P331")
def test_layers_are_those_of_the_paper_in_order():
    torch.manual_seed(0)
    model = ConvNet(1, 10, 8, width=4, dense=12, drop_rate=0.5).eval()
    plain = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 5, padding=2), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(4, 8, 5, padding=2), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Flatten(), torch.nn.Linear(32, 12), torch.nn.ReLU(), torch.nn.Dropout(0.5), torch.nn.Linear(12, 10),
    ).eval()  # fmt: skip
    plain.load_state_dict(dict(zip(plain.state_dict(), model.state_dict().values(), strict=True)))
    images = torch.rand(5, 1, 8, 8)
    torch.testing.assert_close(model(images), plain(images))
    model.train()
    assert not torch.equal(model(images), model(images))  # dropout is at work in training
