"""Distillation against torch's divergence, a closed form, and what the teacher is shown."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from assay.data.batch import Batch
from assay.errors import StudyError
from assay.objectives.distill import distill, divergence
from assay.training.network import Trained


class Mean(nn.Module):
    """Logits (mean of the image, 0) times a scale: what a network was shown can be read from its answer."""

    def __init__(self, scale):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(float(scale)))
        self.seen = []

    def forward(self, images):
        self.seen.append(images)
        mean = images.mean((1, 2, 3)) * self.scale
        return torch.stack([mean, torch.zeros_like(mean)], dim=1)


@pytest.fixture
def batch():
    labels = torch.zeros(6, dtype=torch.long)
    original, shown, other = (torch.rand(6, 3, 4, 4, generator=torch.Generator().manual_seed(s)) for s in range(3))
    return Batch(shown, labels, F.one_hot(labels, 2).float(), labels, original, views=(other,))


@pytest.mark.vouches("objectives/distill", paper="P106")
@pytest.mark.parametrize("temperature", [1.0, 2.0, 5.0])
def test_the_loss_is_the_divergence_of_softened_predictions_times_the_squared_temperature(batch, temperature):
    teacher, student = Mean(3), Mean(-1)
    p, q = ((net(batch.images) / temperature).softmax(1) for net in (teacher, student))
    expected = temperature**2 * (p * (p / q).log()).sum(1).mean()
    loss = distill(student, batch, teacher=Trained(teacher), temperature=temperature)
    torch.testing.assert_close(loss, expected)


@pytest.mark.vouches("objectives/distill", paper="P106")
def test_divergence_of_two_coins_by_hand_and_its_direction():
    # Teacher (3/4, 1/4), student (1/2, 1/2): 3/4 log(3/2) + 1/4 log(1/2).
    teacher, student = torch.tensor([[3.0, 1.0]]).log(), torch.zeros(1, 2)
    assert divergence(teacher, student).item() == pytest.approx(0.1308, abs=1e-4)
    assert divergence(student, teacher).item() == pytest.approx(0.1438, abs=1e-4)
    assert divergence(teacher, teacher + 5).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.vouches("objectives/distill", paper="P106")
@pytest.mark.parametrize(("view", "shown"), [("same", "images"), ("fixed", "original"), ("independent", "views")])
def test_the_teacher_sees_what_the_case_says_and_the_student_always_its_own_images(batch, view, shown):
    teacher, student = Mean(3), Mean(1)
    distill(student, batch, teacher=Trained(teacher), view=view)
    expected = batch.views[0] if shown == "views" else getattr(batch, shown)
    assert teacher.seen[0] is expected
    assert student.seen[0] is batch.images


@pytest.mark.vouches("objectives/distill", paper="P106")
def test_a_student_that_is_its_teacher_loses_nothing_only_where_both_see_the_same(batch):
    teacher = Trained(Mean(3))
    assert distill(Mean(3), batch, teacher=teacher).item() == pytest.approx(0, abs=1e-7)
    assert distill(Mean(3), batch, teacher=teacher, view="fixed") > 1e-5
    assert distill(Mean(3), batch, teacher=teacher, view="independent") > 1e-5


@pytest.mark.vouches("objectives/distill", paper="P106")
def test_labels_play_no_part_and_the_teacher_does_not_learn(batch):
    teacher, student = Mean(3), Mean(1)
    loss = distill(student, batch, teacher=Trained(teacher))
    relabelled = replace(batch, labels=1 - batch.labels, targets=batch.targets.flip(1))
    assert loss == distill(student, relabelled, teacher=Trained(teacher))
    loss.backward()
    assert teacher.scale.grad is None
    assert student.scale.grad.abs() > 0


def test_an_independent_view_must_exist(batch):
    with pytest.raises(StudyError, match="add augment views with count: 1"):
        distill(Mean(1), replace(batch, views=()), teacher=Trained(Mean(3)), view="independent")
