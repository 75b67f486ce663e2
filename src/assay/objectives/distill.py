"""Distillation: match the teacher's softened predictions, with a choice of what the teacher looks at.

"Knowledge distillation: A good teacher is patient and consistent" (P106). The loss is T^2 KL(teacher || student) of predictions
at temperature T, with no term for hard labels. What the teacher sees makes the paper's cases: "same", the very images the
student sees (consistent teaching; with mixup before it, function matching); "independent", a view of its own; "fixed", the
untouched images, so that a sample's target never changes.
"""

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from annotated_types import Gt
from torch import Tensor, nn

from assay.data.batch import Batch
from assay.errors import StudyError
from assay.language.plugs import Parent
from assay.training.network import Trained


def distill(
    network: nn.Module,
    batch: Batch,
    *,
    teacher: Annotated[Trained, Parent()],
    view: Literal["same", "independent", "fixed"] = "same",
    temperature: Annotated[float, Gt(0)] = 1.0,
) -> Tensor:
    """Mean over the batch, in nats. With view "independent" the teacher sees batch.views[0]; StudyError if there is none."""
    with torch.no_grad():
        answer = teacher.network(_shown(batch, view))
    return temperature**2 * divergence(answer / temperature, network(batch.images) / temperature)


def divergence(teacher: Tensor, student: Tensor) -> Tensor:
    """KL(teacher || student) of predictions given as logits (B, K), averaged over the batch."""
    return F.kl_div(student.log_softmax(1), teacher.log_softmax(1), log_target=True, reduction="batchmean")


def _shown(batch: Batch, view: str) -> Tensor:
    if view == "same":
        return batch.images
    if view == "fixed":
        return batch.original
    if not batch.views:
        raise StudyError("objective distill: view = independent needs a view for the teacher; add augment views with count: 1")
    return batch.views[0]
